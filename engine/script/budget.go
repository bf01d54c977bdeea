package script

import (
	"context"
	"fmt"

	"go.starlark.net/starlark"
)

// bytesPerStep is how much new memory one step of computation stands for.
const bytesPerStep = 64

// elementsPerStep is how many elements that are made and dropped one step of
// computation stands for.
const elementsPerStep = 4

// limitError says that a script has used up what it may use. No script can
// catch it.
type limitError struct{ msg string }

func (e *limitError) Error() string { return e.msg }

// budget bounds one thread. Steps are counted by the thread itself; further
// ones are added for operations that make much at once.
type budget struct {
	ctx       context.Context
	maxSteps  uint64
	maxMemory int64
	since     uint64             // step count at the last call that the engine recorded
	measure   uint64             // step count at which memory is measured next
	growing   [][]starlark.Value // elements of the comprehensions and sorts at work
	tables    map[any]int        // how many keys large dicts and sets had when these were counted, by weak pointer
	err       *limitError
}

// limit puts a budget on a thread, whose work ends with ctx.
func (f *Front) limit(ctx context.Context, t *starlark.Thread) *budget {
	b := &budget{ctx: ctx, maxSteps: f.maxSteps, maxMemory: f.maxMemory}
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

// work counts n further steps. Its error is the cause where the run is to end:
// the thread itself looks for that between two steps only.
func (b *budget) work(t *starlark.Thread, n uint64) error {
	if n == 0 {
		return nil
	}
	if b.ctx.Err() != nil {
		return context.Cause(b.ctx)
	}
	if n > b.maxSteps {
		return b.tooLong()
	}
	t.Steps += n
	if t.Steps >= b.measure || t.Steps >= b.since+b.maxSteps {
		return b.check(t)
	}
	return nil
}

// length returns how many elements an iterable has. One that does not tell, as
// s.codepoints(), is gone through, which is charged as it goes, and ends where
// there are more than most.
func (b *budget) length(t *starlark.Thread, v starlark.Value, most int64) (int64, error) {
	if n := starlark.Len(v); n >= 0 {
		return int64(n), nil
	}
	if it, ok := v.(starlark.Iterable); ok {
		return b.count(t, it, most)
	}
	return 0, nil // Starlark says that it is not iterable
}

func (b *budget) count(t *starlark.Thread, it starlark.Iterable, most int64) (int64, error) {
	n, owed := int64(0), uint64(0)
	for range starlark.Elements(it) {
		if n++; n > most {
			break
		}
		if owed++; owed == 4096 {
			if err := b.work(t, owed/elementsPerStep); err != nil {
				return 0, err
			}
			owed = 0
		}
	}
	return n, b.work(t, owed/elementsPerStep)
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

func (b *budget) textTooLong() error {
	return b.exceeded("a single text would have more than the %d bytes that a run may hold", b.maxMemory)
}

// exceeded keeps the first limit that was exceeded.
func (b *budget) exceeded(format string, args ...any) error {
	if b.err == nil {
		b.err = &limitError{fmt.Sprintf(format, args...)}
	}
	return b.err
}
