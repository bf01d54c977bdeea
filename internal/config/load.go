package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"holdfast/gateway/tag"
)

// maxFile is the greatest file that is read, in bytes: some 500,000 tags.
const maxFile = 64 << 20

// DriverChecks is what only a driver knows about the words of its
// configuration. A nil function accepts everything.
type DriverChecks struct {
	// Address checks an address against the rest of the tag; typ is TypeAny
	// for a tag that names none, order is "" for the default. The error says
	// what is wrong with which value and what is allowed, without the tag's path.
	Address func(addr string, typ tag.Type, order tag.Order, length int, writable bool) error
	// URL checks a connection's URL.
	URL func(url string) error
}

// Load reads the configuration in file, the files conf.d/*.yaml beside it, and
// the CSV files that they name. It returns all faults of all files, in the order
// of file, line and column; with any of them the configuration is not to be
// used. The Config is nil only where file itself could not be read. drivers
// holds the checks of each driver by its name.
func Load(file string, drivers map[string]DriverChecks) (*Config, []Fault) {
	d := &decoder{places: map[path]place{}, bad: map[path]bool{}}
	t, c := newTables(), &Config{File: file}
	t.root.absent(c)
	if !d.yaml(file, t.root, c) {
		return nil, sortFaults(d.faults)
	}
	mainDir := d.dir
	for _, name := range d.parts(file) {
		if !d.yaml(name, t.root, c) {
			d.lost = true
		}
	}
	for _, s := range c.sources {
		d.csv(s, t, c)
	}
	c.complete(mainDir)
	d.check(c, drivers)
	return c, sortFaults(d.faults)
}

// parts lists the files of conf.d beside the main one.
func (d *decoder) parts(main string) (files []string) {
	dir := filepath.Join(filepath.Dir(main), "conf.d")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.faults = append(d.faults, Fault{File: dir, Message: "cannot be read: " + cause(err)})
		d.lost = true
	}
	for _, e := range entries {
		name := e.Name()
		switch {
		case strings.HasPrefix(name, "."): // an editor's
		case filepath.Ext(name) == ".yaml":
			files = append(files, filepath.Join(dir, name))
		case filepath.Ext(name) == ".yml":
			d.faults = append(d.faults, Fault{File: filepath.Join(dir, name), Message: "not read, allowed the ending .yaml"})
		}
	}
	return files
}

// yaml adds one file to c. It returns false where the file cannot be read.
func (d *decoder) yaml(file string, root kind[Config], c *Config) bool {
	data, dir, ok := d.open(file)
	if !ok {
		return false
	}
	doc, fault := parse(file, data)
	if fault != nil {
		d.faults = append(d.faults, *fault)
		return false
	}
	if doc == nil || isNull(doc) { // the parser puts what is not there below the end
		doc = &yaml.Node{Kind: yaml.MappingNode, Line: 1, Column: 1}
	}
	d.file, d.dir = file, dir
	if !d.given("") {
		d.places[""] = place{d.pos(doc), d.pos(doc)}
	}
	if d.simple("", doc) {
		root.decode(d, "", doc, c)
	}
	return true
}

// open reads a file, and returns the absolute name of its folder.
func (d *decoder) open(file string) (data []byte, dir string, ok bool) {
	data, err := read(file)
	if err == nil {
		dir, err = filepath.Abs(filepath.Dir(file))
	}
	if err != nil {
		d.faults = append(d.faults, Fault{File: file, Message: "cannot be read: " + cause(err)})
		return nil, "", false
	}
	return data, dir, true
}

func read(file string) (data []byte, err error) {
	if st, err := os.Stat(file); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, errors.New("not a file")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, maxFile+1))
	if len(data) > maxFile {
		return nil, fmt.Errorf("more than %d bytes", maxFile)
	}
	return data, err
}

// cause returns what the system said, without the file's name, which the fault
// has already.
func cause(err error) string {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err.Error()
	}
	return err.Error()
}

// complete fills in what no single key says.
func (c *Config) complete(dir string) {
	for _, p := range []*string{&c.WorkflowsDir, &c.DataDir, &c.API.Socket} {
		if !filepath.IsAbs(*p) {
			*p = filepath.Join(dir, *p)
		}
	}
	for i, b := range builtinScanClasses() {
		if !slices.ContainsFunc(c.ScanClasses, func(s ScanClass) bool { return s.Name == b.Name }) {
			b.Pos = Pos{File: c.File}
			c.ScanClasses = slices.Insert(c.ScanClasses, min(i, len(c.ScanClasses)), b)
		}
	}
	if !slices.ContainsFunc(c.Engine.Queues, func(q Queue) bool { return q.Name == "default" }) {
		c.Engine.Queues = append(c.Engine.Queues, Queue{Name: "default", Pos: Pos{File: c.File}})
	}
	for i := range c.Databases {
		b := &c.Databases[i]
		if b.Driver == "sqlite" && b.DSN != "" && !strings.HasPrefix(b.DSN, "file:") && b.DSN != ":memory:" && !filepath.IsAbs(b.DSN) {
			b.DSN = filepath.Join(c.DataDir, b.DSN)
		}
	}
}
