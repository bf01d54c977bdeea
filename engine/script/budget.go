package script

import (
	"fmt"
	"math"
	"unsafe"

	"go.starlark.net/starlark"
)

// bytesPerStep is how much new memory one step of computation stands for.
const bytesPerStep = 64

// limitError says that a script has used up what it may use. No script can
// catch it.
type limitError struct{ msg string }

func (e *limitError) Error() string { return e.msg }

// budget bounds one thread. Steps are counted by the thread itself; further
// ones are added for operations that make much at once.
type budget struct {
	maxSteps  uint64
	maxMemory int64
	since     uint64             // step count at the last call that the engine recorded
	measure   uint64             // step count at which memory is measured next
	growing   [][]starlark.Value // elements of the comprehensions and sorts at work
	err       *limitError
}

// limit puts a budget on a thread.
func (f *Front) limit(t *starlark.Thread) *budget {
	b := &budget{maxSteps: f.maxSteps, maxMemory: f.maxMemory}
	b.measure = b.interval()
	t.SetLocal(budgetKey, b)
	t.OnMaxSteps = func(t *starlark.Thread) {
		if err := b.check(t); err != nil {
			t.Cancel(err.Error())
		}
	}
	b.arm(t)
	return b
}

const budgetKey = "budget"

func budgetOf(t *starlark.Thread) *budget {
	b, _ := t.Local(budgetKey).(*budget)
	return b
}

func (b *budget) interval() uint64 { return max(uint64(b.maxMemory)/2/bytesPerStep, 1) }

func (b *budget) arm(t *starlark.Thread) {
	t.SetMaxExecutionSteps(min(b.since+b.maxSteps, b.measure))
}

// renew is called after each call that the engine has recorded: computation is
// counted anew.
func (b *budget) renew(t *starlark.Thread) {
	b.since = t.Steps
	b.arm(t)
}

// charge counts n bytes that are about to be made, or have just been.
func (b *budget) charge(t *starlark.Thread, n int) error {
	if n < bytesPerStep {
		return nil
	}
	if int64(n) > b.maxMemory {
		return b.exceeded("a single value of %d bytes is more than the %d that a run may hold", n, b.maxMemory)
	}
	return b.work(t, uint64(n)/bytesPerStep)
}

// work counts n further steps.
func (b *budget) work(t *starlark.Thread, n uint64) error {
	if n > b.maxSteps {
		return b.tooLong()
	}
	t.Steps += n
	if t.Steps >= b.measure || t.Steps >= b.since+b.maxSteps {
		return b.check(t)
	}
	return nil
}

func (b *budget) check(t *starlark.Thread) error {
	if t.Steps >= b.since+b.maxSteps {
		return b.tooLong()
	}
	if t.Steps >= b.measure {
		m := meter{left: b.maxMemory}
		m.thread(t, b.growing)
		if m.left < 0 {
			return b.exceeded("the run's variables hold more than %d bytes", b.maxMemory)
		}
		b.measure = t.Steps + b.interval()
	}
	b.arm(t)
	return nil
}

func (b *budget) tooLong() error {
	return b.exceeded("more than %d steps of computation without a call that waits or is recorded", b.maxSteps)
}

func (b *budget) exceeded(format string, args ...any) error {
	if b.err == nil {
		b.err = &limitError{fmt.Sprintf(format, args...)}
	}
	return b.err
}

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
			m.todo = append(m.todo, v...)
		}
	case *starlark.List:
		if m.first(v) {
			m.left -= int64(sizeOf(v))
			for i := range v.Len() {
				m.todo = append(m.todo, v.Index(i))
			}
		}
	case *starlark.Dict:
		if m.first(v) {
			m.left -= int64(sizeOf(v))
			for k, e := range v.Entries() {
				m.todo = append(m.todo, k, e)
			}
		}
	case *starlark.Set:
		if m.first(v) {
			m.left -= int64(sizeOf(v))
			for e := range v.Elements() {
				m.todo = append(m.todo, e)
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
	case holder:
		if m.first(v) {
			m.left -= 64
			m.todo = v.hold(m.todo)
		}
	default:
		if in, ok := openCell(v); ok {
			m.todo = append(m.todo, in)
			return
		}
		m.left -= int64(sizeOf(v))
	}
}

// holder is a value of this package's own that holds others.
type holder interface {
	hold(to []starlark.Value) []starlark.Value
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
