package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"holdfast/internal/nearest"
)

// key is one key of a mapping, bound to a field of T.
type key[T any] struct {
	name, doc string
	required  bool
	decode    func(d *decoder, p path, n *yaml.Node, into *T)
	absent    func(into *T)
	schema    func() schema // nil: a key that is refused
	columns   []column
	merge     bool
}

// column is a key of a tag as a CSV file names it.
type column struct {
	name string
	list bool
}

// at binds a key to a field.
func at[T, V any](name, doc string, k kind[V], field func(*T) *V) key[T] {
	e := key[T]{name: name, doc: doc, schema: k.schema, merge: k.merge,
		decode: func(d *decoder, p path, n *yaml.Node, into *T) { k.decode(d, p, n, field(into)) },
		absent: func(into *T) {
			if k.absent != nil {
				k.absent(field(into))
			}
		},
		columns: []column{{name: name, list: k.list}},
	}
	if k.columns != nil {
		e.columns = nil
		for _, c := range k.columns() {
			e.columns = append(e.columns, column{name: name + "." + c.name, list: c.list})
		}
	}
	return e
}

// must makes a key required.
func must[T any](k key[T]) key[T] {
	k.required = true
	return k
}

// refused is a key that people write and that this configuration does not
// take. The value is never shown: it may be a secret.
func refused[T any](name, why string) key[T] {
	return key[T]{name: name,
		decode: func(d *decoder, p path, n *yaml.Node, _ *T) { d.fault(p, d.pos(n), "%s", why) },
		absent: func(*T) {}}
}

// later is a key of a feature that is not built yet. Its schema is complete.
func later[T, V any](name, doc string, k kind[V]) key[T] {
	return key[T]{name: name, doc: doc + " Not available yet.", schema: k.schema,
		decode: func(d *decoder, p path, _ *yaml.Node, _ *T) { d.unavailable(p) },
		absent: func(*T) {}}
}

// object is a mapping of known keys.
func object[T any](keys ...key[T]) kind[T] {
	byName := map[string]key[T]{}
	var known []string // what a message names: the keys that are taken
	for _, k := range keys {
		byName[k.name] = k
		if k.schema != nil {
			known = append(known, k.name)
		}
	}
	slices.Sort(known)
	return kind[T]{
		decode: func(d *decoder, p path, n *yaml.Node, into *T) {
			var meant []string
			for name, val := range d.pairs(p, n, func(string) bool { return true }, "") {
				k, ok := byName[name.Value]
				if !ok {
					meant = append(meant, d.unknown(p, name, known))
					continue
				}
				child := p.key(k.name)
				if d.enter(child, name, val, k.merge) && d.simple(child, val) {
					k.decode(d, child, val, into)
				}
			}
			isObject := n.Kind == yaml.MappingNode || isNull(n)
			for _, k := range keys {
				if k.required && isObject && !d.given(p.key(k.name)) && !slices.Contains(meant, k.name) {
					d.complainKey(p, "missing key %q", k.name)
				}
			}
		},
		absent: func(into *T) {
			for _, k := range keys {
				k.absent(into)
			}
		},
		schema: func() schema { return objectSchema(keys) },
		columns: func() (cs []column) {
			for _, k := range keys {
				if k.schema != nil {
					cs = append(cs, k.columns...)
				}
			}
			return cs
		},
	}
}

func objectSchema[T any](keys []key[T]) schema {
	properties, required := schema{}, []string{}
	for _, k := range keys {
		if k.schema == nil {
			continue
		}
		s := k.schema()
		if k.doc != "" {
			s["description"] = k.doc
		}
		properties[k.name] = s
		if k.required {
			required = append(required, k.name)
		}
	}
	s := schema{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	} else {
		s["type"] = []string{"object", "null"} // a section with all of it commented out
	}
	return s
}

// unknown notes a key that the mapping at p does not have, and returns the one
// that it was likely meant to be, or "".
func (d *decoder) unknown(p path, name *yaml.Node, known []string) string {
	msg := "unknown key " + quote(name.Value)
	near := nearest.Word(name.Value, known)
	if near != "" {
		msg += ", nearest " + quote(near)
	}
	if name.Tag == "!!merge" {
		msg = "merge key <<"
	}
	d.fault(p, d.pos(name), "%s; allowed: %s", msg, strings.Join(known, ", "))
	return near
}

