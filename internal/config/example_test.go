package config_test

import (
	"testing"

	"holdfast/gateway/tag"
	"holdfast/internal/config"
)

const example = "../../configs/holdfast.yaml"

// TestExample holds the example that is shipped to the checks of the daemon.
func TestExample(t *testing.T) {
	t.Parallel()
	c, fs := config.Load(example, drivers())
	for _, f := range fs {
		t.Error(f)
	}
	if c == nil {
		t.Fatal("no configuration")
	}
	tags := map[tag.Path]config.Tag{}
	for _, tg := range c.Tags {
		tags[tg.Path] = tg
	}
	for _, path := range []tag.Path{"filler/speed_sp", "line1/tank/level_sp", "bench/level", "press/force"} {
		if _, ok := tags[path]; !ok {
			t.Errorf("no tag %s", path)
		}
	}
	kinds := map[string]bool{}
	for _, conn := range c.Connections {
		kinds[conn.Driver] = true
	}
	if len(kinds) != 3 {
		t.Errorf("the example shows the drivers %v, want all three", kinds)
	}
}
