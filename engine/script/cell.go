package script

import (
	"reflect"
	"unsafe"

	"go.starlark.net/starlark"
)

// viewed returns the text that v goes through, where v is what elems(),
// codepoints() and their like return. Starlark tells neither that text nor, for
// some, how long it is. They are structs whose first field is the text, which a
// test of this package makes sure of.
func viewed(v starlark.Value) (string, bool) {
	if _, ok := v.(starlark.Iterable); !ok {
		return "", false
	}
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Struct || p.NumField() == 0 || p.Field(0).Kind() != reflect.String {
		return "", false
	}
	return p.Field(0).String(), true
}

// openCell returns what a variable holds that an inner function also uses.
// Starlark keeps such a variable in a cell, and shows a debugger the cell, but
// not its content; without it a list that only grows through an inner function
// would be measured as nothing. The cell is a pointer to a struct of one field,
// which a test of this package makes sure of.
func openCell(v starlark.Value) (starlark.Value, bool) {
	p := reflect.ValueOf(v)
	if v.Type() != "cell" || p.Kind() != reflect.Pointer || p.Elem().Kind() != reflect.Struct || p.Elem().NumField() != 1 {
		return nil, false
	}
	field := p.Elem().Field(0)
	if field.Type() != reflect.TypeFor[starlark.Value]() {
		return nil, false
	}
	return *(*starlark.Value)(unsafe.Pointer(field.UnsafeAddr())), true
}
