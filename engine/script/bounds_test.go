package script

import (
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.starlark.net/starlark"

	"holdfast/engine"
)

// peak samples the heap until stop is called, and then says by how much it had
// grown at most.
func peak() (stop func() uint64) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, most := m.HeapAlloc, m.HeapAlloc
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		var m runtime.MemStats
		for {
			select {
			case <-tick.C:
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			case <-done:
				return
			}
		}
	})
	return func() uint64 {
		close(done)
		wg.Wait()
		runtime.ReadMemStats(&m)
		return max(most, m.HeapAlloc) - before
	}
}

// TestBounds runs scripts that would take the process down, or never end, and
// sees each end with LimitExceeded, soon and with little memory.
func TestBounds(t *testing.T) {
	const most = 8 << 20
	attacks := map[string]string{
		"list repeat":          `[1] * 1000000000`,
		"list repeat reversed": `1000000000 * [1]`,
		"string repeat":        `"abc" * 1000000000`,
		"bytes repeat":         `b"abc" * 1000000000`,
		"tuple repeat":         `(1, 2) * 500000000`,
		"big repeat":           `"x" * (1 << 30)`,
		"range to list":        `list(range(1000000000))`,
		"range to tuple":       `tuple(range(1000000000))`,
		"range to set":         `set(range(1000000000))`,
		"range sorted":         `sorted(range(1000000000))`,
		"range reversed":       `reversed(range(1000000000))`,
		"range enumerated":     `enumerate(range(1000000000))`,
		"range zipped":         `zip(range(1000000000), range(1000000000))`,
		"range spread":         `max(*range(1000000000))`,
		"range summed up":      `all(range(1, 1000000000000))`,
		"range maximum":        `max(range(1000000000000))`,
		"comprehension":        `[i for i in range(1000000000)]`,
		"nested comprehension": `[[j for j in range(100000)] for i in range(1000000000)]`,
		"string comprehension": `[str(i) * 1000 for i in range(1000000000)]`,
		"dict comprehension":   `{i: [i] for i in range(1000000000)}`,
		"inner comprehension":  `[f(i) for i in range(1000000000)]` + "\ndef f(i):\n    return [i] * 1000\n",
		"join":                 `("x" * 1000000).join(["y"] * 1000000)`,
		"replace":              `("x" * 1000000).replace("x", "y" * 1000000)`,
		"format":               `("{0}" * 100000).format("y" * 1000000)`,
		"format dict":          `("%(a)s" * 100000) % {"a": "y" * 1000000}`,
		"split":                `[("x " * 1000000).split() for i in range(1000000)]`,
		"sorted keys":          `sorted(range(100000), key=lambda i: "x" * 100000)`,
		"int of text":          `int("9" * 1000000)`,
		"endless loop":         "1\n    while True:\n        pass",
		"string doubling":      "\"x\"\n    while True:\n        v += v",
		"string doubling too":  "\"x\"\n    while True:\n        v = v + v",
		"string of literals":   "\"x\"\n    while True:\n        v = v + \"x\" * 1000",
		"list doubling":        "[1]\n    while True:\n        v += v",
		"list extend":          "[1]\n    while True:\n        v.extend(v)",
		"list extend bound":    "[1]\n    e = v.extend\n    while True:\n        e(v)",
		"list extend got":      "[1]\n    e = getattr(v, \"extend\")\n    while True:\n        e(v)",
		"list append":          "[1]\n    while True:\n        v.append(\"x\" * 1000)",
		"list insert":          "[1]\n    while True:\n        v.insert(0, [])",
		"list slices":          "[1] * 100000\n    l = []\n    while True:\n        l.append(v[:])",
		"list concatenation":   "[1] * 100000\n    l = []\n    while True:\n        l.append(v + v)",
		"list of lists":        "[1]\n    while True:\n        v = [v, v] * 2\n        s = str(v)",
		"list of lists text":   "[1]\n    for i in range(60):\n        v = [v, v]\n    s = \"%s\" % (v,)",
		"list of lists repr":   "[1]\n    for i in range(60):\n        v = [v, v]\n    s = \"{}\".format(v)",
		"list of lists print":  "[1]\n    for i in range(60):\n        v = [v, v]\n    print(v)",
		"list of lists fail":   "[1]\n    for i in range(60):\n        v = [v, v]\n    attempt(fail, v)",
		"list in an element":   "{\"a\": []}\n    while True:\n        v[\"a\"] += v[\"a\"] or [1]",
		"dict growth":          "{}\n    i = 0\n    while True:\n        i += 1\n        v[i] = {}",
		"dict copies":          "{i: i for i in range(10000)}\n    l = []\n    while True:\n        l.append(dict(v))",
		"dict union":           "{i: i for i in range(10000)}\n    l = []\n    while True:\n        l.append(v | {})",
		"dict update":          "{}\n    while True:\n        v.update({str(len(v)) * 100: 1})",
		"dict items":           "{i: i for i in range(10000)}\n    l = []\n    while True:\n        l.append(v.items())",
		"set growth":           "set()\n    while True:\n        v.add((len(v),))",
		"set difference":       "set(range(10000))\n    l = []\n    while True:\n        l.append(v - set())",
		"struct chain":         "None\n    while True:\n        v = struct(next=v, text=\"x\" * 1000)",
		"bytes of strings":     "[]\n    while True:\n        v.append((\"x\" * 10000).elems())",
		"characters":           "[]\n    while True:\n        v.append((\"x\" * 10000).codepoints())",
		"bound methods":        "[]\n    while True:\n        v.append((\"x\" * 10000).upper)",
		"in a closure":         "[]\n    def g():\n        v.append(\"x\" * 1000)\n    while True:\n        attempt(g)",
		"in dropped closures":  "[]\n    while True:\n        attempt(lambda: v.append(\"x\" * 1000))",
		"across steps":         "[]\n    while True:\n        v.append(\"x\" * 10000)\n        tags.read(\"line/speed\")",
		"in a default":         "[]\n    def g(l=v):\n        l.append(\"x\" * 1000)\n    v = None\n    while True:\n        g()",
		"number squares":       "3\n    while True:\n        v = v * v",
		"number squares in op": "3\n    while True:\n        v *= v",
		"number shifts":        "3\n    while True:\n        v = v << 500",
		"number shifts in op":  "3\n    while True:\n        v <<= 500",
		"number doubling":      "3 << 500\n    for i in range(70000):\n        v += v",
		"number negated":       "3 << 500\n    for i in range(70000):\n        v = v - -v",
		"star arguments":       "[1] * 10000\n    l = []\n    def g(*a):\n        l.append(a)\n    while True:\n        g(*v)",
		"keyword arguments":    "{str(i): i for i in range(1000)}\n    l = []\n    def g(**a):\n        l.append(a)\n    while True:\n        g(**v)",
		"not caught":           "[]\n    while True:\n        attempt(lambda: [1] * 1000000000)",
	}
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			src := "@workflow\ndef w():\n    v = " + attack + "\n"
			stop := peak()
			began := time.Now()
			info, _ := run(t, Options{MaxMemory: most, MaxSteps: 3_000_000}, src)
			took := time.Since(began)
			grown := stop()
			if info.Status != engine.Error || info.Error.Type != "LimitExceeded" || !strings.Contains(info.Error.Traceback, "w.star:") {
				t.Errorf("ended as %s with %+v", info.Status, info.Error)
			}
			// The bound, what may be made between two measurings, and what the
			// collector has not taken yet, which on a busy machine is the most of it.
			if grown > 16*most {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
			if took > 20*time.Second {
				t.Errorf("it took %v", took)
			}
			t.Logf("%v, %.1f MiB: %s", took.Round(time.Millisecond), float64(grown)/(1<<20), info.Error.Message)
		})
	}
}

