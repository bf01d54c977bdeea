package gateway

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"holdfast/gateway/tag"
)

// Gateway holds the last value of each tag and the links that keep it fresh.
// All its methods may be called at any time, from any goroutine.
type Gateway struct {
	log    *slog.Logger
	grace  time.Duration
	links  []*link
	byPath map[tag.Path]*entry
	infos  []tag.Info // sorted by path
	jitter func() float64

	watchers sync.WaitGroup
	done     chan struct{} // closed when Run has ended all links

	mu      sync.Mutex // short, never held during I/O; guards all below, and in link and watcher what says so
	start   time.Time
	running bool
	stopped bool
	cells   []cell // by entry.number
}

// entry is what stays the same about a tag.
type entry struct {
	Tag
	number int // in Gateway.cells
	link   *link
	info   tag.Info
	locks  []lock
}

// lock is an interlock with its tag.
type lock struct {
	Interlock
	tag *entry
}

// New checks cfg and returns a Gateway for it; it opens nothing. The error
// names every fault.
func New(cfg Config) (*Gateway, error) {
	g := &Gateway{
		log:    cfg.Log,
		grace:  cfg.StartupGrace,
		byPath: make(map[tag.Path]*entry, len(cfg.Tags)),
		jitter: rand.Float64,
		done:   make(chan struct{}),
		start:  time.Now(),
		cells:  make([]cell, len(cfg.Tags)),
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	err := errors.Join(g.addConnections(cfg.Connections), g.addTags(cfg.Tags))
	if err != nil {
		return nil, fmt.Errorf("cannot set up the gateway: %w", err)
	}
	for _, l := range g.links {
		l.plan()
	}
	slices.SortFunc(g.infos, func(a, b tag.Info) int { return strings.Compare(string(a.Path), string(b.Path)) })
	return g, nil
}

func (g *Gateway) addConnections(all []Connection) error {
	var errs []error
	for _, c := range all {
		if c.ReconnectMin == 0 {
			c.ReconnectMin = defaultReconnectMin
		}
		if c.ReconnectMax == 0 {
			c.ReconnectMax = max(defaultReconnectMax, c.ReconnectMin)
		}
		if err := c.check(); err != nil {
			errs = append(errs, fmt.Errorf("connection %s: %w", c.Name, err))
		}
		if g.link(c.Name) != nil {
			errs = append(errs, fmt.Errorf("connection %s is given twice", c.Name))
			continue
		}
		g.links = append(g.links, newLink(g, c))
	}
	return errors.Join(errs...)
}

func (g *Gateway) link(name string) *link {
	for _, l := range g.links {
		if l.conn.Name == name {
			return l
		}
	}
	return nil
}

func (g *Gateway) addTags(all []Tag) error {
	var errs []error
	entries := make([]*entry, 0, len(all))
	for i, t := range all {
		l := g.link(t.Connection)
		if l == nil {
			errs = append(errs, fmt.Errorf("tag %s: there is no connection %q", t.Path, t.Connection))
			continue
		}
		if err := t.check(len(l.tags)); err != nil {
			errs = append(errs, fmt.Errorf("tag %s: %w", t.Path, err))
		}
		if g.byPath[t.Path] != nil {
			errs = append(errs, fmt.Errorf("tag %s is given twice", t.Path))
		}
		e := &entry{Tag: t, number: i, link: l, info: describe(t, l)}
		entries = append(entries, e)
		l.tags = append(l.tags, e)
		g.byPath[t.Path] = e
		g.infos = append(g.infos, e.info)
	}
	for _, e := range entries {
		if e.Write == nil {
			continue
		}
		for _, k := range e.Write.Interlocks {
			other := g.byPath[k.Tag]
			if other == nil {
				errs = append(errs, fmt.Errorf("tag %s: there is no tag %q for its interlock", e.Path, k.Tag))
				continue
			}
			e.locks = append(e.locks, lock{k, other})
		}
	}
	return errors.Join(errs...)
}

func describe(t Tag, l *link) tag.Info {
	info := tag.Info{
		Path: t.Path, Connection: t.Connection, Driver: l.conn.DriverKind, Address: t.Item.Address,
		Type: t.Item.Type, Units: t.Units, Scan: t.ScanClass, Scale: t.Scale,
	}
	if t.Write != nil {
		info.Writable, info.Kind = true, t.Write.Kind
	}
	return info
}

// Lookup describes one tag.
func (g *Gateway) Lookup(p tag.Path) (tag.Info, bool) {
	e := g.byPath[p]
	if e == nil {
		return tag.Info{}, false
	}
	return e.info, true
}

// Tags describes all tags, sorted by path.
func (g *Gateway) Tags() []tag.Info { return slices.Clone(g.infos) }

// shutdownGrace is how long a write that is on the wire may take to end once Run's ctx has.
const shutdownGrace = 5 * time.Second

// Run runs the links until ctx ends. It returns when the write that is on the
// wire has ended, all drivers and all watches are closed, and no goroutine of
// the gateway is left. It can be called once. The error tells which drivers
// could not be closed.
func (g *Gateway) Run(ctx context.Context) error {
	g.mu.Lock()
	again := g.running
	g.running, g.start = true, time.Now()
	g.mu.Unlock()
	if again {
		return errors.New("cannot run the gateway: it has run before")
	}
	// A write that was sent must not be lost sight of because the gateway stops.
	wire, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	errs := make([]error, len(g.links))
	var links sync.WaitGroup
	for i, l := range g.links {
		links.Go(func() { errs[i] = l.run(ctx, wire) })
	}
	<-ctx.Done()
	late := time.AfterFunc(shutdownGrace, cut)
	defer late.Stop()
	links.Wait()
	g.mu.Lock()
	g.stopped = true
	g.mu.Unlock()
	close(g.done)
	g.watchers.Wait()
	return errors.Join(errs...)
}

// find returns a tag, or the refusal that says that there is none.
func (g *Gateway) find(p tag.Path) (*entry, error) {
	if e := g.byPath[p]; e != nil {
		return e, nil
	}
	return nil, &tag.Refusal{Path: p, Reason: tag.NoSuchTag, Message: "there is no such tag"}
}
