package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"holdfast/gateway/tag"
)

// Config is what a Gateway is made of.
type Config struct {
	Connections []Connection
	Tags        []Tag
	// StartupGrace is how long a Read or a Write waits for a link that has not
	// been up since the start. 0: not at all.
	StartupGrace time.Duration
	Log          *slog.Logger // nil: no log
}

// Connection is one link to one device.
type Connection struct {
	Name         string
	DriverKind   string // as the configuration names it, for display
	Driver       Driver // made of this connection's items, in their order; the gateway closes it
	Subscribe    bool   // the device tells of changes; Driver is a Subscriber
	ReconnectMin time.Duration
	ReconnectMax time.Duration // 0, 0: 500 ms and 30 s
}

// Tag is one value of a device.
type Tag struct {
	Path       tag.Path
	Connection string
	// Item is what the driver knows of the tag. Its Handle is the number of the
	// tag among those of its connection, in the order of Config.Tags. Period 0
	// means that the tag is read only when somebody asks for it.
	Item      tag.Item
	ScanClass string     // the name of the class that Item.Period comes from
	Scale     *tag.Scale // nil: none
	Units     string
	Deadband  float64    // in engineering units; a change up to this much is no change. 0: none
	Write     *WriteRule // nil: nobody writes
}

// Scale is tag.Scale.
type Scale = tag.Scale

// WriteRule permits writing a tag, within its guards. All numbers are in
// engineering units; nil and 0 mean that there is no such guard.
type WriteRule struct {
	Kind        tag.WriteKind
	Min, Max    *float64
	MaxStep     *float64      // from the value that the device has just before the write
	MinInterval time.Duration // since the last write that was sent
	Interlocks  []Interlock
}

// Interlock permits a write only while another tag, of any connection, is Good
// and has a certain value.
type Interlock struct {
	Tag    tag.Path
	Equals tag.Value
	MaxAge time.Duration // of the other tag's sample when the write is sent. 0: it is read for each write
}

// The bounds of the wait between two attempts to connect, where a Connection gives none.
const (
	defaultReconnectMin = 500 * time.Millisecond
	defaultReconnectMax = 30 * time.Second
)

// check returns every fault of the connection.
func (c *Connection) check() error {
	var errs []error
	if c.Driver == nil {
		errs = append(errs, errors.New("it has no driver"))
	} else if _, ok := c.Driver.(Subscriber); c.Subscribe && !ok {
		errs = append(errs, fmt.Errorf("driver %s cannot subscribe", c.DriverKind))
	}
	if c.ReconnectMin < 0 || c.ReconnectMax < c.ReconnectMin {
		errs = append(errs, fmt.Errorf("reconnect %s to %s is not a span of time", c.ReconnectMin, c.ReconnectMax))
	}
	return errors.Join(errs...)
}

// check returns every fault of the tag that shows without the other tags.
// handle is what its item's has to be.
func (t *Tag) check(handle int) error {
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	_, err := tag.ParsePath(string(t.Path))
	fault(err != nil, "%w", err)
	fault(t.Item.Path != t.Path, "its item is called %q", t.Item.Path)
	fault(t.Item.Handle != handle, "its handle is %d, must be %d", t.Item.Handle, handle)
	fault(t.Item.Write != (t.Write != nil), "the item and the write rule differ on whether it is writable")
	fault(t.Item.Period < 0, "period %s is negative", t.Item.Period)
	fault(!(t.Deadband >= 0) || math.IsInf(t.Deadband, 0), "deadband %v is not a positive number", t.Deadband)
	number := t.Item.Type.IsNumber() || t.Item.Type == tag.TypeAny
	if s := t.Scale; s != nil {
		fault(!number, "a %s cannot be scaled", t.Item.Type)
		fault(s.Factor == 0 || !finite(s.Factor) || !finite(s.Offset), "scale factor %v, offset %v is not a line", s.Factor, s.Offset)
	}
	if w := t.Write; w != nil {
		fault(!number && (w.Min != nil || w.Max != nil || w.MaxStep != nil), "a %s has no min, max or max_step", t.Item.Type)
		for _, limit := range []*float64{w.Min, w.Max, w.MaxStep} {
			fault(limit != nil && !finite(*limit), "a limit of %v says nothing", deref(limit))
		}
		fault(w.Min != nil && w.Max != nil && *w.Min >= *w.Max, "min %v is not below max %v", deref(w.Min), deref(w.Max))
		fault(w.MaxStep != nil && *w.MaxStep <= 0, "max_step %v is not a positive number", deref(w.MaxStep))
		fault(w.MinInterval < 0, "min_interval %s is negative", w.MinInterval)
		for _, k := range w.Interlocks {
			fault(k.MaxAge < 0, "max_age %s of interlock %s is negative", k.MaxAge, k.Tag)
		}
	}
	return errors.Join(errs...)
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

func deref(f *float64) float64 {
	if f == nil {
		return 0
	}
	return *f
}
