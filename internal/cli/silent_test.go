package cli_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/internal/control/controltest"
)

// TestEveryVerbAtSilentDaemon: no verb waits for ever for a daemon that takes
// connections and never answers.
func TestEveryVerbAtSilentDaemon(t *testing.T) {
	t.Parallel()
	socket := controltest.Socket(t)
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	d := deps(socket)
	d.Patience = 50 * time.Millisecond
	for line, code := range map[string]int{
		"hold r": 6, "resume r": 6, "stop r": 6, "abort r": 6, "reset r": 6, "hold r --wait 1h": 6, "stop --all": 6, "cancel r": 6,
		"resolve r done": 6, "send r GO": 6, "start w": 6, "start w --wait": 6, "tags write a 1": 6,
		"status": 3, "workflows": 3, "runs": 3, "show r": 3, "steps r": 3, "logs r": 3, "logs -f r": 3, "tags list": 3, "tags read a": 3, "tags watch a": 3,
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			runIn(t.Context(), d, "", strings.Fields(line)...).want(t, code, "", "the daemon at "+socket+" takes requests and does not answer")
		})
	}
}
