package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// asMain makes this test's program be holdfast, in a process of its own.
const asMain = "HOLDFAST_TEST_AS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"holdfast": main})
}

// TestScript runs one story of a user a file, with the real main.
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: commands(),
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOLDFAST_CONFIG", filepath.Join(e.WorkDir, "holdfast.yaml"))
			e.Setenv("HOLDFAST_SOCKET", filepath.Join(e.WorkDir, "s"))
			e.Setenv("GORACE", "atexit_sleep_ms=10") // not 1 s for each of hundreds of processes, with -race
			e.Values[plcKey{}] = plcs{}
			return nil
		}})
}
