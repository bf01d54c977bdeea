package script

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode"
)

// Passed is a file or folder in a workflows folder that LoadDir passes over for
// its name.
type Passed struct {
	Path string // of the folder joined with the path below it
	Why  string // "its name holds a space"
}

// PassedOver returns the files below dir that look like workflow files and are
// none, and the folders that are not looked into: what is hidden, and what
// editors and file managers leave behind. Files that have nothing to do with
// workflows are not told. What cannot be read is LoadDir's to say.
func PassedOver(dir string) []Passed {
	var all []Passed
	walk(dir, func(string, error) {}, func(name, why string) {
		all = append(all, Passed{filepath.Join(dir, filepath.FromSlash(name)), why})
	})
	return all
}

// readDir reads the workflow files below dir, by their slash-separated path. The
// File of a fault is relative to dir.
func readDir(dir string) (map[string][]byte, []Fault) {
	files := make(map[string][]byte)
	var faults []Fault
	walk(dir, func(name string, err error) {
		var text []byte
		if err == nil {
			text, err = os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		}
		if err == nil {
			files[name] = text
			return
		}
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		faults = append(faults, Fault{File: name, Message: fmt.Sprintf("cannot read: %v", err)})
	}, func(string, string) {})
	return files, faults
}

// walk calls file with the path of each workflow file below dir, or with the
// error that kept it from looking at that path, and passed with each path that
// it passes over. Paths are relative to dir, separated by slashes.
func walk(dir string, file func(name string, err error), passed func(name, why string)) {
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			file(name, err)
			return nil
		}
		if name == "." {
			return nil
		}
		why := unfit(d.Name())
		switch {
		case d.IsDir() && why != "":
			passed(name, why)
			return fs.SkipDir
		case d.IsDir():
		case why != "" && resembles(d.Name()):
			passed(name, why)
		case why == "" && path.Ext(name) == ".star":
			file(name, nil)
		case resembles(d.Name()):
			passed(name, `its name does not end with ".star"`)
		case d.Type()&fs.ModeSymlink != 0:
			if fi, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name))); err == nil && fi.IsDir() {
				passed(name, "it is a link to a folder, which is not followed")
			}
		}
		return nil
	})
	if err != nil { // the walk itself has none: each was told above
		file(".", err)
	}
}

// unfit says why a name is not that of a workflow file, nor of a folder of
// them; "" if it can be.
func unfit(name string) string {
	switch {
	case strings.HasPrefix(name, "."):
		return `its name begins with "."`
	case strings.HasPrefix(name, "#"):
		return `its name begins with "#"`
	case strings.HasSuffix(name, "~"):
		return `its name ends with "~"`
	case strings.ContainsFunc(name, unicode.IsSpace):
		return "its name holds a space"
	}
	return ""
}

// resembles reports whether a name is that of a workflow file, or of a copy of
// one: a.star, a.star~, a.star.bak.
func resembles(name string) bool { return strings.Contains(strings.ToLower(name), ".star") }

// unfitPart returns the first part of a path that is passed over, and why.
func unfitPart(name string) (part, why string) {
	for _, part := range strings.Split(name, "/") {
		if why := unfit(part); why != "" {
			return part, why
		}
	}
	return "", ""
}