// pairs yields the keys and values of a mapping whose keys are texts that ok
// accepts; of others it notes a fault. Nothing, as an empty section has it, has
// no pairs.
func (d *decoder) pairs(p path, n *yaml.Node, ok func(string) bool, allowed string) func(func(name, val *yaml.Node) bool) {
	return func(yield func(name, val *yaml.Node) bool) {
		if isNull(n) {
			return
		}
		if n.Kind != yaml.MappingNode {
			d.wrong(p, n, "a mapping")
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			name, val := n.Content[i], n.Content[i+1]
			switch {
			case name.Kind != yaml.ScalarNode:
				d.fault(p, d.pos(name), "%s as a key, allowed a word", show(name))
			case !ok(name.Value):
				d.fault(p, d.pos(name), "name %s, allowed %s", quote(name.Value), allowed)
			default:
				if !yield(name, val) {
					return
				}
			}
		}
	}
}

// named is a mapping of names of the user's choice, kept in their order.
func named[V any](ok func(string) bool, allowed, pattern string, k kind[V], name func(v *V, name string, at Pos)) kind[[]V] {
	return kind[[]V]{
		merge: true,
		decode: func(d *decoder, p path, n *yaml.Node, into *[]V) {
			for key, val := range d.pairs(p, n, ok, allowed) {
				child := p.key(key.Value)
				if !d.enter(child, key, val, false) || !d.simple(child, val) {
					continue
				}
				var v V
				if k.absent != nil {
					k.absent(&v)
				}
				name(&v, key.Value, d.pos(key))
				k.decode(d, child, val, &v)
				*into = append(*into, v)
			}
		},
		schema: func() schema {
			return schema{"type": []string{"object", "null"}, "additionalProperties": k.schema(),
				"propertyNames": schema{"pattern": pattern}}
		},
	}
}

const namePattern, nameAllowed = `^[A-Za-z0-9_.-]{1,128}$`, "1 to 128 of [A-Za-z0-9_.-]"

// listOf is a list of values of one kind.
func listOf[V any](k kind[V]) kind[[]V] {
	return kind[[]V]{
		list: true,
		decode: func(d *decoder, p path, n *yaml.Node, into *[]V) {
			if n.Kind != yaml.SequenceNode {
				d.wrong(p, n, "a list")
				return
			}
			for _, val := range n.Content {
				child := p.item(len(*into))
				d.places[child] = place{d.pos(val), d.pos(val)}
				var v V
				if k.absent != nil {
					k.absent(&v)
				}
				if d.simple(child, val) {
					k.decode(d, child, val, &v)
				}
				*into = append(*into, v)
			}
		},
		schema: func() schema { return schema{"type": "array", "items": k.schema()} },
	}
}

// merged lets several files add to a value.
func merged[V any](k kind[V]) kind[V] {
	k.merge = true
	return k
}

// optional is a mapping whose presence means something: null is not it.
func optional[V any](k kind[V]) kind[*V] {
	return kind[*V]{
		decode: func(d *decoder, p path, n *yaml.Node, into **V) {
			if isNull(n) {
				d.wrong(p, n, "a mapping; {} if it needs none of its keys")
				return
			}
			v := new(V)
			if k.absent != nil {
				k.absent(v)
			}
			k.decode(d, p, n, v)
			*into = v
		},
		schema:  func() schema { return notNull(k.schema()) },
		columns: k.columns,
	}
}

func notNull(s schema) schema {
	s["type"] = "object"
	return s
}

// pointer is a scalar that may be absent.
func pointer[V any](k kind[V]) kind[*V] {
	return kind[*V]{
		decode: func(d *decoder, p path, n *yaml.Node, into **V) {
			v := new(V)
			k.decode(d, p, n, v)
			if !d.bad[p] {
				*into = v
			}
		},
		schema: k.schema,
	}
}
