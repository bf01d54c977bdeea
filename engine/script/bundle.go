package script

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"holdfast/engine/value"
)

// maxBundle bounds the text of a workflow and of all that it loads, in bytes.
const maxBundle = 4 << 20

// pack makes the unit's bundle: the text of its files, in a form that is the
// same for the same files.
func (u *unit) pack(files map[string][]byte) error {
	texts := value.NewMap()
	size := 0
	for _, name := range slices.Sorted(slices.Values(u.files)) {
		texts.Set(name, files[name])
		size += len(files[name])
	}
	if size > maxBundle {
		return fmt.Errorf("the file and what it loads have %d bytes, which is more than %d", size, maxBundle)
	}
	b, err := value.Encode(value.NewMap("version", 1, "entry", u.entry, "files", texts))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	u.bundle, u.hash = b, hex.EncodeToString(sum[:])
	return nil
}

// unpack reads a bundle.
func unpack(bundle []byte) (entry string, files map[string][]byte, err error) {
	v, err := value.Decode(bundle)
	if err != nil {
		return "", nil, err
	}
	m, ok := v.(*value.Map)
	if !ok {
		return "", nil, errors.New("it is no bundle of files")
	}
	if n, _ := m.Get("version"); n != int64(1) {
		return "", nil, fmt.Errorf("its form %v is not known", n)
	}
	e, _ := m.Get("entry")
	entry, _ = e.(string)
	t, _ := m.Get("files")
	texts, ok := t.(*value.Map)
	if !ok {
		return "", nil, errors.New("it has no files")
	}
	files = make(map[string][]byte, texts.Len())
	for _, p := range texts.Pairs {
		name, ok1 := p.Key.(string)
		text, ok2 := p.Value.([]byte)
		if !ok1 || !ok2 {
			return "", nil, errors.New("it holds something else than files")
		}
		files[name] = text
	}
	if files[entry] == nil {
		return "", nil, errors.New("it lacks its own file")
	}
	return entry, files, nil
}

// maxUnits bounds how many units are kept for runs that will come back; those
// in use are kept by their programs.
const maxUnits = 256

// unit returns the unit of a bundle.
func (f *Front) unit(bundle []byte) (*unit, error) {
	sum := sha256.Sum256(bundle)
	hash := hex.EncodeToString(sum[:])
	f.mu.Lock()
	u := f.units[hash]
	f.mu.Unlock()
	if u != nil {
		return u, nil
	}
	entry, files, err := unpack(bundle)
	if err != nil {
		return nil, err
	}
	u = newLibrary(f, files).load(entry)
	if len(u.faults) > 0 {
		var errs []error
		for _, ft := range u.faults {
			errs = append(errs, ft)
		}
		return nil, errors.Join(errs...)
	}
	f.keep(u)
	return u, nil
}

func (f *Front) keep(u *unit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for hash := range f.units {
		if len(f.units) < maxUnits {
			break
		}
		delete(f.units, hash)
	}
	f.units[u.hash] = u
}
