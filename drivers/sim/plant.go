package sim

import (
	"errors"
	"fmt"
	"math"
	"sort"
	"sync"
	"time"

	"holdfast/gateway/tag"
)

// plant is the places and what was written to them.
type plant struct {
	start  time.Time
	places map[string]*place

	mu sync.Mutex // guards what was written
}

// place is one name of the plant.
type place struct {
	address
	source  *place        // of an echo
	keep    time.Duration // how far back the echoes of it look
	history []written     // oldest first; the first is at or before what any echo can ask for
}

// written is a value and when it came, since the plant's start.
type written struct {
	at    time.Duration
	value tag.Value
}

// newPlant makes the places that items name. The error names every fault.
func newPlant(items []tag.Item) (*plant, error) {
	p := &plant{start: time.Now(), places: make(map[string]*place)}
	var errs []error
	for _, it := range items {
		if err := p.add(it); err != nil {
			errs = append(errs, fmt.Errorf("tag %s: %w", it.Path, err))
		}
	}
	if len(errs) == 0 {
		errs = append(errs, p.connect())
	}
	return p, errors.Join(errs...)
}

func (p *plant) add(it tag.Item) error {
	if err := CheckAddress(it.Address, it.Type, false); err != nil {
		return err
	}
	a, err := parse(it.Address, it.Type)
	if err != nil {
		return err
	}
	old := p.places[a.name]
	switch {
	case old == nil:
		p.places[a.name] = &place{address: a}
	case old.typ != a.typ:
		return fmt.Errorf("address %q is a %s here and a %s elsewhere", a.name, a.typ, old.typ)
	case !old.given:
		old.address = a
	case a.given && !old.same(a):
		return fmt.Errorf("address %q has other parameters elsewhere", a.name)
	}
	return nil
}

func (a *address) same(b address) bool {
	return a.does == b.does && a.lo == b.lo && a.hi == b.hi && a.period == b.period &&
		a.target == b.target && a.delay == b.delay && a.init.Equal(b.init)
}

// connect joins echoes to what they echo.
func (p *plant) connect() error {
	names := make([]string, 0, len(p.places))
	for name := range p.places {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		q := p.places[name]
		if q.does != echoes {
			continue
		}
		q.source = p.places[q.target]
		if q.source == nil {
			return fmt.Errorf("address %q echoes %q, and no tag has that name%s", name, q.target, meant(q.target, names))
		}
	}
	for _, name := range names {
		q, back := p.places[name], time.Duration(0)
		for range len(names) {
			if q.does != echoes {
				break
			}
			back += q.delay
			q = q.source
			q.keep = max(q.keep, back)
		}
		if q.does == echoes {
			return fmt.Errorf("address %q is an echo of itself", name)
		}
	}
	return nil
}

// at returns the place's value at a moment since the start; before that, the
// one it begins with. plant.mu is held.
func (q *place) at(t time.Duration) (tag.Value, error) {
	switch q.does {
	case ramps:
		return q.number(q.lo + (q.hi-q.lo)*phase(t, q.period))
	case swings:
		return q.number(q.lo + (q.hi-q.lo)*(1+math.Sin(2*math.Pi*phase(t, q.period)))/2)
	case toggles:
		b, _ := q.init.AsBool()
		return tag.Bool(b != (max(t, 0)/q.period%2 == 1)), nil
	case echoes:
		v, err := q.source.at(t - q.delay)
		if err != nil {
			return tag.None(), err
		}
		return tag.Coerce(v, q.typ)
	}
	for i := len(q.history) - 1; i >= 0; i-- {
		if q.history[i].at <= t {
			return q.history[i].value, nil
		}
	}
	return q.init, nil
}

// phase is how far t is in its period, from 0 to 1.
func phase(t, period time.Duration) float64 { return float64(max(t, 0)%period) / float64(period) }

// number brings f to the place's type, rounded where that has whole numbers only.
func (q *place) number(f float64) (tag.Value, error) {
	if q.typ.IsInteger() {
		f = math.Round(f)
	}
	return tag.Coerce(tag.Float(f), q.typ)
}

// write keeps v, and forgets what no echo can ask for any more. plant.mu is held.
func (q *place) write(v tag.Value, now time.Duration) {
	q.history = append(q.history, written{now, v})
	old := 0
	for old+1 < len(q.history) && q.history[old+1].at <= now-q.keep {
		old++
	}
	q.history = append(q.history[:0], q.history[old:]...)
}
