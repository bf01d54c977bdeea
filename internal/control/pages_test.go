package control_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"holdfast/engine"
	"holdfast/internal/control/controltest"
	"holdfast/internal/control/wire"
)

// get asks for JSON, and returns how many bytes it had.
func get(t *testing.T, c *http.Client, path string, to any) int {
	t.Helper()
	status, body := ask(t, c, "GET", path, "")
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", path, status, body)
	}
	if err := json.Unmarshal(body, to); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return len(body)
}

// until waits until a run is as f wants it.
func until(t *testing.T, d *controltest.Daemon, id string, f func(engine.RunInfo) bool) {
	t.Helper()
	for version := uint64(0); ; {
		info, err := d.Engine.Show(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if f(info) {
			return
		}
		if version, _, err = d.Engine.Await(t.Context(), id, version); err != nil {
			t.Fatalf("run is %+v, %v", info, err)
		}
	}
}

// Steps and log come by pages, bounded in entries and bytes, which put together
// are the whole, of a live run and of one that has ended.
func TestPages(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	if err := d.Engine.Register(controltest.Many()); err != nil {
		t.Fatal(err)
	}
	c := over("unix", d.Socket)
	for _, run := range []struct {
		id         string
		n, size    int
		query      string
		pages, log int // at least
	}{
		{"short", 5, 10, "", 1, 1},
		{"none", 0, 10, "", 1, 1},
		{"many", 300, 10, "limit=7", 43, 43},
		{"large", 60, 100_000, "", 3, 1},
		{"huge", 3, 5 << 20, "", 3, 1},
	} {
		if status, body := ask(t, c, "POST", "/v1/runs", fmt.Sprintf(`{"workflow": "test.many", "id": %q, "inputs": {"n": %d, "size": %d}}`, run.id, run.n, run.size)); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		until(t, d, run.id, func(i engine.RunInfo) bool { return i.CurrentStep == "rt.recv" })
		for _, when := range []string{"live", "ended"} {
			if when == "ended" {
				if status, body := ask(t, c, "POST", "/v1/runs/"+run.id+"/messages", `{"topic": "go", "body": 1}`); status != 200 {
					t.Fatalf("%d %s", status, body)
				}
				until(t, d, run.id, func(i engine.RunInfo) bool { return i.Status.Ended() })
			}
			n, pages := 0, 0
			for from := ""; ; pages++ {
				var p wire.StepPage
				size := get(t, c, "/v1/runs/"+run.id+"/steps?"+run.query+from, &p)
				if size > wire.PageBytes+run.size+1000 {
					t.Errorf("%s, %s: a page has %d bytes", run.id, when, size)
				}
				for _, s := range p.Steps {
					if args, err := json.Marshal(s.Args); err != nil || string(args) != fmt.Sprintf(`{"i":%d}`, n) || s.Name != "count" {
						t.Fatalf("%s, %s: step %d is %s %s, %v", run.id, when, n, s.Name, args, err)
					}
					n++
				}
				if p.Next == nil {
					pages++
					break
				}
				from = fmt.Sprint("&from=", *p.Next)
			}
			if n != run.n || pages < run.pages {
				t.Errorf("%s, %s: %d steps on %d pages", run.id, when, n, pages)
			}
			n, pages = 0, 0
			for after := ""; ; pages++ {
				var p wire.LogPage
				get(t, c, "/v1/runs/"+run.id+"/log?stream=log&"+run.query+after, &p)
				n += len(p.Entries)
				if p.Next == nil {
					pages++
					break
				}
				after = fmt.Sprint("&after=", *p.Next)
			}
			if n != run.n || pages < run.log {
				t.Errorf("%s, %s: %d entries of the log on %d pages", run.id, when, n, pages)
			}
		}
	}
}
