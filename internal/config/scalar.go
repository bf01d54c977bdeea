package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// schema is a JSON Schema.
type schema map[string]any

// kind is a kind of value: how it is read, what stands in its place where the
// file has none, and how JSON Schema describes it.
type kind[V any] struct {
	decode  func(d *decoder, p path, n *yaml.Node, v *V)
	absent  func(v *V) // nil: the zero value
	schema  func() schema
	columns func() []column // nil: one column, of the key's own name
	list    bool            // in a CSV cell it stands as a YAML list
	merge   bool            // several files may add to it
}

// or returns the kind with a default, and the default as the file would say it.
func or[V any](k kind[V], def V, shown any) kind[V] {
	k.absent = func(v *V) { *v = def }
	sch := k.schema
	k.schema = func() schema {
		s := sch()
		s["default"] = shown
		return s
	}
	return k
}

// scalar makes the kind of a value that is one word. read returns false for a
// word that is not allowed.
func scalar[V any](allowed string, sch schema, read func(t text) (V, bool)) kind[V] {
	return kind[V]{
		decode: func(d *decoder, p path, n *yaml.Node, v *V) {
			if n.Kind == yaml.ScalarNode && !isNull(n) {
				if got, ok := read(textOf(n)); ok {
					*v = got
					return
				}
			}
			d.wrong(p, n, allowed)
		},
		schema: func() schema { return cloneSchema(sch) },
	}
}

func cloneSchema(s schema) schema {
	c := schema{}
	for k, v := range s {
		c[k] = v
	}
	return c
}

func textOf(n *yaml.Node) text {
	return text{value: n.Value, plain: n.Style == 0}
}

// words is a text in one line, taken as it stands in the file: 00101 stays
// 00101. JSON Schema sees what YAML makes of it, which may be a number.
func words(allowed string) kind[string] {
	return scalar(allowed, schema{"type": []string{"string", "number", "boolean"}}, func(t text) (string, bool) {
		return t.value, t.value != "" && !strings.ContainsFunc(t.value, unicode.IsControl)
	})
}

// name is the name of something else in the configuration.
func name(what string) kind[string] {
	return scalar("the name of "+what, schema{"type": []string{"string", "number", "boolean"}},
		func(t text) (string, bool) { return t.value, isName(t.value) })
}

// credential is the name of one.
func credential() kind[string] {
	return unshown(name("a credential"), "allowed the name of a credential, 1 to 128 of [A-Za-z0-9_.-], never the secret itself")
}

// unshown keeps a wrong value out of the message: it may be a secret.
func unshown[V any](k kind[V], allowed string) kind[V] {
	inner := k.decode
	k.decode = func(d *decoder, p path, n *yaml.Node, v *V) {
		before := len(d.faults)
		inner(d, p, n, v)
		if len(d.faults) > before {
			d.faults = d.faults[:before]
			d.fault(p, d.pos(n), "%s", allowed)
		}
	}
	return k
}

// oneOf is one of a few words.
func oneOf[V any](names []string, value func(string) V) kind[V] {
	return scalar(wordList(names, "or"), schema{"enum": names}, func(t text) (V, bool) {
		if !slices.Contains(names, t.value) {
			var none V
			return none, false
		}
		return value(t.value), true
	})
}

func same(s string) string { return s }

// wordList joins words as a sentence does.
func wordList(words []string, and string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " " + and + " " + words[len(words)-1]
}

// whole is a whole number from lo to hi.
func whole[V ~int | ~uint8](lo, hi int) kind[V] {
	return scalar(fmt.Sprintf("%d to %d", lo, hi), schema{"type": "integer", "minimum": lo, "maximum": hi},
		func(t text) (V, bool) {
			if _, ok := number(t); !ok {
				return 0, false
			}
			n, err := strconv.Atoi(t.value)
			return V(n), err == nil && n >= lo && n <= hi
		})
}

// decimal is any finite number.
func decimal() kind[float64] {
	return scalar("a number", schema{"type": "number"}, number)
}

// positive is a finite number above 0.
func positive() kind[float64] {
	return scalar("more than 0", schema{"type": "number", "exclusiveMinimum": 0}, func(t text) (float64, bool) {
		f, ok := number(t)
		return f, ok && f > 0
	})
}

// notNegative is a finite number from 0.
func notNegative() kind[float64] {
	return scalar("0 or more", schema{"type": "number", "minimum": 0}, func(t text) (float64, bool) {
		f, ok := number(t)
		return f, ok && f >= 0
	})
}

// truth is true or false.
func truth() kind[bool] {
	return scalar("true or false", schema{"type": "boolean"}, func(t text) (bool, bool) {
		return t.value == "true", t.plain && (t.value == "true" || t.value == "false")
	})
}

// duration is a Go duration from lo to hi.
func duration(lo, hi time.Duration) kind[time.Duration] {
	allowed := fmt.Sprintf("%s to %s, as in 250ms or 1m30s", showDuration(lo), showDuration(hi))
	sch := schema{"type": "string", "pattern": `^([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))*$`,
		"examples": []string{"250ms", "1m30s"}}
	if lo == 0 {
		sch["pattern"] = "^0$|" + sch["pattern"].(string)
		sch["type"] = []string{"string", "integer"}
		sch["maximum"] = 0
	}
	return scalar(allowed, sch, func(t text) (time.Duration, bool) {
		v, err := time.ParseDuration(t.value)
		return v, err == nil && v >= lo && v <= hi
	})
}

// showDuration is String without the zeros at its end: 720h, not 720h0m0s.
func showDuration(v time.Duration) string {
	s := v.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// period is duration with a default.
func period(lo, hi, def time.Duration) kind[time.Duration] {
	return or(duration(lo, hi), def, showDuration(def))
}

// byteSize is a number of bytes from lo to hi, in binary units.
func byteSize(lo, hi int64) kind[int64] {
	allowed := fmt.Sprintf("%s to %s, as in 512KiB, 8MiB or 1GiB", showSize(lo), showSize(hi))
	return scalar(allowed, schema{"type": "string", "pattern": "^[0-9]{1,9}(KiB|MiB|GiB)$", "examples": []string{"512KiB", "8MiB"}},
		func(t text) (int64, bool) {
			for i, unit := range sizeUnits {
				digits, ok := strings.CutSuffix(t.value, unit)
				if !ok || len(digits) > 9 || strings.Trim(digits, "0123456789") != "" {
					continue
				}
				n, err := strconv.ParseInt(digits, 10, 64)
				n <<= 10 * (i + 1)
				return n, err == nil && n >= lo && n <= hi
			}
			return 0, false
		})
}

var sizeUnits = []string{"KiB", "MiB", "GiB"}

// showSize is a number of whole KiB in the largest unit that divides it.
func showSize(n int64) string {
	n >>= 10
	unit := 0
	for ; unit < len(sizeUnits)-1 && n != 0 && n%1024 == 0; unit++ {
		n /= 1024
	}
	return strconv.FormatInt(n, 10) + sizeUnits[unit]
}
