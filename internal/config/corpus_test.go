package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/drivers/modbus"
	"holdfast/drivers/opcua"
	"holdfast/drivers/sim"
	"holdfast/gateway/tag"
	"holdfast/internal/config"
)

// drivers are the checks that the daemon passes.
func drivers() map[string]config.DriverChecks {
	return map[string]config.DriverChecks{
		config.DriverModbus: {Address: modbus.CheckItem, URL: modbus.CheckURL},
		config.DriverOPCUA: {URL: opcua.CheckURL, Address: func(addr string, _ tag.Type, _ tag.Order, _ int, _ bool) error {
			return opcua.CheckAddress(addr)
		}},
		config.DriverSim: {Address: func(addr string, typ tag.Type, _ tag.Order, _ int, writable bool) error {
			return sim.CheckAddress(addr, typ, writable)
		}},
	}
}

// faults loads a file and returns its faults as the files of the corpus name
// them: without their folder, and without the file's own name.
func faults(t *testing.T, file string) []string {
	t.Helper()
	_, fs := config.Load(file, drivers())
	dir := filepath.Dir(file) + string(filepath.Separator)
	var got []string
	for _, f := range fs {
		s := strings.ReplaceAll(f.String(), dir, "")
		got = append(got, strings.TrimPrefix(s, filepath.Base(file)+":"))
	}
	return got
}

// TestBad holds each file of testdata/bad to its first line: the one fault
// that it has, with its place and its exact message.
func TestBad(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	folders, err := filepath.Glob("testdata/bad/*/holdfast.yaml")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, folders...)
	if len(files) < 60 {
		t.Fatalf("%d bad files, want 60 or more", len(files))
	}
	messages := map[string]string{}
	for _, file := range files {
		t.Run(strings.TrimPrefix(file, "testdata/bad/"), func(t *testing.T) {
			want := firstLine(t, file)
			got := faults(t, file)
			if len(got) != 1 || got[0] != want {
				t.Errorf("got:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), want)
			}
			if other, twice := messages[want]; twice {
				t.Errorf("the same fault as in %s", other)
			}
			messages[want] = file
			if strings.Contains(fmt.Sprint(got), "hunter") {
				t.Error("the message shows a secret")
			}
		})
	}
}

func firstLine(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(data), "\n")
	want, ok := strings.CutPrefix(line, "# want: ")
	if !ok {
		t.Fatalf("%s does not begin with # want:", file)
	}
	return want
}
