package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"holdfast/gateway/tag"
	"holdfast/internal/config"
)

// good loads a file of testdata/good, which has no fault.
func good(t *testing.T, name string) *config.Config {
	t.Helper()
	c, fs := config.Load(filepath.Join("testdata/good", name), drivers())
	for _, f := range fs {
		t.Error(f)
	}
	if c == nil {
		t.Fatal("no configuration")
	}
	return c
}

func tagOf(t *testing.T, c *config.Config, path tag.Path) config.Tag {
	t.Helper()
	for _, tg := range c.Tags {
		if tg.Path == path {
			return tg
		}
	}
	t.Fatalf("no tag %s", path)
	return config.Tag{}
}

func TestGood(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no good files", err)
	}
	for _, file := range files {
		good(t, filepath.Base(file))
	}
}

func TestJournal(t *testing.T) {
	t.Parallel()
	check(t, "journal", good(t, "journal.yaml").Journal, config.Journal{Memory: 256 << 10, Reserve: 128 << 10})
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := good(t, "minimal.yaml")
	dir, err := filepath.Abs("testdata/good")
	if err != nil {
		t.Fatal(err)
	}
	check(t, "data_dir", c.DataDir, "/var/lib/holdfast")
	check(t, "workflows", c.WorkflowsDir, filepath.Join(dir, "workflows"))
	check(t, "socket", c.API.Socket, "/run/holdfast/holdfast.sock")
	check(t, "workers", c.Engine.Workers, 1000)
	check(t, "startup_grace", c.Engine.StartupGrace, 30*time.Second)
	check(t, "stale_after", c.Engine.StaleAfter, time.Minute)
	check(t, "journal", c.Journal, config.Journal{})
	check(t, "queues", len(c.Engine.Queues), 1)
	check(t, "queue", c.Engine.Queues[0].Name, "default")
	var scan []string
	for _, s := range c.ScanClasses {
		scan = append(scan, s.Name+" "+s.Period.String())
	}
	check(t, "scan classes", strings.Join(scan, ", "), "fast 100ms, normal 1s, slow 10s")
}

func check[V comparable](t *testing.T, what string, got, want V) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// TestText holds that no text passes through YAML's idea of its type.
func TestText(t *testing.T) {
	t.Parallel()
	c := good(t, "text.yaml")
	for path, want := range map[tag.Path]string{
		"1.50": "00101", "007": "40001", "bits": "40021.10", "10.10": "10.10", "yes": "no", "node": "ns=2;i=0042",
	} {
		check(t, string(path), tagOf(t, c, path).Address, want)
	}
	check(t, "units", tagOf(t, c, "007").Units, "1.0")
	check(t, "connection", tagOf(t, c, "yes").Connection, "null")
	check(t, "type of a coil", tagOf(t, c, "1.50").Type, tag.TypeBool)
	check(t, "type of a node", tagOf(t, c, "node").Type, tag.TypeAny)
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	c := good(t, "numbers.yaml")
	check(t, "own order", tagOf(t, c, "own").Order, tag.CDAB)
	check(t, "inherited order", tagOf(t, c, "inherited").Order, tag.DCBA)
	check(t, "order of one register", tagOf(t, c, "u16").Order, "")
	check(t, "period", tagOf(t, c, "u16").Period, 10*time.Millisecond)
	check(t, "default period", tagOf(t, c, "u64").Period, time.Second)
	line := tagOf(t, c, "line").Scale
	check(t, "factor", line.Factor, 0.0125)
	check(t, "offset", line.Offset, -100)
	check(t, "4 mA", 4000*line.Factor+line.Offset, -50)
	check(t, "20 mA", 20000*line.Factor+line.Offset, 150)
	check(t, "least unit", c.Connections[1].Modbus.UnitID, 0)
	check(t, "late answer over TCP", c.Connections[0].Modbus.LateAnswer, 0)
	check(t, "late answer", c.Connections[2].Modbus.LateAnswer, time.Minute)
	check(t, "default late answer", c.Connections[3].Modbus.LateAnswer, 5*time.Second)
	check(t, "reconnect", c.Connections[0].Reconnect, config.Reconnect{Min: 30 * time.Second, Max: 30 * time.Second})

	rule := tagOf(t, c, "guarded").Write
	check(t, "kind", rule.Kind, tag.Increment)
	want := []tag.Value{tag.Bool(false), tag.Uint(1<<64 - 1), tag.Float(12.5), tag.String("0010"), tag.Float(1)}
	for i, lock := range rule.Interlocks {
		if !lock.Equals.Equal(want[i]) || lock.Equals.Kind() != want[i].Kind() {
			t.Errorf("interlock %s: %v, want %v", lock.Tag, lock.Equals, want[i])
		}
	}
	check(t, "max_age", rule.Interlocks[0].MaxAge, 500*time.Millisecond)
	check(t, "default max_age", rule.Interlocks[1].MaxAge, 2*time.Second)
	if u := tagOf(t, c, "u16").Write; *u.Min != 0 || *u.Max != 65535 || *u.MaxStep != 0.5 {
		t.Errorf("guards %v %v %v", *u.Min, *u.Max, *u.MaxStep)
	}
	if rule.Min != nil || rule.Max != nil || rule.MaxStep != nil {
		t.Error("a guard that nobody asked for")
	}
}

