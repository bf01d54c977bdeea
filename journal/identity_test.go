package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/journal/wal"
)

// scene is a journal in several states: what lay in its folder at the end of
// each, in the order of time.
type scene struct {
	states []string // folders
}

// makeScene makes a journal with a run that lives through all states, and others
// that end. Between two states so much is recorded that the log has forgotten
// the one before, if forget says so. The last state is as a kill leaves it; the
// others were closed in order.
func makeScene(t *testing.T, forget bool) *scene {
	t.Helper()
	sc, dir := &scene{}, t.TempDir()
	keep := func() {
		to := filepath.Join(t.TempDir(), "state")
		if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		sc.states = append(sc.states, to)
	}
	for life := range uint32(3) {
		j, err := Open(dir, Options{LogBytes: 1, MoveWithin: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if life == 0 {
			commit(t, j, begin(j.NextRun(), "lives")) // run 1
		}
		commit(t, j, record(1, life, fmt.Sprint("life ", life)))
		ends := j.NextRun()
		commit(t, j, begin(ends, fmt.Sprint("ends-", life)), Change{Run: ends, End: []byte("end")})
		moved(t, j)
		if forget {
			big := strings.Repeat("x", segmentLeast/4)
			for i := range uint32(4 * 4 * wal.Segments) {
				commit(t, j, record(1, 100+i, big))
			}
		}
		commit(t, j, record(1, 1000+life, "the last of this life"))
		if life == 2 {
			keep()
		}
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		if life < 2 {
			keep()
		}
	}
	return sc
}

// mix makes a folder of the files of state base, some of them from others.
func (sc *scene) mix(t *testing.T, base int, from map[string]int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mix")
	if err := os.CopyFS(dir, os.DirFS(sc.states[base])); err != nil {
		t.Fatal(err)
	}
	for name, state := range from {
		b, err := os.ReadFile(filepath.Join(sc.states[state], name))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func logOf(state int) map[string]int {
	m := map[string]int{}
	for i := range wal.Segments {
		m[wal.Name(i)] = state
	}
	return m
}

// with adds what is in more.
func with(m map[string]int, more ...string) map[string]int {
	for _, name := range more {
		m[name] = m[wal.Name(0)]
	}
	return m
}

// An older file in the place of the newest is a loss that is said, and puts the
// live run in doubt, at each start until that is on its record.
func TestOlderFiles(t *testing.T) {
	t.Parallel()
	sc := makeScene(t, true)
	const killed, closed = 2, 1
	for _, c := range []struct {
		name string
		base int
		from map[string]int
		says string // "": nothing is lost
	}{
		{"as it was, after a kill", killed, nil, ""},
		{"as it was, closed", closed, nil, ""},
		{"journal.db after a kill", killed, map[string]int{liveName: 1}, "of the log, which journal.db does not have"},
		{"journal.db of the beginning after a kill", killed, map[string]int{liveName: 0}, "of the log, which journal.db does not have"},
		{"journal.db after an orderly stop", closed, map[string]int{liveName: 0}, "of the log, which journal.db does not have"},
		{"log after a kill", killed, logOf(1), "the log is an older one"},
		{"log and journal.db after a kill", killed, with(logOf(0), liveName), "they are older ones"},
		{"log and journal.db after an orderly stop", closed, with(logOf(0), liveName), "they are older ones"},
		{"log, journal.db and history.db after an orderly stop", closed, with(logOf(0), liveName, historyName), "they are older ones"},
		{"all but history.db after a kill", killed, with(logOf(0), liveName, markerName), "they are older ones"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := sc.mix(t, c.base, c.from)
			for round := range 2 {
				j, err := Open(dir, Options{MoveWithin: time.Hour})
				if err != nil {
					t.Fatal(err)
				}
				r := j.Report()
				all := strings.Join(r.Sentences, "\n")
				switch {
				case c.says == "" && (!r.Clean || len(r.Damaged) > 0):
					t.Errorf("round %d: report %+v", round, r)
				case c.says == "":
				case len(r.Damaged) != 1 || r.Damaged[0].Run != 1 || r.Damaged[0].ID != "lives":
					t.Errorf("round %d: named are %+v; %s", round, r.Damaged, all)
				case round == 0 && !strings.Contains(all, c.says):
					t.Errorf("report %q, want %q in it", all, c.says)
				case round == 1 && strings.HasPrefix(all, "lost: "):
					t.Errorf("said again: %q", all)
				}
				refs, err := j.Find(t.Context(), "", 0)
				if err != nil {
					t.Error(err)
				}
				for _, ref := range refs {
					if ref.Ended != (ref.ID != "lives") {
						t.Errorf("round %d: %+v", round, ref)
					}
				}
				if n := j.NextRun(); c.says != "" && n < 4 {
					t.Errorf("run number %d is given again", n)
				}
				commit(t, j, Change{Run: 1, Inbox: []Message{{Number: uint64(round), Time: epoch}}})
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if r, err := Check(dir); err != nil || c.says == "" && !r.Clean {
				t.Errorf("check: %+v, %v", r, err)
			}
			j := openIn(t, dir, Options{})
			noted := record(1, 2000, "on hold")
			noted.LossNoted = true
			commit(t, j, noted)
			j = reopen(t, j, Options{})
			if r := j.Report(); !r.Clean {
				t.Errorf("after it was noted: %+v", r)
			}
		})
	}
}

// What is older, and of which the log still has all that came since, loses nothing.
func TestOlderFileAndItsLog(t *testing.T) {
	t.Parallel()
	sc := makeScene(t, false)
	dir := sc.mix(t, 2, map[string]int{liveName: 0})
	j := openIn(t, dir, Options{MoveWithin: time.Hour})
	if r := j.Report(); !r.Clean {
		t.Errorf("report %+v", r)
	}
	r := load(t, j, 1)
	if n := len(r.Records); n != 6 || string(r.Records[n-1].Data) != "the last of this life" {
		t.Errorf("%d records", n)
	}
}

// An older history costs ended runs only.
func TestOlderHistory(t *testing.T) {
	t.Parallel()
	sc := makeScene(t, false)
	j := openIn(t, sc.mix(t, 2, map[string]int{historyName: 0}), Options{MoveWithin: time.Hour})
	r := j.Report()
	if r.Clean || len(r.Damaged) != 0 || !strings.Contains(r.Sentences[0], "history.db is an older one") {
		t.Errorf("report %+v", r)
	}
}

// Files that are not what they should be are refused, with what to do, and left as they are.
func TestFilesThatDoNotBelong(t *testing.T) {
	t.Parallel()
	sc, other := makeScene(t, false), makeScene(t, false)
	read := func(dir, name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	write := func(dir, name string, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(names ...string) func(dir string) {
		return func(dir string) {
			for _, name := range names {
				if err := os.Remove(filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, c := range []struct {
		name string
		do   func(dir string)
		says string
	}{
		{"exchanged", func(dir string) {
			live, history := read(dir, liveName), read(dir, historyName)
			write(dir, liveName, history)
			write(dir, historyName, live)
		}, "they were exchanged: give each file its own name again"},
		{"live over history", func(dir string) { write(dir, historyName, read(dir, liveName)) }, "history.db is a copy of journal.db"},
		{"history over live", func(dir string) { write(dir, liveName, read(dir, historyName)) }, "journal.db is a copy of history.db"},
		{"another journal's live file", func(dir string) { write(dir, liveName, read(other.states[1], liveName)) }, "put the right file in its place"},
		{"another journal's history", func(dir string) { write(dir, historyName, read(other.states[1], historyName)) }, "put the right file in its place"},
		{"another journal's marker", func(dir string) { write(dir, markerName, read(other.states[1], markerName)) }, "put the right file in its place"},
		{"another journal's log", func(dir string) { write(dir, wal.Name(1), read(other.states[1], wal.Name(1))) }, "belongs to another journal"},
		{"marker and live file gone", remove(markerName, liveName), "journal.db and journal.marker are missing or empty, but history.db says"},
		{"all but the log gone", remove(markerName, liveName, historyName), "but journal.wal.0 says"},
	} {
		for state := 1; state <= 2; state++ {
			t.Run(fmt.Sprintf("%s, state %d", c.name, state), func(t *testing.T) {
				t.Parallel()
				dir := sc.mix(t, state, nil)
				c.do(dir)
				before := contents(t, dir)
				_, err := Open(dir, Options{})
				if err == nil || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got  %v\nwant …%s…", err, c.says)
				}
				if after := contents(t, dir); after != before {
					t.Error("the files were changed")
				}
				if r, err := Check(dir); err == nil && r.Clean {
					t.Error("the check finds nothing")
				}
			})
		}
	}
}

// contents is a text that is the same for the same files.
func contents(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		if e.Name() == lockName {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %d %08x\n", e.Name(), len(content), checksum(nil, append(make([]byte, 4), content...)))
	}
	return b.String()
}

// A marker that is missing is made anew.
func TestMarkerMissing(t *testing.T) {
	t.Parallel()
	sc := makeScene(t, false)
	for state := 1; state <= 2; state++ {
		dir := sc.mix(t, state, nil)
		if err := os.Remove(filepath.Join(dir, markerName)); err != nil {
			t.Fatal(err)
		}
		j := openIn(t, dir, Options{MoveWithin: time.Hour})
		r := j.Report()
		if len(r.Damaged) != 0 || len(r.Sentences) != 1 || !strings.Contains(r.Sentences[0], "journal.marker is missing") {
			t.Errorf("report %+v", r)
		}
		if n := len(load(t, j, 1).Records); n != 2*(state+1) {
			t.Errorf("%d records", n)
		}
	}
}
