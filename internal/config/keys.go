package config

import (
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

const day = 24 * time.Hour

// tables are the keys of the whole file. They are built once a Load: the kind
// of tags is needed again for the CSV files.
type tables struct {
	root kind[Config]
	tags kind[[]Tag]
	tag  kind[Tag]
}

func newTables() tables {
	t := tables{tag: tagKeys()}
	t.tags = tagsOf(t.tag)
	version := scalar("1", schema{"const": 1}, func(t text) (int, bool) { return 1, t.plain && t.value == "1" })
	t.root = object(
		must(at("version", "The version of this format.", merged(version), func(c *Config) *int { return &c.Version })),
		at("data_dir", "Folder of the journal and of the OPC UA certificates.",
			or(filePath("a folder"), "/var/lib/holdfast", "/var/lib/holdfast"), func(c *Config) *string { return &c.DataDir }),
		at("workflows", "Folder of the *.star files, relative to this file.",
			or(filePath("a folder"), "workflows", "workflows"), func(c *Config) *string { return &c.WorkflowsDir }),
		at("api", "Where the daemon listens.", merged(apiKeys()), func(c *Config) *API { return &c.API }),
		at("engine", "The workflow engine.", merged(engineKeys()), func(c *Config) *Engine { return &c.Engine }),
		at("journal", "The record of all runs.", merged(journalKeys()), func(c *Config) *Journal { return &c.Journal }),
		at("scan_classes", "The paces at which tags are read. fast (100ms), normal (1s, the default class) and slow (10s) are built in.",
			scanClasses(), func(c *Config) *[]ScanClass { return &c.ScanClasses }),
		at("connections", "The devices, by name.", connections(), func(c *Config) *[]Connection { return &c.Connections }),
		at("tags", "The tags, by path: segments of [A-Za-z0-9_.-] joined by /.", t.tags, func(c *Config) *[]Tag { return &c.Tags }),
		at("tags_from", "CSV files of tags, relative to this file: the keys of a tag as columns, nested ones with a dot (write.kind), and path.",
			merged(listOf(tagSource())), func(c *Config) *[]source { return &c.sources }),
		at("databases", "What db.query and db.update may name.", databases(), func(c *Config) *[]Database { return &c.Databases }),
		at("http", "What http.request may do.", merged(object(
			at("allow", "URL prefixes that http.request may go to. Empty: anywhere.", merged(listOf(urlPrefix())),
				func(c *Config) *[]string { return &c.HTTPAllow }))), func(c *Config) *Config { return c }),
	)
	return t
}

// filePath is the name of a file or folder; a relative one starts from the
// folder of the file that it stands in.
func filePath(what string) kind[string] {
	k := words(what)
	inner := k.decode
	k.decode = func(d *decoder, p path, n *yaml.Node, v *string) {
		inner(d, p, n, v)
		if !d.bad[p] && !filepath.IsAbs(*v) {
			*v = filepath.Join(d.dir, *v)
		}
	}
	return k
}

func apiKeys() kind[API] {
	type listen struct{ addr string }
	const socket = "/run/holdfast/holdfast.sock"
	return object(
		at("socket", "The unix socket, the CLI's way in. Mode 0660; at most 107 bytes.",
			or(filePath("a file"), socket, socket), func(a *API) *string { return &a.Socket }),
		later[API]("http", "Web page, REST and metrics.", object(
			must(at("listen", "host:port", words("host:port"), func(l *listen) *string { return &l.addr })))),
	)
}

func engineKeys() kind[Engine] {
	return object(
		at("workers", "Runs executing at once; others wait in their queue.",
			or(whole[int](1, 100000), 1000, 1000), func(e *Engine) *int { return &e.Workers }),
		at("startup_grace", "How long a step waits for a link that has not been up since start.",
			period(0, day, 30*time.Second), func(e *Engine) *time.Duration { return &e.StartupGrace }),
		at("stale_after", "An interrupted write older than this is never sent again by itself.",
			period(0, 365*day, time.Minute), func(e *Engine) *time.Duration { return &e.StaleAfter }),
		at("retention", "What is kept of runs that have ended. What is more is removed in the background, the oldest first.", object(
			at("age", "How long after its end.", period(time.Minute, 100*365*day, 720*time.Hour), func(r *Retention) *time.Duration { return &r.Age }),
			at("runs", "How many.", or(whole[int](1, 1<<31-1), 100000, 100000), func(r *Retention) *int { return &r.Runs }),
			at("bytes", "Of history.db in use.", or(byteSize(mib, 1<<40), 1<<30, "1GiB"), func(r *Retention) *int64 { return &r.Bytes }),
			later[Retention]("abandon_after", "When a run that waits for an operator is given up.", duration(0, 100*365*day))), func(e *Engine) *Retention { return &e.Retention }),
		at("queues", "The queues, by name.", queues(), func(e *Engine) *[]Queue { return &e.Queues }),
	)
}

const kib, mib = 1 << 10, 1 << 20

func journalKeys() kind[Journal] {
	return object(
		at("memory", "What is recorded gathers in memory, and in a log of three segments, each of this size, before it goes into journal.db. Less by default on a small file system. A log that is there keeps its size.",
			or(byteSize(256*kib, 256*mib), 0, "8MiB"), func(j *Journal) *int64 { return &j.Memory }),
		at("reserve", "How much of a segment is kept so that HOLD, STOP, ABORT, answers and safe states are recorded on a full disk. At most half of memory.",
			or(byteSize(64*kib, 128*mib), 0, "4MiB"), func(j *Journal) *int64 { return &j.Reserve }),
	)
}

func queues() kind[[]Queue] {
	type rate struct {
		limit int
		per   time.Duration
	}
	one := object(
		later[Queue]("concurrency", "Runs of this queue executing at once.", whole[int](1, 100000)),
		later[Queue]("rate", "Starts of runs in a time.", object(
			must(at("limit", "", whole[int](1, 1<<31-1), func(r *rate) *int { return &r.limit })),
			must(at("per", "", duration(time.Millisecond, 365*day), func(r *rate) *time.Duration { return &r.per })))),
	)
	inner := one.decode
	one.decode = func(d *decoder, p path, n *yaml.Node, q *Queue) {
		if q.Name != "default" {
			d.unavailable(p)
			return
		}
		inner(d, p, n, q)
	}
	return named(isName, nameAllowed, namePattern, one, func(q *Queue, name string, at Pos) { q.Name, q.Pos = name, at })
}

func scanClasses() kind[[]ScanClass] {
	return named(isName, nameAllowed, namePattern, object(
		must(at("period", "", duration(10*time.Millisecond, day), func(s *ScanClass) *time.Duration { return &s.Period })),
	), func(s *ScanClass, name string, at Pos) { s.Name, s.Pos = name, at })
}

func tagSource() kind[source] {
	file := filePath("a CSV file")
	return kind[source]{
		decode: func(d *decoder, p path, n *yaml.Node, s *source) {
			file.decode(d, p, n, &s.file)
			s.shown, s.path = filepath.Join(filepath.Dir(d.file), n.Value), p
			if filepath.IsAbs(n.Value) {
				s.shown = n.Value
			}
		},
		schema: file.schema,
	}
}

func databases() kind[[]Database] {
	const allowed = "allowed a data source name; with a password in it, put it into a credential and name that by dsn_credential"
	return named(isName, nameAllowed, namePattern, object(
		must(at("driver", "", oneOf([]string{"sqlite", "postgres", "mysql", "sqlserver"}, same), func(b *Database) *string { return &b.Driver })),
		at("dsn", "Of sqlite only: a file below data_dir, or a URI file:….", unshown(words(""), allowed), func(b *Database) *string { return &b.DSN }),
		at("dsn_credential", "The credential that holds the data source name, for all but sqlite.", credential(), func(b *Database) *string { return &b.DSNCredential }),
		at("exactly_once", "Updates record run and step in the same transaction.", or(truth(), false, false), func(b *Database) *bool { return &b.ExactlyOnce }),
		refused[Database]("password", "secrets are never inline, put the whole data source name into a credential and name it by dsn_credential"),
	), func(b *Database, name string, at Pos) { b.Name, b.Pos = name, at })
}

// hasUser reports whether a URL names a user, and so maybe a password.
func hasUser(url string) bool {
	_, rest, ok := strings.Cut(url, "://")
	if !ok {
		rest = url
	}
	host, _, _ := strings.Cut(rest, "/")
	return strings.Contains(host, "@")
}

func builtinScanClasses() []ScanClass {
	return []ScanClass{{Name: "fast", Period: 100 * time.Millisecond}, {Name: defaultScan, Period: time.Second}, {Name: "slow", Period: 10 * time.Second}}
}