func TestOPCUA(t *testing.T) {
	t.Parallel()
	c := good(t, "opcua.yaml")
	dir, err := filepath.Abs("testdata/good")
	if err != nil {
		t.Fatal(err)
	}
	check(t, "data_dir", c.DataDir, filepath.Join(dir, "data"))
	check(t, "workflows", c.WorkflowsDir, filepath.Join(dir, "flows"))
	check(t, "socket", c.API.Socket, filepath.Join(dir, "run/h.sock"))
	check(t, "database", c.Databases[0].DSN, filepath.Join(dir, "data/plant.db"))
	check(t, "database by URI", c.Databases[1].DSN, "file:/tmp/x.db?mode=ro")

	timeouts := config.Timeouts{Connect: 5 * time.Second, Request: 4 * time.Second, Session: time.Minute}
	none := config.OPCUA{Security: config.Security{Policy: "None", Mode: "None"}, Subscribe: true, Silence: 10 * time.Second, Timeouts: timeouts}
	check(t, "plain", c.Connections[0].OPCUA, none)
	none.Subscribe = false
	check(t, "open", c.Connections[1].OPCUA, none)
	check(t, "secure", c.Connections[2].OPCUA.Security, config.Security{Policy: "Basic256Sha256", Mode: "SignAndEncrypt", ServerCert: "trusted"})
	check(t, "user", c.Connections[2].OPCUA.Auth, config.Auth{User: "edge", PasswordCredential: "press"})
	check(t, "pinned", c.Connections[3].OPCUA, config.OPCUA{
		Security: config.Security{Policy: "Aes256Sha256RsaPss", Mode: "Sign",
			ServerCert: "fingerprint:abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"},
		Auth:      config.Auth{Cert: filepath.Join(dir, "user.pem"), KeyCredential: "key"},
		Subscribe: true, Silence: 5 * time.Second,
		Timeouts: config.Timeouts{Connect: time.Second, Request: 2 * time.Second, Session: 3 * time.Second},
	})
	locks := tagOf(t, c, "any").Write.Interlocks
	for i, want := range []tag.Value{tag.String("run"), tag.Int(3), tag.Bool(true)} {
		if !locks[i].Equals.Equal(want) {
			t.Errorf("interlock %d: %v, want %v", i, locks[i].Equals, want)
		}
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	c := good(t, "csv.yaml")
	check(t, "tags", len(c.Tags), 4)
	check(t, "address", tagOf(t, c, "a/speed").Address, "00101")
	level := tagOf(t, c, "a/level")
	check(t, "units", level.Units, "%, of all")
	check(t, "factor", level.Scale.Factor, 100.0/27648)
	check(t, "max", *level.Write.Max, 95)
	check(t, "interlock", level.Write.Interlocks[0].Tag, "a/speed")
	check(t, "place", level.Pos.String(), "testdata/good/tags/line1.csv:4:1")
	if tagOf(t, c, "a/temp").Write != nil {
		t.Error("a tag without a write column is writable")
	}
	check(t, "CRLF and byte order mark", tagOf(t, c, "b/run").Address, "10001")
}

func TestParts(t *testing.T) {
	t.Parallel()
	c := good(t, "parts/holdfast.yaml")
	check(t, "workers", c.Engine.Workers, 5)
	check(t, "stale_after", c.Engine.StaleAfter, 5*time.Second)
	check(t, "connections", len(c.Connections), 2)
	var paths []string
	for _, tg := range c.Tags {
		paths = append(paths, string(tg.Path))
	}
	check(t, "tags", strings.Join(paths, " "), "a b c d")
	check(t, "allow", strings.Join(c.HTTPAllow, " "), "https://a.example.com/ https://b.example.com/")
	check(t, "place", tagOf(t, c, "d").Pos.String(), "testdata/good/parts/conf.d/more.csv:2:1")
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	got := faults(t, "testdata/many/holdfast.yaml")
	data, err := os.ReadFile("testdata/many/want.txt")
	if err != nil {
		t.Fatal(err)
	}
	check(t, "faults", strings.Join(got, "\n")+"\n", string(data))
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]string{
		"testdata/nowhere.yaml": "testdata/nowhere.yaml: cannot be read: no such file or directory",
		"testdata":              "testdata: cannot be read: not a file",
	} {
		c, fs := config.Load(file, nil)
		if c != nil || len(fs) != 1 || fs[0].String() != want {
			t.Errorf("%s: got %v, want %s", file, fs, want)
		}
	}
}

