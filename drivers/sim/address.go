package sim

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"holdfast/gateway/tag"
)

// behaviour is what makes the value of a place.
type behaviour uint8

const (
	holds behaviour = iota // what was written last
	ramps
	swings
	toggles
	echoes
)

// address is a parsed Item.Address.
type address struct {
	name   string
	typ    tag.Type
	does   behaviour
	lo, hi float64       // ramp, sine
	period time.Duration // ramp, sine, toggle
	target string        // echo
	delay  time.Duration // echo
	init   tag.Value     // before the first write; of a toggle, before the first turn
	given  bool          // there were parameters
}

const defaultPeriod = 10 * time.Second // of a ramp and a sine that name none

// parameters are the known ones, in the order in which messages list them.
func parameters() []string {
	return []string{"delay", "echo", "init", "period", "ramp", "sine", "toggle"}
}

// CheckAddress reports what is wrong with s as the address of a tag of type t
// that may, or may not, be written.
func CheckAddress(s string, t tag.Type, write bool) error {
	a, err := parse(s, t)
	if err != nil {
		return err
	}
	if write && a.does != holds {
		return fmt.Errorf("address %q cannot be written: the plant moves it by itself", s)
	}
	return nil
}

func parse(s string, t tag.Type) (address, error) {
	name, query, given := strings.Cut(s, "?")
	a := address{name: name, typ: t, given: given}
	if name == "" || strings.ContainsAny(name, "&= \t\r\n") {
		return a, fmt.Errorf("address %q does not begin with a name: want NAME or NAME?PARAMETER=VALUE&…, without & = or spaces in the name", s)
	}
	if err := a.parse(query, given); err != nil {
		return a, fmt.Errorf("address %q: %w", s, err)
	}
	return a, nil
}

func (a *address) parse(query string, given bool) error {
	values := make(map[string]string)
	if given {
		for p := range strings.SplitSeq(query, "&") {
			key, raw, ok := strings.Cut(p, "=")
			if !slices.Contains(parameters(), key) {
				return fmt.Errorf("parameter %q is unknown%s, allowed are %s", key, meant(key, parameters()), strings.Join(parameters(), ", "))
			}
			if !ok || raw == "" && key != "init" {
				return fmt.Errorf("parameter %s has no value", key)
			}
			if _, twice := values[key]; twice {
				return fmt.Errorf("parameter %s is given twice", key)
			}
			v, err := url.PathUnescape(raw)
			if err != nil {
				return fmt.Errorf("parameter %s: %w", key, err)
			}
			values[key] = v
		}
	}
	if err := a.behave(values); err != nil {
		return err
	}
	return a.begin(values)
}

// behave sets the behaviour and the parameters that go with it.
func (a *address) behave(values map[string]string) (err error) {
	kinds := []struct {
		key   string
		does  behaviour
		goes  string // the other parameter that it takes
		parse func(string) error
	}{
		{"ramp", ramps, "period", a.parseRange},
		{"sine", swings, "period", a.parseRange},
		{"toggle", toggles, "init", a.parseToggle},
		{"echo", echoes, "delay", func(s string) error { a.target = s; return nil }},
	}
	key, goes := "", "init"
	for _, k := range kinds {
		v, ok := values[k.key]
		if !ok {
			continue
		}
		if key != "" {
			return fmt.Errorf("%s and %s exclude each other", key, k.key)
		}
		key, goes, a.does = k.key, k.goes, k.does
		if err = k.parse(v); err != nil {
			return fmt.Errorf("parameter %s: %w", key, err)
		}
	}
	for _, other := range []string{"delay", "init", "period"} {
		if _, ok := values[other]; ok && other != goes {
			if key == "" {
				return fmt.Errorf("parameter %s says nothing without %s", other, map[string]string{"delay": "echo", "period": "ramp or sine"}[other])
			}
			return fmt.Errorf("parameter %s does not go with %s", other, key)
		}
	}
	if v, ok := values["period"]; ok {
		if a.period, err = positive(v); err != nil {
			return fmt.Errorf("parameter period: %w", err)
		}
	}
	if v, ok := values["delay"]; ok {
		if a.delay, err = positive(v); err != nil {
			return fmt.Errorf("parameter delay: %w", err)
		}
	}
	return nil
}

func positive(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%q is not a duration above 0, such as 500ms or 10s", s)
	}
	return d, nil
}

func (a *address) parseToggle(s string) (err error) {
	if a.typ != tag.TypeBool && a.typ != tag.TypeAny {
		return fmt.Errorf("a %s cannot toggle, only a bool", a.typ)
	}
	a.period, err = positive(s)
	return err
}

func (a *address) parseRange(s string) error {
	if !a.typ.IsNumber() && a.typ != tag.TypeAny {
		return fmt.Errorf("a %s is not a number", a.typ)
	}
	from, to, ok := strings.Cut(s, "..")
	lo, err := strconv.ParseFloat(from, 64)
	hi, err2 := strconv.ParseFloat(to, 64)
	if !ok || errors.Join(err, err2) != nil || math.IsNaN(lo-hi) || math.IsInf(lo-hi, 0) {
		return fmt.Errorf("%q is not a range, such as 0..100", s)
	}
	for _, limit := range []float64{lo, hi} {
		if _, err := tag.Coerce(tag.Float(limit), a.typ); err != nil {
			return err
		}
	}
	a.lo, a.hi, a.period = lo, hi, defaultPeriod
	return nil
}

// begin sets the value that the place has at first.
func (a *address) begin(values map[string]string) (err error) {
	s, ok := values["init"]
	if !ok {
		a.init = zero(a.typ, a.does)
		return nil
	}
	v := tag.String(s)
	switch {
	case a.typ == tag.TypeString:
	case a.typ == tag.TypeBytes:
		var b []byte
		if b, err = base64.StdEncoding.DecodeString(s); err != nil {
			return fmt.Errorf("parameter init: %q is not base64", s)
		}
		v = tag.Bytes(b)
	default:
		v = literal(s)
	}
	if a.init, err = tag.Coerce(v, a.typ); err == nil && a.does == toggles && a.init.Kind() != tag.KindBool {
		err = fmt.Errorf("%s is not a bool", a.init)
	}
	if err != nil {
		return fmt.Errorf("parameter init: %w", err)
	}
	return nil
}

// literal reads true, false and numbers as what they are, and all else as text.
func literal(s string) tag.Value {
	switch s {
	case "true":
		return tag.Bool(true)
	case "false":
		return tag.Bool(false)
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return tag.Int(n)
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return tag.Uint(n)
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return tag.Float(f)
	}
	return tag.String(s)
}

func zero(t tag.Type, does behaviour) tag.Value {
	switch {
	case t == tag.TypeBool || does == toggles:
		return tag.Bool(false)
	case t == tag.TypeString:
		return tag.String("")
	case t == tag.TypeBytes:
		return tag.Bytes(nil)
	case t.IsInteger():
		return tag.Int(0)
	}
	return tag.Float(0)
}
