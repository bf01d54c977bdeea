package gateway

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"holdfast/gateway/tag"
)

// Each fault of a configuration is named; nothing is opened.
func TestNewFaults(t *testing.T) {
	t.Parallel()
	d := newDevice()
	good := func() Config {
		return Config{Connections: []Connection{plc("plc", d)}, Tags: table(polled("a", time.Second), writable("b", time.Second, WriteRule{}))}
	}
	rule := func(change func(*WriteRule)) func(*Config) { return func(c *Config) { change(c.Tags[1].Write) } }
	for _, c := range []struct {
		change func(*Config)
		want   string // all of the error after "cannot set up the gateway: "; "" for none
	}{
		{func(c *Config) {}, ""},
		{func(c *Config) { c.Connections[0].ReconnectMin = time.Minute }, ""},
		{func(c *Config) { c.Connections[0].Driver = nil }, "connection plc: it has no driver"},
		{func(c *Config) { c.Connections[0].Subscribe = true }, "connection plc: driver fake cannot subscribe"},
		{func(c *Config) { c.Connections[0].ReconnectMax = time.Millisecond }, "connection plc: reconnect 500ms to 1ms is not a span of time"},
		{func(c *Config) { c.Connections = append(c.Connections, plc("plc", d)) }, "connection plc is given twice"},
		{func(c *Config) { c.Tags[1].Connection = "plc2" }, `tag b: there is no connection "plc2"`},
		{func(c *Config) { c.Tags[1].Path, c.Tags[1].Item.Path = "a", "a" }, "tag a is given twice"},
		{func(c *Config) { c.Tags[1].Path, c.Tags[1].Item.Path = "b c", "b c" }, `tag b c: tag path "b c": ' ' is not allowed, a segment has [A-Za-z0-9_.-]`},
		{func(c *Config) { c.Tags[1].Item.Path = "x" }, `tag b: its item is called "x"`},
		{func(c *Config) { c.Tags[1].Item.Handle = 7 }, "tag b: its handle is 7, must be 1"},
		{func(c *Config) { c.Tags[1].Item.Write = false }, "tag b: the item and the write rule differ on whether it is writable"},
		{func(c *Config) { c.Tags[1].Item.Period = -1 }, "tag b: period -1ns is negative"},
		{func(c *Config) { c.Tags[1].Deadband = math.NaN() }, "tag b: deadband NaN is not a positive number"},
		{func(c *Config) { c.Tags[1].Scale = &tag.Scale{} }, "tag b: scale factor 0, offset 0 is not a line"},
		{func(c *Config) { c.Tags[0].Item.Type, c.Tags[0].Scale = tag.TypeBool, &tag.Scale{Factor: 1} }, "tag a: a bool cannot be scaled"},
		{rule(func(w *WriteRule) { w.Min, w.Max = ptr(2), ptr(2) }), "tag b: min 2 is not below max 2"},
		{rule(func(w *WriteRule) { w.Max = ptr(math.Inf(1)) }), "tag b: a limit of +Inf says nothing"},
		{rule(func(w *WriteRule) { w.MaxStep = ptr(0) }), "tag b: max_step 0 is not a positive number"},
		{rule(func(w *WriteRule) { w.MinInterval = -time.Second }), "tag b: min_interval -1s is negative"},
		{rule(func(w *WriteRule) { w.Interlocks = []Interlock{{Tag: "c"}} }), `tag b: there is no tag "c" for its interlock`},
		{rule(func(w *WriteRule) { w.Interlocks = []Interlock{{Tag: "a", MaxAge: -time.Second}} }), "tag b: max_age -1s of interlock a is negative"},
		{func(c *Config) { c.Tags[1].Item.Type = tag.TypeString; c.Tags[1].Write.Max = ptr(1) }, "tag b: a string has no min, max or max_step"},
		{func(c *Config) { c.Tags[0].Connection, c.Tags[1].Item.Handle = "x", 5 },
			"tag a: there is no connection \"x\"\ntag b: its handle is 5, must be 0"},
	} {
		cfg := good()
		c.change(&cfg)
		_, err := New(cfg)
		got := ""
		if err != nil {
			got = strings.TrimPrefix(err.Error(), "cannot set up the gateway: ")
		}
		expect(t, "New", got, c.want)
	}
	expect(t, "connects", len(d.connects), 0)
}

func TestTagsAndLookup(t *testing.T) {
	t.Parallel()
	scale := &tag.Scale{Factor: 0.1}
	full := Tag{
		Path: "b/speed", Connection: "plc", Item: tag.Item{Address: "holding:1", Type: tag.TypeInt16, Period: time.Second},
		ScanClass: "normal", Scale: scale, Units: "1/min", Write: &WriteRule{Kind: tag.Pulse},
	}
	g, err := New(Config{Connections: []Connection{plc("plc", newDevice())}, Tags: table(polled("z", 0), full, polled("a", 0))})
	if err != nil {
		t.Fatal(err)
	}
	var paths []tag.Path
	for _, i := range g.Tags() {
		paths = append(paths, i.Path)
	}
	if !slices.Equal(paths, []tag.Path{"a", "b/speed", "z"}) {
		t.Errorf("tags in the order %v", paths)
	}
	info, ok := g.Lookup("b/speed")
	expect(t, "found", ok, true)
	expect(t, "info", info, tag.Info{
		Path: "b/speed", Connection: "plc", Driver: "fake", Address: "holding:1", Type: tag.TypeInt16,
		Units: "1/min", Scan: "normal", Writable: true, Kind: tag.Pulse, Scale: scale,
	})
	_, ok = g.Lookup("c")
	expect(t, "found", ok, false)
	expect(t, "state before Run", g.Links()[0].State.String(), "connecting")
}
