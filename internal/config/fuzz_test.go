package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"holdfast/internal/config"
)

// FuzzLoad holds that no file makes Load panic, that what it refuses has a
// place within the file, and that messages are one line.
func FuzzLoad(f *testing.F) {
	for _, glob := range []string{"testdata/*.yaml", "testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		files, err := filepath.Glob(glob)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(data), "path,connection,address,scale.raw\na,plc1,holding:1,\"[1, 2]\"\n")
		}
	}
	f.Fuzz(func(t *testing.T, main, csv string) {
		dir := t.TempDir()
		file := filepath.Join(dir, "holdfast.yaml")
		for name, text := range map[string]string{"holdfast.yaml": main, "tags.csv": csv} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, text := range []string{main, main + "\ntags_from: [tags.csv]\n"} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			c, fs := config.Load(file, drivers())
			if c == nil && len(fs) == 0 {
				t.Fatal("neither a configuration nor a fault")
			}
			for _, fault := range fs {
				lines := strings.Count(text, "\n") + strings.Count(text, "\r") + 1
				if fault.File == file && (fault.Line < 1 || fault.Col < 1 || fault.Line > lines && !strings.ContainsAny(text, "\u0085\u2028\u2029")) {
					t.Errorf("no place in the file: %s", fault)
				}
				if strings.ContainsAny(fault.Message, "\n\r") {
					t.Errorf("more than one line: %q", fault.Message)
				}
			}
		}
	})
}
