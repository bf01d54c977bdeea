package journal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// world is what a journal should hold, in maps. It is not changed once it is
// made: each Change makes another.
type world struct {
	runs  map[uint64]*Run
	state map[string]string // table, a slash, key
}

// after returns the world that c makes of w.
func (w *world) after(c Change) *world {
	next := &world{maps.Clone(w.runs), w.state}
	if next.runs == nil {
		next.runs = make(map[uint64]*Run)
	}
	if c.Run != 0 {
		r := new(Run)
		if was := next.runs[c.Run]; was != nil {
			*r = Run{was.Header, slices.Clone(was.Records), slices.Clone(was.Inbox), was.End}
		}
		next.runs[c.Run] = r
		if c.Start != nil {
			r.Header = *c.Start
		}
		r.Records = slices.DeleteFunc(r.Records, func(rec Record) bool {
			return rec.Seq < c.Drop || slices.ContainsFunc(c.Records, func(n Record) bool { return n.Seq == rec.Seq && n.Kind == rec.Kind })
		})
		r.Records = append(r.Records, c.Records...)
		r.Inbox = append(r.Inbox, c.Inbox...)
		r.Inbox = slices.DeleteFunc(r.Inbox, func(m Message) bool { return slices.Contains(c.Taken, m.Number) })
		if c.End != nil {
			r.End = c.End
		}
		if c.Amend != nil {
			r.End = c.Amend
		}
		sortRun(r)
		if len(r.Records) == 0 {
			r.Records = nil
		}
		if len(r.Inbox) == 0 {
			r.Inbox = nil
		}
	}
	if len(c.State) > 0 {
		next.state = maps.Clone(w.state)
		if next.state == nil {
			next.state = make(map[string]string)
		}
		for _, e := range c.State {
			if e.Value == nil {
				delete(next.state, e.Table+"/"+e.Key)
			} else {
				next.state[e.Table+"/"+e.Key] = string(e.Value)
			}
		}
	}
	return next
}

// short shows a run without its data.
func short(r Run) string {
	text := fmt.Sprintf("%d %s end %.20q", r.Header.Run, r.Header.ID, r.End)
	for _, rec := range r.Records {
		text += fmt.Sprintf(" %d/%d %.6q", rec.Seq, rec.Kind, rec.Data)
	}
	for _, m := range r.Inbox {
		text += fmt.Sprintf(" inbox %d", m.Number)
	}
	return text
}

// differs returns what j holds otherwise than w, in words.
func (w *world) differs(j *Journal) string { return w.compare(j, true) }

// compare is differs. A list of ended runs may show the summary before the one
// that replaced it, of a run that waits to be moved or, without settled, is just
// being moved: that is let pass. Load shows the right one.
func (w *world) compare(j *Journal, settled bool) string {
	for run, want := range w.runs {
		if got, err := j.Load(run); err != nil || !reflect.DeepEqual(got, *want) {
			return fmt.Sprintf("run %d: %v\ngot  %s\nwant %s", run, err, short(got), short(*want))
		}
	}
	seen := 0
	err := j.Live(func(r Run) error {
		seen++
		if want := w.runs[r.Header.Run]; want == nil || want.End != nil || !reflect.DeepEqual(r, *want) {
			return fmt.Errorf("run %d is listed as live: %s", r.Header.Run, short(r))
		}
		return nil
	})
	if err != nil {
		return err.Error()
	}
	last, wrong := ^uint64(0), ""
	err = j.Ended(context.Background(), 0, func(e EndedRun) bool {
		h, summary := e.Header, e.Summary
		seen++
		want := w.runs[h.Run]
		if e.Err != nil || want == nil || !reflect.DeepEqual(h, want.Header) || settled && !j.mover.ended.has(h.Run) && string(want.End) != string(summary) || h.Run >= last {
			wrong = fmt.Sprintf("ended run %d (%s) %.20q is listed behind %d", h.Run, h.ID, summary, last)
		}
		last = e.Header.Run
		return true
	})
	if wrong != "" {
		return wrong
	}
	if err != nil || seen != len(w.runs) {
		return fmt.Sprintf("live and ended runs: %d, want %d, %v", seen, len(w.runs), err)
	}
	refs, err := j.Find(context.Background(), "", 0)
	if err != nil || len(refs) != len(w.runs) {
		return fmt.Sprintf("%d runs found by id, want %d, %v", len(refs), len(w.runs), err)
	}
	for _, ref := range refs {
		if want := w.runs[ref.Run]; want == nil || want.Header.ID != ref.ID || ref.Ended != (want.End != nil) {
			return fmt.Sprintf("found %+v", ref)
		}
	}
	state, err := stateOf(j)
	if err != nil || !maps.Equal(state, w.state) {
		return fmt.Sprintf("state: %v\ngot  %v\nwant %v", err, state, w.state)
	}
	return ""
}

// The tables that are used by the tests here.
var stateTables = []string{"alarm", "load"}

