package config

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"holdfast/gateway/tag"
)

const defaultScan = "normal"

func tagsOf(one kind[Tag]) kind[[]Tag] {
	const pattern, allowed = `^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`, "segments of [A-Za-z0-9_.-] joined by /, at most 256 bytes"
	isPath := func(s string) bool { _, err := tag.ParsePath(s); return err == nil }
	return named(isPath, allowed, pattern, one, func(t *Tag, name string, at Pos) { t.Path, t.Pos = tag.Path(name), at })
}

func tagKeys() kind[Tag] {
	return object(
		must(at("connection", "", name("a connection"), func(t *Tag) *string { return &t.Connection })),
		must(at("address", "In the driver's words. Modbus: holding:100, input:, coil:, discrete: (zero-based, as on the wire), holding:20.3 (bit 3), or 40101 (one-based). OPC UA: nsu=URI;s=….",
			words("an address"), func(t *Tag) *string { return &t.Address })),
		at("type", "Left out: the device says (OPC UA).", oneOf(tag.Types(), func(s string) tag.Type {
			return tag.Type(slices.Index(tag.Types(), s) + 1)
		}), func(t *Tag) *tag.Type { return &t.Type }),
		at("order", "The order of the bytes of a value of several registers (Modbus). Left out: the connection's.", orderKind(),
			func(t *Tag) *tag.Order { return &t.Order }),
		at("length", "Bytes of a string or bytes tag (Modbus).", whole[int](1, 250), func(t *Tag) *int { return &t.Length }),
		at("scale", "How a device's number becomes the tag's.", scaleKeys(), func(t *Tag) **Scale { return &t.Scale }),
		at("units", "For people.", words("a text"), func(t *Tag) *string { return &t.Units }),
		at("scan", "The scan class.", or(name("a scan class"), defaultScan, defaultScan), func(t *Tag) *string { return &t.Scan }),
		at("deadband", "A change of no more than this, in the tag's units, is not passed on.", or(notNegative(), 0, 0),
			func(t *Tag) *float64 { return &t.Deadband }),
		at("write", "Its presence is the permission to write, and {} permits without guards. In a CSV file: write.kind.",
			optional(writeKeys()), func(t *Tag) **WriteRule { return &t.Write }),
	)
}

func writeKeys() kind[WriteRule] {
	kinds := []string{tag.Set.String(), tag.Pulse.String(), tag.Toggle.String(), tag.Increment.String()}
	return object(
		at("kind", "What writing means to the machine, and so how recovery may treat a write in doubt.",
			or(oneOf(kinds, func(s string) tag.WriteKind { return tag.WriteKind(slices.Index(kinds, s)) }), tag.Set, "set"),
			func(w *WriteRule) *tag.WriteKind { return &w.Kind }),
		at("min", "In the tag's units.", pointer(decimal()), func(w *WriteRule) **float64 { return &w.Min }),
		at("max", "In the tag's units.", pointer(decimal()), func(w *WriteRule) **float64 { return &w.Max }),
		at("max_step", "The greatest change against a fresh read.", pointer(positive()), func(w *WriteRule) **float64 { return &w.MaxStep }),
		at("min_interval", "Between two writes.", period(0, day, 0), func(w *WriteRule) *time.Duration { return &w.MinInterval }),
		at("interlocks", "Tags that must have a value, with good quality and fresh. In a CSV file: a YAML list.", listOf(object(
			must(at("tag", "", words("a tag's path"), func(i *Interlock) *string { return (*string)(&i.Tag) })),
			must(at("equals", "In the units of that tag.", anyScalar(), func(i *Interlock) *text { return &i.equals })),
			at("max_age", "", period(time.Millisecond, day, 2*time.Second), func(i *Interlock) *time.Duration { return &i.MaxAge }),
		)), func(w *WriteRule) *[]Interlock { return &w.Interlocks }),
	)
}

func anyScalar() kind[text] {
	return scalar("true, false, a number or a text", schema{"type": []string{"boolean", "number", "string"}},
		func(t text) (text, bool) { return t, true })
}

// scaleKeys takes a line through two points, or a factor and an offset.
func scaleKeys() kind[*Scale] {
	type forms struct {
		raw, eng       [2]float64
		factor, offset float64
	}
	k := object(
		at("raw", "Two of the device's values …", pair(), func(f *forms) *[2]float64 { return &f.raw }),
		at("eng", "… and what they are in the tag's units.", pair(), func(f *forms) *[2]float64 { return &f.eng }),
		at("factor", "The device's value × factor + offset.", or(decimal(), 1, 1), func(f *forms) *float64 { return &f.factor }),
		at("offset", "", or(decimal(), 0, 0), func(f *forms) *float64 { return &f.offset }),
	)
	return kind[*Scale]{
		decode: func(d *decoder, p path, n *yaml.Node, s **Scale) {
			if isNull(n) {
				d.wrong(p, n, "{raw, eng} or {factor, offset}")
				return
			}
			f := forms{}
			k.absent(&f)
			before := len(d.faults)
			k.decode(d, p, n, &f)
			if len(d.faults) == before {
				*s = d.scale(p, f.raw, f.eng, f.factor, f.offset)
			}
		},
		schema: func() schema {
			s := notNull(k.schema())
			s["oneOf"] = []schema{
				{"required": []string{"raw", "eng"}, "properties": schema{"factor": false, "offset": false}},
				{"anyOf": []schema{{"required": []string{"factor"}}, {"required": []string{"offset"}}}, "properties": schema{"raw": false, "eng": false}},
			}
			return s
		},
		columns: k.columns,
	}
}

// pair is a list of two different numbers.
func pair() kind[[2]float64] {
	return kind[[2]float64]{
		list: true,
		decode: func(d *decoder, p path, n *yaml.Node, v *[2]float64) {
			const allowed = "a list of two different numbers"
			if n.Kind != yaml.SequenceNode {
				d.wrong(p, n, allowed)
				return
			}
			if len(n.Content) != 2 {
				d.fault(p, d.pos(n), "a list of %d, allowed %s", len(n.Content), allowed)
				return
			}
			for i, c := range n.Content {
				if d.simple(p.item(i), c) {
					decimal().decode(d, p.item(i), c, &v[i])
				}
			}
			if v[0] == v[1] && !d.bad[p.item(0)] && !d.bad[p.item(1)] {
				d.fault(p, d.pos(n), "[%v, %v], allowed %s", v[0], v[1], allowed)
			}
		},
		schema: func() schema {
			return schema{"type": "array", "items": schema{"type": "number"}, "minItems": 2, "maxItems": 2, "uniqueItems": true}
		},
	}
}
