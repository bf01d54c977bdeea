package script

import (
	"reflect"
	"unsafe"

	"go.starlark.net/starlark"
)

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
