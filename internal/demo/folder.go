package demo

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"text/template"

	"holdfast/configs"
	"holdfast/drivers/opcua/opcuatest"
)

//go:embed config.yaml
var configTemplate string

// folder is where the demo lives.
type folder struct {
	dir  string
	kept kept
}

// kept is what the demo remembers from one time to the next, in demo.json.
type kept struct {
	Modbus string `json:"modbus"` // address of the filler
	OPCUA  string `json:"opcua"`  // address of the press
	// Written holds the SHA-256 of each file as the demo wrote it. A file that
	// has another one now was changed by its user, and is left alone.
	Written map[string]string `json:"written"`
}

func (f *folder) path(name string) string { return filepath.Join(f.dir, name) }

// openFolder makes the folder dir, or the default one where dir is "".
func openFolder(dir string) (*folder, error) {
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil { // no home
			base = os.TempDir()
		}
		dir = filepath.Join(base, "holdfast-demo")
	}
	abs, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(filepath.Join(abs, "workflows"), 0o700)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot make the folder of the demo: %w", err)
	}
	f := &folder{dir: abs, kept: kept{Written: map[string]string{}}}
	b, err := os.ReadFile(f.path("demo.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &f.kept)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", f.path("demo.json"), err)
	}
	return f, nil
}

// fill writes the configuration and the workflows, and returns the names of
// those that the user has changed, which stay as they are.
func (f *folder) fill(p *plant, socket string) (changed []string, err error) {
	f.kept.Modbus, f.kept.OPCUA = p.dev.Addr(), p.srv.URL()[len("opc.tcp://"):]
	files, err := f.files(p, socket)
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		own, err := f.put(file.name, file.text)
		if err != nil {
			return nil, fmt.Errorf("cannot write the demo's %s: %w", file.name, err)
		}
		if own {
			changed = append(changed, file.name)
		}
	}
	return changed, f.remember()
}

// remember keeps what the next demo has to know.
func (f *folder) remember() error {
	b, err := json.MarshalIndent(f.kept, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(f.path("demo.json"), append(b, '\n'))
}

type file struct {
	name string
	text []byte
}

func (f *folder) files(p *plant, socket string) ([]file, error) {
	text, err := configText(map[string]string{
		"Dir": f.dir, "Socket": socket, "ModbusURL": p.dev.URL(), "OPCUAURL": p.srv.URL(), "Press": "nsu=" + opcuatest.NamespaceURI + ";s=",
	})
	if err != nil {
		return nil, err
	}
	files := []file{{"holdfast.yaml", text}}
	names, err := configs.Workflows()
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		text, err := configs.Workflow(n)
		if err != nil {
			return nil, err
		}
		files = append(files, file{filepath.Join("workflows", n), text})
	}
	return files, nil
}

// configText fills the template of the configuration.
func configText(words map[string]string) ([]byte, error) {
	t, err := template.New("config.yaml").Funcs(template.FuncMap{"quote": strconv.Quote}).Parse(configTemplate)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, words); err != nil {
		return nil, fmt.Errorf("cannot write the demo's configuration: %w", err)
	}
	return b.Bytes(), nil
}

// put writes a file unless the user has made it his own.
func (f *folder) put(name string, text []byte) (own bool, err error) {
	was, err := os.ReadFile(f.path(name))
	switch {
	case err == nil && !bytes.Equal(was, text) && sum(was) != f.kept.Written[name]:
		return true, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return false, err
	}
	f.kept.Written[name] = sum(text)
	if bytes.Equal(was, text) {
		return false, nil
	}
	return false, replaceFile(f.path(name), text)
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// replaceFile puts a file in its place at once, or not at all. Nobody else
// writes in the folder: see lock.
func replaceFile(path string, b []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// lock keeps other demos out of the folder until the returned file is closed.
func (f *folder) lock() (*os.File, error) {
	l, err := os.OpenFile(f.path("demo.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(l.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = errors.New("another demo is at work there")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot use %s: %w", f.dir, err), l.Close())
	}
	return l, nil
}

// log opens the file that the daemon's log goes to. One that has grown is put
// aside first.
func (f *folder) log() (*os.File, error) {
	name := f.path("holdfast.log")
	if info, err := os.Stat(name); err == nil && info.Size() > 4<<20 {
		if err := os.Rename(name, name+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
}

// maxSocketPath is the longest path of a unix socket on Linux, in bytes
// (unix(7)), less what a listener needs for a folder of its own beside it.
const maxSocketPath = 107 - 16

// socket returns the path of the daemon's socket: in the folder, or where that
// path would be too long, in one of this user's own among the temporary ones.
func (f *folder) socket() (string, error) {
	if s := f.path("holdfast.sock"); len(s) <= maxSocketPath {
		return s, nil
	}
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("holdfast-demo-%d-%s", os.Getuid(), sum([]byte(f.dir))[:8]))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("cannot make a folder for the socket: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("cannot look at the folder for the socket: %w", err)
	}
	// Anybody may make folders there: in another's, the socket could be another's, too.
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(owner.Uid) != os.Getuid() || info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("cannot use %s for the socket: it is not a folder of yours alone; give a --dir with a shorter path", dir)
	}
	return filepath.Join(dir, "holdfast.sock"), nil
}