// TestBoundsLeaveRoom runs scripts that make much, but hold little.
func TestBoundsLeaveRoom(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"garbage": `
    for i in range(20000):
        s = "x" * 10000
        l = [i] * 1000
    return len(s) + len(l)`,
		"one value many times": `
    s = "x" * 1000000
    l = [s] * 1000
    return len([x for x in l if x == s]) + 10000`,
		"comprehension of garbage": `
    return len([len("y" * 20000) for i in range(10000)]) + 1000`,
		"many equal keys": `
    t = (1, 2)
    return len(set([7] * 50000)) + len(set([t, (1, 2)] * 20000)) + len({(i % 3, 1): i for i in range(50000)}) + len(dict([(5, 1)] * 50000)) + 10994`,
		"many keys": `
    d = {}
    for i in range(10000):
        d[i] = i
        d["key %d" % i] = i
        d.setdefault((i, "a"), 1)
    return len(d) // 30000 + len(set(d)) // 30000 + 10998`,
		"one large dict": `
    d = {i: i for i in range(1024)}
    for i in range(300000):
        d[i % 1024] = i
    return len(d) + 9976`,
		"steps in a loop": `
    for i in range(3000):
        s = "x" * 30000
        tags.read("line/speed")
    return 11000`,
		"attempts in comprehensions": `
    def bad(n):
        return [fail("x") if i == 2 else i for i in range(n)]
    for i in range(20000):
        attempt(bad, 5)
    return 11000`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			info, _ := run(t, Options{MaxMemory: 8 << 20}, "@workflow\ndef w():"+body+"\n")
			if got := shown(t, info.Result); got != "11000" {
				t.Errorf("ended as %s %s with %+v", info.Status, got, info.Error)
			}
		})
	}
}

// TestOpenCell makes sure that Starlark's cells are as openCell expects.
func TestOpenCell(t *testing.T) {
	t.Parallel()
	var seen starlark.Value
	look := starlark.NewBuiltin("look", func(t *starlark.Thread, _ *starlark.Builtin, _ starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
		_, seen = t.DebugFrame(1).Local(0)
		return starlark.None, nil
	})
	src := "def f():\n    l = [1, 2]\n    def g():\n        l.append(3)\n    look()\nf()\n"
	if _, err := starlark.ExecFileOptions(options(), &starlark.Thread{}, "x.star", src, starlark.StringDict{"look": look}); err != nil {
		t.Fatal(err)
	}
	v, ok := openCell(seen)
	if !ok || v.String() != "[1, 2]" {
		t.Errorf("the cell %v (%T) holds %v", seen, seen, v)
	}
	if _, ok := openCell(starlark.None); ok {
		t.Error("None was opened")
	}
}
