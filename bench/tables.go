package main

import (
	"fmt"
	"slices"
)

// tables are all that -all prints.
func tables() []table {
	perStep := []column{
		{"p50 ms", "p50_ms", 3, false}, {"p99 ms", "p99_ms", 3, false}, {"steps/s", "steps_s", 0, true},
		{"CPU µs a step", "cpu_us_step", 1, false}, {"disk bytes a step", "disk_bytes_step", 0, false},
	}
	short := slices.Concat([]column{{"a run, p50 ms", "run_p50_ms", 2, false}}, perStep, []column{{"runs to move", "behind", 0, false}})
	perStep = append(perStep, column{"write_bytes a step", "written_bytes_step", 0, false})
	bare := []string{"bare-overwrite", "bare-append", "bare-bbolt"}
	ours := []string{"holdfast", "holdfast-script"}
	peers := []string{"dbos-pg", "dbos-sqlite-full", "gowf-sqlite"}
	return []table{
		{title: "One run, a step that is an effect", columns: perStep, rows: rows("-runs 1", bare, ours)},
		{title: "64 runs", columns: perStep, rows: rows("-runs 64", bare[2:], ours)},
		{title: "256 runs", columns: perStep, rows: rows("-runs 256", bare[2:], ours)},
		{title: "Runs of ten steps, one after another", rounds: 3, columns: short, rows: rows("-steps 10 -runs 1", bare, ours, peers)},
		{title: "Runs of ten steps, 64 at once", rounds: 3, columns: short, rows: rows("-steps 10 -runs 64", bare[2:], ours, peers)},
		{title: "Runs of ten steps, 256 at once", rounds: 3, columns: short, rows: rows("-steps 10 -runs 256", bare[2:], ours, peers)},
		{title: "One run, each sync 5 ms longer", rounds: 3, columns: perStep, rows: rows("-sync 5ms -runs 1", bare, ours)},
		{title: "64 runs, each sync 5 ms longer", rounds: 3, columns: perStep, rows: rows("-sync 5ms -runs 64", bare[2:], ours)},
		{
			title: "A lone commit of one record, bytes", rounds: 3,
			columns: []column{
				{"new journal: disk", "new_disk_bytes", 0, false}, {"write_bytes", "new_mean_bytes", 0, false}, {"median", "new_median_bytes", 0, false}, {"counted", "new_counted_bytes", 0, false},
				{"right behind a long run: counted", "behind_counted_bytes", 0, false},
				{"after a long run: disk", "after_disk_bytes", 0, false}, {"write_bytes", "after_mean_bytes", 0, false}, {"median", "after_median_bytes", 0, false}, {"counted", "after_counted_bytes", 0, false},
			},
			rows: []row{{"long run of 200,000 records", "-measure lone -records 200000"}},
		},
		{
			title: "An ended run of ten steps in the history, bytes", rounds: 3,
			columns: []column{{"size", "size_bytes", 0, false}, {"written", "written_bytes", 0, false}, {"runs", "runs", 0, false}},
			rows:    []row{{"holdfast", "-measure history -runs 20000"}},
		},
		{
			title: "Start after kill -9, 1,000 runs with 100,000 records, ms", rounds: 3,
			columns: []column{
				{"journal opened", "open_ms", 0, false}, {"runs read", "recover_ms", 0, false}, {"all replayed", "replay_ms", 0, false}, {"sum", "all_ms", 0, true},
				{"bytes in the log", "log_bytes", 0, false}, {"of these carried on before", "checkpoints", 0, false},
			},
			rows: []row{{"log as it is by default", "-measure restart"}, {"all of it still in the log (64 MiB)", "-measure restart -log 67108864"}},
		},
		{
			title: "A day, from 30 s of real time, MB", rounds: 1,
			columns: []column{
				{"counted", "counted_mb_day", 0, false}, {"write_bytes", "written_mb_day", 0, false}, {"disk", "disk_mb_day", 0, false}, {"CPU %", "cpu_percent", 1, false},
			},
			rows: []row{
				{"1,000 runs that sleep and read, one that writes", "-measure day -load read=1000,write=1 -for 30s"},
			},
		},
	}
}

// rows are measurements of engines in one shape.
func rows(shape string, engines ...[]string) (out []row) {
	for _, some := range engines {
		for _, e := range some {
			args := fmt.Sprintf("-engine %s %s", e, shape)
			if e == "gowf-sqlite" {
				args += " -warm 0s" // a round of many runs takes it longer than the warm-up of all others together
			}
			out = append(out, row{e, args})
		}
	}
	return out
}
