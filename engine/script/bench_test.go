package script

import (
	"context"
	"testing"
	"time"

	"go.starlark.net/starlark"

	"holdfast/engine"
	"holdfast/engine/value"
	"holdfast/journal"
)

// BenchmarkLiveStep is one effect-free step of a run, from the script to the
// journal and back.
func BenchmarkLiveStep(b *testing.B) {
	f := newPlant().front(b, Options{})
	ws := mustLoad(b, f, map[string]string{"w.star": "@workflow\ndef w(n):\n    for i in range(n):\n        tags.read(\"line/speed\")\n"})
	bx := boot(b, b.TempDir(), f, journal.Options{}, ws...)
	b.ReportAllocs()
	b.ResetTimer()
	if info := bx.result(bx.start("w", "n", int64(b.N))); info.Status != engine.Success {
		b.Fatal(info.Error)
	}
}

// BenchmarkReplay is one recorded step of a run of 10,000 that comes back
// after a restart.
func BenchmarkReplay(b *testing.B) {
	const steps = 10_000
	files := map[string]string{"w.star": "@workflow\ndef w():\n    for i in range(10000):\n        tags.write_confirm(\"line/speed\", i % 2)\n    getWorkflows().recv(\"go\", 3600)\n    getWorkflows().setEvent(\"done\", 1)\n    getWorkflows().recv(\"end\", 3600)\n"}
	dir := b.TempDir()
	p := newPlant()
	f := p.front(b, Options{})
	bx := boot(b, dir, f, journal.Options{}, mustLoad(b, f, files)...)
	id := bx.start("w")
	bx.await(id, func(engine.RunInfo) bool { return p.count("tags.write_confirm") == steps })
	if _, err := bx.e.Send(b.Context(), id, engine.Message{Topic: "go", Body: value.AppendNil(nil)}); err != nil {
		b.Fatal(err)
	}
	bx.await(id, func(i engine.RunInfo) bool { return i.Events["done"] != nil })
	var spent time.Duration
	for range b.N {
		bx.shutdown()
		f = p.front(b, Options{})
		ws := mustLoad(b, f, files)
		began := time.Now()
		bx = boot(b, dir, f, journal.Options{}, ws...)
		bx.await(id, func(i engine.RunInfo) bool { return i.Events["done"] != nil && i.Recoveries > 0 })
		spent += time.Since(began)
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N)/steps, "ns/step")
}

// BenchmarkCall is what a call of a step costs here: binding its arguments,
// encoding them, decoding its result.
func BenchmarkCall(b *testing.B) {
	f := newPlant().front(b, Options{})
	fn := f.builtin["tags.write_confirm"]
	args := starlark.Tuple{starlark.String("line/speed"), starlark.MakeInt(7)}
	kwargs := []starlark.Tuple{{starlark.String("timeout_ms"), starlark.MakeInt(5000)}}
	res, err := value.Encode(value.NewMap("ok", true, "confirmed", true, "write_quality", "Good"))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fn.bind(args, kwargs); err != nil {
			b.Fatal(err)
		}
		if _, err := decode(res, DefaultMaxMemory); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoop compares guarded operations with those that stay as they are.
func BenchmarkLoop(b *testing.B) {
	for name, body := range map[string]string{
		"add a literal":  "x = i + 1",
		"add a variable": "x = i + n",
		"add in place":   "x += n",
		"compare":        "x = i == n",
		"text":           "x = \"loop %s\" % i",
		"list":           "x = [i, n]",
		"comprehension":  "x = [j for j in (1, 2, 3)]",
		"items":          "x = d.items()",
	} {
		b.Run(name, func(b *testing.B) {
			f := newPlant().front(b, Options{MaxSteps: 1 << 60})
			l := newLibrary(f, map[string][]byte{"a.star": []byte("def f(n):\n    x = 0\n    d = {\"a\": 1}\n    for i in range(n):\n        " + body + "\n")})
			u := &unit{entry: "a.star"}
			ex := execution{library: l, unit: u, modules: map[string]starlark.StringDict{}}
			fn := ex.module("a.star")["f"]
			t := &starlark.Thread{}
			f.limit(context.Background(), t)
			b.ReportAllocs()
			b.ResetTimer()
			if _, err := starlark.Call(t, fn, starlark.Tuple{starlark.MakeInt(b.N)}, nil); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkLoad is loading a folder of 20 files that share one.
func BenchmarkLoad(b *testing.B) {
	files := map[string]string{"lib.star": "def clamp(v, lo, hi):\n    return max(lo, min(hi, v))\n"}
	for _, n := range "abcdefghijklmnopqrs" {
		files[string(n)+".star"] = "from lib import clamp\n@workflow(name=\"" + string(n) + "\")\ndef w(n=3):\n    for i in range(n):\n        r = tags.read(\"line/speed\")\n        if r[\"value\"] > clamp(i, 0, 5):\n            tags.write(\"line/speed\", i)\n    return {\"ok\": True}\n"
	}
	f := newPlant().front(b, Options{})
	dir := writeFiles(b, files)
	for b.Loop() {
		if _, faults := f.LoadDir(dir); len(faults) > 0 {
			b.Fatal(faults)
		}
	}
}