func stateOf(j *Journal) (map[string]string, error) {
	state := make(map[string]string)
	for _, table := range stateTables {
		err := j.State(context.Background(), table, "", func(key string, value []byte) bool {
			state[table+"/"+key] = string(value)
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	if len(state) == 0 {
		return nil, nil
	}
	return state, nil
}

// annals are the groups of Changes in the order in which the journal took them,
// with the world after each. A group is what one Commit or Append brought; its
// last Change says, in the table load, whose it is and its number.
type annals struct {
	worlds []*world // worlds[0]: before the first
	groups [][]Change
	at     map[string]int // "writer=number": index in worlds
	gather []Change
}

func newAnnals() *annals {
	return &annals{worlds: []*world{{}}, at: make(map[string]int)}
}

// tag marks the last Change of a group.
func tag(c *Change, writer, number int) {
	c.State = append(c.State, Entry{Table: "load", Key: strconv.Itoa(writer), Value: []byte(strconv.Itoa(number))})
}

func tagOf(c Change) (string, bool) {
	for _, e := range c.State {
		if e.Table == "load" {
			return e.Key + "=" + string(e.Value), true
		}
	}
	return "", false
}

// take is called with every Change in the order of the journal.
func (a *annals) take(c Change) {
	a.gather = append(a.gather, c)
	name, last := tagOf(c)
	if !last {
		return
	}
	w := a.worlds[len(a.worlds)-1]
	for _, c := range a.gather {
		w = w.after(c)
	}
	a.at[name] = len(a.worlds)
	a.worlds, a.groups = append(a.worlds, w), append(a.groups, a.gather)
	a.gather = nil
}

// found returns how many groups j holds: it must be all up to one, and none after.
func (a *annals) found(j *Journal) (int, error) {
	state, err := stateOf(j)
	if err != nil {
		return 0, err
	}
	n := 0
	for key, value := range state {
		if writer, ok := strings.CutPrefix(key, "load/"); ok {
			at, known := a.at[writer+"="+value]
			if !known {
				return 0, errors.New("a group that never was: " + writer + "=" + value)
			}
			n = max(n, at)
		}
	}
	if diff := a.worlds[n].differs(j); diff != "" {
		return 0, fmt.Errorf("it is not as after %d groups: %s", n, diff)
	}
	return n, nil
}

// scribe makes up Changes, for runs of its own.
type scribe struct {
	rng     *rand.Rand
	writer  int
	number  int
	run     uint64 // at work; 0: none
	seq     uint32
	last    uint64 // message
	ended   []uint64
	newRun  func() uint64
	largest int // bytes of a record now and then; 0: never
}

func (s *scribe) text(n int) []byte {
	b := make([]byte, 1+s.rng.IntN(n))
	for i := range b {
		b[i] = byte('a' + s.rng.IntN(26))
	}
	return b
}

func (s *scribe) record(n int) Record {
	return Record{Seq: s.seq, Kind: Kind(1 + s.rng.IntN(3)), Count: uint32(1 + s.rng.IntN(9)), Time: epoch, Data: s.text(n)}
}

// group makes the next group.
func (s *scribe) group() []Change {
	s.number++
	var cs []Change
	for range 1 + s.rng.IntN(2)*s.rng.IntN(2) {
		cs = append(cs, s.change())
	}
	tag(&cs[len(cs)-1], s.writer, s.number)
	return cs
}

func (s *scribe) change() Change {
	if s.run == 0 {
		s.run, s.seq, s.last = s.newRun(), 0, 0
		return begin(s.run, fmt.Sprintf("w%d-run-%d", s.writer, s.run))
	}
	c := Change{Run: s.run}
	s.seq++
	switch s.rng.IntN(14) {
	case 0:
		s.last++
		c.Inbox = []Message{{Number: s.last, Time: epoch, Data: s.text(40)}}
	case 1:
		if s.last > 0 {
			c.Taken = []uint64{s.last}
		}
		c.Records = []Record{s.record(60)}
	case 2:
		c.Drop = s.seq - min(s.seq, uint32(s.rng.IntN(4)))
		c.Records = []Record{s.record(60)}
	case 3:
		c.State = []Entry{{Table: "alarm", Key: string(s.text(2)), Value: s.text(30)}}
	case 4:
		c.State = []Entry{{Table: "alarm", Key: string(s.text(1))}}
	case 5:
		c.End = s.text(50)
		s.ended = append(s.ended, s.run)
		s.run = 0
	case 6:
		if len(s.ended) > 0 {
			return Change{Run: s.ended[s.rng.IntN(len(s.ended))], Amend: s.text(50)}
		}
		c.Records = []Record{s.record(60)}
	case 7:
		for range 5 {
			c.Records = append(c.Records, s.record(60))
			s.seq++
		}
	case 8:
		c.Records = []Record{s.record(9000)}
		if s.largest > 0 && s.rng.IntN(4) == 0 {
			c.Records[0].Data = s.text(s.largest)
		}
	default:
		c.Records = []Record{s.record(200)}
	}
	return c
}
