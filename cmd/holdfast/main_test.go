package main

import (
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"holdfast": main})
}

// TestScript runs one story of a user a file, with the real main.
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOLDFAST_CONFIG", filepath.Join(e.WorkDir, "holdfast.yaml"))
			e.Setenv("HOLDFAST_SOCKET", filepath.Join(e.WorkDir, "s"))
			return nil
		}})
}