// TestContract loads the example of the contract: of later features it says so
// by name, and of all else it has nothing to say.
func TestContract(t *testing.T) {
	t.Parallel()
	check(t, "faults", strings.Join(faults(t, "testdata/contract.yaml"), "\n"), strings.Join([]string{
		"9:3: api.http is not available yet",
		"19:5: engine.queues.filler is not available yet",
		"40:5: connections.plc1.demote is not available yet",
	}, "\n"))
}

func TestCredential(t *testing.T) {
	c := good(t, "opcua.yaml")
	got, err := c.Credential("press")
	if err != nil || got != "secret-of-press" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, name := range []string{"nowhere", "", "..", "../user.pem", "a/b"} {
		if got, err := c.Credential(name); err == nil {
			t.Errorf("credential %q: got %q", name, got)
		}
	}
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if got, err := c.Credential("press"); err == nil {
		t.Errorf("read %q beside the configuration, in spite of $CREDENTIALS_DIRECTORY", got)
	}
	if err := os.WriteFile(filepath.Join(dir, "press"), []byte("from systemd\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Credential("press"); err != nil || got != "from systemd" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Credential("empty"); err == nil {
		t.Error("an empty credential")
	}
}

// TestBombs holds that small files that unfold into large ones stay small.
func TestBombs(t *testing.T) {
	t.Parallel()
	var laughs strings.Builder
	laughs.WriteString("version: 1\nl0: &l0 [ha]\n")
	for i := range 50 {
		fmt.Fprintf(&laughs, "l%d: &l%d [%s*l%d]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*l%d, ", i), 9), i)
	}
	for name, text := range map[string]string{
		"aliases":       laughs.String(),
		"alias in list": "version: 1\nhttp:\n  allow: [" + strings.Repeat("*a, ", 1000) + "]\n",
		"brackets":      "version: 1\nhttp: " + strings.Repeat("[", 50000),
		"braces":        "version: 1\nhttp: " + strings.Repeat("{a: ", 5000) + strings.Repeat("}", 5000) + "\n",
		"indents":       "version: 1\nhttp:\n" + strings.Repeat("- ", 20000),
	} {
		file := filepath.Join(t.TempDir(), "holdfast.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, fs := config.Load(file, drivers()); len(fs) == 0 {
			t.Errorf("%s: no fault", name)
		}
	}
}
