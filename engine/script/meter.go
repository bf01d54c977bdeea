package script

import (
	"math"
	"unsafe"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// meter adds up the memory that values reach, each part once. It stops when
// nothing is left of what it was given.
type meter struct {
	left int64
	seen map[any]struct{}
	todo []starlark.Value
}

// thread measures what the variables of a thread's functions reach.
func (m *meter) thread(t *starlark.Thread, growing [][]starlark.Value) {
	m.seen = make(map[any]struct{})
	for _, g := range growing {
		m.left -= int64(16 * len(g))
		m.todo = append(m.todo, g...)
	}
	for depth := range t.CallStackDepth() {
		fr := t.DebugFrame(depth)
		m.todo = append(m.todo, fr.Callable())
		for i := range fr.NumLocals() {
			_, v := fr.Local(i)
			m.todo = append(m.todo, v)
		}
		if fn, ok := fr.Callable().(*starlark.Function); ok && fn.Name() == "<toplevel>" {
			for _, v := range fn.Globals() { // in any order: only the sum counts
				m.todo = append(m.todo, v)
			}
		}
	}
	for m.left >= 0 && len(m.todo) > 0 {
		v := m.todo[len(m.todo)-1]
		m.todo = m.todo[:len(m.todo)-1]
		m.one(v)
	}
}

// add measures what refers to nothing at once, and the rest at its turn.
func (m *meter) add(v starlark.Value) {
	switch v := v.(type) {
	case starlark.NoneType, starlark.Bool, starlark.Float:
		m.left -= 16
	case starlark.Int:
		m.left -= int64(sizeOf(v))
	default:
		m.todo = append(m.todo, v)
	}
}

// first reports whether something has not been measured yet.
func (m *meter) first(key any) bool {
	if _, ok := m.seen[key]; ok {
		return false
	}
	m.seen[key] = struct{}{}
	return true
}

func (m *meter) one(v starlark.Value) {
	switch v := v.(type) {
	case nil:
	case starlark.String:
		if len(v) < 64 || m.first(unsafe.StringData(string(v))) {
			m.left -= int64(sizeOf(v))
		}
	case starlark.Bytes:
		if len(v) < 64 || m.first(unsafe.StringData(string(v))) {
			m.left -= int64(sizeOf(v))
		}
	case starlark.Tuple:
		if len(v) > 0 && m.first(&v[0]) {
			m.left -= int64(sizeOf(v))
			for _, e := range v {
				m.add(e)
			}
		}
	case *starlark.List:
		if m.first(v) {
			m.left -= int64(sizeOf(v))
			for i := range v.Len() {
				m.add(v.Index(i))
			}
		}
	case *starlark.Dict:
		if m.first(v) {
			m.left -= int64(sizeOf(v))
			for k, e := range v.Entries() {
				m.add(k)
				m.add(e)
			}
		}
	case *starlark.Set:
		if m.first(v) {
			m.left -= int64(sizeOf(v))
			for e := range v.Elements() {
				m.add(e)
			}
		}
	default:
		m.other(v)
	}
}

func (m *meter) other(v starlark.Value) {
	switch v := v.(type) {
	case *starlark.Function:
		if !m.first(v) {
			return
		}
		m.left -= 128
		for i := range v.NumFreeVars() {
			_, e := v.FreeVar(i)
			m.todo = append(m.todo, e)
		}
		for i := range v.NumParams() {
			m.todo = append(m.todo, v.ParamDefault(i))
		}
	case *starlark.Builtin:
		m.left -= 64
		if v.Receiver() != nil {
			m.todo = append(m.todo, v.Receiver())
		}
	case *starlarkstruct.Struct:
		if !m.first(v) {
			return
		}
		m.left -= int64(sizeOf(v))
		for _, e := range v.Entries() {
			m.todo = append(m.todo, e)
		}
	default:
		if text, ok := viewed(v); ok {
			m.left -= 32
			m.one(starlark.String(text))
			return
		}
		if in, ok := openCell(v); ok {
			m.todo = append(m.todo, in)
			return
		}
		m.left -= int64(sizeOf(v))
	}
}

// sizeOf returns about how many bytes a value itself takes, without what it
// refers to.
func sizeOf(v starlark.Value) int {
	switch v := v.(type) {
	case starlark.String:
		return 16 + len(v)
	case starlark.Bytes:
		return 16 + len(v)
	case starlark.Tuple:
		return 24 + 16*len(v)
	case *starlark.List:
		return 48 + 16*v.Len()
	case *starlark.Dict:
		return sizeOfTable(v.Len())
	case *starlark.Set:
		return sizeOfTable(v.Len())
	case *starlarkstruct.Struct:
		return 48 + 40*v.Len()
	case starlark.Int:
		if _, ok := v.Int64(); ok {
			return 16
		}
		return 32 + v.BigInt().BitLen()/8
	}
	return 16
}

func sizeOfTable(n int) int {
	if n > math.MaxInt32/128 {
		return math.MaxInt32
	}
	return 560 + 96*n
}
