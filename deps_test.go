package holdfast_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "holdfast"

// rule says what a package may import, and why not more.
type rule struct {
	ours   []string // packages of this module
	theirs []string // modules of others
	why    string
}

// rules holds every package. A new one needs a line here, and a reason.
var rules = map[string]rule{
	"gateway/tag":                  {why: "the vocabulary depends on nothing"},
	"gateway":                      {ours: []string{"gateway/tag"}, why: "the gateway sees drivers through its own interfaces, and no workflow"},
	"drivers/modbus":               {ours: []string{"gateway/tag"}, theirs: []string{"github.com/simonvetter/modbus", "golang.org/x/sys"}, why: "a driver never sees the gateway"},
	"drivers/modbus/modbustest":    {theirs: []string{"github.com/simonvetter/modbus"}, why: "a device for tests and the demo shares no code with the driver"},
	"drivers/opcua":                {ours: []string{"gateway/tag"}, theirs: []string{"github.com/gopcua/opcua"}, why: "a driver never sees the gateway"},
	"drivers/opcua/opcuatest":      {ours: []string{"gateway/tag"}, theirs: []string{"github.com/awcullen/opcua"}, why: "a server for tests and the demo shares no code with the driver"},
	"drivers/sim":                  {ours: []string{"gateway/tag", "internal/nearest"}, why: "a driver never sees the gateway"},
	"drivers/drivertest":           {ours: []string{"gateway", "gateway/tag"}, why: "the suite knows the interfaces that drivers meet"},
	"journal/disk":                 {theirs: []string{"golang.org/x/sys"}, why: "files, and nothing of ours"},
	"journal/wal":                  {ours: []string{"journal/disk"}, why: "the log knows nothing of what its frames hold"},
	"journal":                      {ours: []string{"journal/disk", "journal/wal"}, theirs: []string{"github.com/tidwall/btree", "go.etcd.io/bbolt", "golang.org/x/sys"}, why: "to the journal, records are bytes"},
	"journal/journaltest":          {ours: []string{"journal"}, why: "it wraps the journal"},
	"engine/isa88":                 {why: "a pure table"},
	"engine/value":                 {why: "plain values and their encoding"},
	"engine/record":                {ours: []string{"engine/isa88", "engine/value", "journal"}, why: "what a record says, and no rule of a run"},
	"engine/lifecycle":             {ours: []string{"engine/isa88"}, why: "a pure table"},
	"engine/scheduler":             {why: "who has a worker, and nothing of what he does with it"},
	"engine/mailbox":               {ours: []string{"engine/isa88", "engine/record", "engine/value", "journal"}, why: "what waits for a run, and nothing of what it does with it"},
	"engine":                       {ours: []string{"engine/isa88", "engine/lifecycle", "engine/mailbox", "engine/record", "engine/scheduler", "engine/value", "journal", "internal/nearest"}, theirs: []string{"golang.org/x/sync"}, why: "the engine knows steps and the journal, never a tag"},
	"engine/script":                {ours: []string{"engine", "engine/value", "internal/nearest"}, theirs: []string{"go.starlark.net"}, why: "Starlark stays here"},
	"steps":                        {ours: []string{"engine", "engine/value", "gateway/tag", "internal/nearest"}, theirs: []string{"github.com/go-sql-driver/mysql", "github.com/jackc/pgx", "github.com/microsoft/go-mssqldb", "modernc.org/sqlite"}, why: "steps declare the Tags that they need, and do not see the gateway"},
	"configs":                      {why: "what is shipped, embedded for the demo"},
	"internal/config":              {ours: []string{"gateway/tag", "internal/nearest"}, theirs: []string{"go.yaml.in/yaml"}, why: "what only a driver knows comes in as functions"},
	"internal/control":             {ours: []string{"engine", "engine/isa88", "engine/value", "gateway", "gateway/tag", "internal/control/wire", "internal/nearest"}, theirs: []string{"golang.org/x/sys"}, why: "control speaks for the engine and the gateway"},
	"internal/smallfs":             {theirs: []string{"golang.org/x/sys"}, why: "a file system for tests"},
	"internal/nearest":             {why: "words, for error messages"},
	"internal/control/wire":        {ours: []string{"engine", "engine/isa88", "engine/value", "gateway/tag"}, why: "what goes over the socket, for both ends"},
	"internal/control/controltest": {ours: []string{"engine", "engine/isa88", "engine/value", "gateway", "gateway/tag", "internal/control", "internal/control/wire", "journal", "journal/journaltest"}, why: "a server with a stand-in behind it, for tests of both ends"},
	"internal/client":              {ours: []string{"engine", "engine/isa88", "engine/value", "gateway/tag", "internal/control/wire"}, why: "the client knows the socket, and nothing behind it"},
	"internal/cli":                 {ours: []string{"engine", "engine/isa88", "engine/value", "gateway/tag", "internal/client", "internal/control/wire", "internal/nearest"}, theirs: []string{"github.com/spf13/cobra", "github.com/spf13/pflag"}, why: "a verb is a client of the daemon; what runs without one is given to it"},
	"internal/app":                 {ours: []string{"drivers/modbus", "drivers/opcua", "drivers/sim", "engine", "engine/script", "engine/value", "gateway", "gateway/tag", "internal/config", "internal/control", "internal/control/wire", "journal", "steps"}, theirs: []string{"github.com/coreos/go-systemd"}, why: "the composition root"},
	"internal/demo":                {ours: []string{"configs", "drivers/modbus/modbustest", "drivers/opcua/opcuatest", "engine", "engine/isa88", "engine/value", "gateway/tag", "internal/app", "internal/client", "internal/control/wire"}, why: "the demo is a user of the daemon with a plant of its own"},
	"cmd/holdfast":                 {ours: []string{"internal/app", "internal/cli", "internal/demo"}, why: "the program only wires"},
}

// TestLayering reads the sources itself, rather than asking go list, so that
// the go command sees the files that it depends on and caches no stale pass.
func TestLayering(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	walkSources(t, func(name string) {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		pkg := path.Dir(name)
		r, known := rules[pkg]
		if !known {
			t.Errorf("package %s has no line in rules", pkg)
		}
		seen[pkg] = true
		for _, spec := range f.Imports {
			imp, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if imp == "C" {
				t.Errorf("%s: cgo is not allowed: the program cross-compiles", name)
			}
			dep, ours := strings.CutPrefix(imp, module+"/")
			switch {
			case ours && !slices.Contains(r.ours, dep):
				t.Errorf("%s: %s may not import %s: %s", name, pkg, dep, r.why)
			case !ours && strings.Contains(strings.Split(imp, "/")[0], ".") && !slices.ContainsFunc(r.theirs, func(m string) bool { return imp == m || strings.HasPrefix(imp, m+"/") }):
				t.Errorf("%s: %s may not import %s: each library is named in one package", name, pkg, imp)
			}
		}
	})
	for pkg := range rules {
		if !seen[pkg] {
			t.Errorf("rules has a line for %s, which does not exist", pkg)
		}
	}
}

// otherModule reports whether the folder is a module of its own, with rules of its own.
func otherModule(folder string) bool {
	_, err := os.Stat(path.Join(folder, "go.mod"))
	return folder != "." && err == nil
}

// walkSources calls f with every Go file of the module that is no test.
func walkSources(t *testing.T, f func(name string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS("."), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && name != "." || otherModule(name)) {
			return fs.SkipDir
		}
		if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			f(name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
