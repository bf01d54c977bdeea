package journal

import "fmt"

// denied is a page that the tree leads to, with these keys, and that is listed
// as free.
type denied struct {
	page uint64
	keys span
}

// freelist reads the list of free pages.
func (in *inspection) freelist() {
	b, err := in.claim(in.meta.freelist)
	var ids []uint64
	if err == nil {
		ids, err = parseFreelist(b)
	}
	free := make([]bool, len(in.met))
	for _, id := range ids {
		if id < 2 || id >= uint64(len(free)) || free[id] || in.met[id] {
			err = fmt.Errorf("it names page %d", id)
			break
		}
		free[id] = true
	}
	if err != nil {
		in.fault("list of free pages: page %d: %v", in.meta.freelist, err)
		return
	}
	in.free = free
}

// compare checks that each page is either in the tree or listed as free. Where
// both is so, the list is damaged; or what leads to the page is, which then is
// an old one, sound in itself, while the one that was meant is neither.
func (in *inspection) compare() {
	if in.free == nil {
		return
	}
	var stray []uint64
	for id := 2; id < len(in.free); id++ {
		if !in.free[id] && !in.met[id] {
			stray = append(stray, uint64(id))
		}
	}
	for _, d := range in.denied {
		in.fault("list of free pages: it names page %d, which is in use", d.page)
		for _, id := range stray {
			if key := in.firstKey(id); key != nil && d.keys.has(key) {
				in.fault("page %d may stand for page %d", d.page, id)
				in.lose(d.keys.from, d.keys.to)
				break
			}
		}
	}
	if len(in.denied) == 0 && len(in.lost) == 0 && len(stray) > 0 {
		in.fault("list of free pages: page %d is neither free nor in use", stray[0])
	}
	if len(in.denied) > 0 || len(in.lost) == 0 && len(stray) > 0 {
		in.free = nil
	}
}

// firstKey returns the first key of a page of the tree; nil if it is none.
func (in *inspection) firstKey(id uint64) []byte {
	b, err := in.read(id)
	if err != nil {
		return nil
	}
	if leaf, err := parseLeaf(b); err == nil {
		return leaf[0].key
	}
	if below, err := parseBranch(b); err == nil {
		return below[0].key
	}
	return nil
}
