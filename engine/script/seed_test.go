package script

import (
	"os"
	"strings"
	"testing"

	"holdfast/engine"
	"holdfast/journal"
)

// TestSeed runs the listings of the page that workflows originate from, as they
// stand there.
func TestSeed(t *testing.T) {
	t.Parallel()
	p := newPlant()
	f := p.front(t, Options{})
	ws, faults := f.LoadDir("testdata/seed")
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	modes := map[string]engine.CommandMode{}
	for _, w := range ws {
		modes[w.Name] = w.Commands
	}
	if modes["demo.small"] != engine.ByEngine || modes["seed.mailbox"] != engine.ByScript || len(modes) != 3 {
		t.Errorf("workflows and who handles their commands: %v", modes)
	}
	b := boot(t, t.TempDir(), f, journal.Options{}, ws...)
	for workflow, want := range map[string]string{"demo.small": `{"ok":true}`, "seed.retry": "5", "seed.mailbox": "[null,null]"} {
		info := b.result(b.start(workflow))
		if got := shown(t, info.Result); got != want || info.Status != engine.Success {
			t.Errorf("%s: %s %s, %v", workflow, info.Status, got, info.Error)
		}
	}
	if n := p.count("sleep.sleep_chunked"); n != 20 {
		t.Errorf("slept %d times, not 20", n)
	}
}

// TestSeedListings makes sure that the files have the page's lines in them.
func TestSeedListings(t *testing.T) {
	t.Parallel()
	for file, line := range map[string]string{
		"minimal.star": "def demo_small(duration_s=10):",
		"retry.star":   "@step(\n    name=\"my.step\",\n    options={\n        \"retries_allowed\": True,",
		"mailbox.star": "if cmd and cmd.get(\"cmd\") == \"HOLD\":\n            ...\n",
	} {
		text, err := os.ReadFile("testdata/seed/" + file)
		if err != nil || !strings.Contains(string(text), line) {
			t.Errorf("%s lacks %q: %v", file, line, err)
		}
	}
}
