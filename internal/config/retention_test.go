package config_test

import (
	"testing"
	"time"

	"holdfast/internal/config"
)

// What is kept of ended runs is bounded, also where nobody has said how.
func TestRetention(t *testing.T) {
	t.Parallel()
	usual := config.Retention{Age: 720 * time.Hour, Runs: 100000, Bytes: 1 << 30}
	check(t, "nothing said", good(t, "journal.yaml").Engine.Retention, usual)
}
