package config_test

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"testing"
)

// node is a JSON Schema as encoding/json reads it.
type node = map[string]any

// validate walks a value along a schema and returns why it does not fit. It
// knows the keywords that Schema uses, and fails the test for any other.
func validate(t *testing.T, sch any, v any, at string) (why []string) {
	t.Helper()
	if b, ok := sch.(bool); ok {
		if !b {
			return []string{at + ": not allowed"}
		}
		return nil
	}
	no := func(format string, args ...any) { why = append(why, at+": "+fmt.Sprintf(format, args...)) }
	s := sch.(node)
	obj, isObject := v.(node)
	list, isList := v.([]any)
	num, isNumber := v.(float64)
	text, isText := v.(string)
	for word, arg := range s {
		switch word {
		case "$schema", "title", "description", "default", "examples":
		case "type":
			types, many := arg.([]any)
			if !many {
				types = []any{arg}
			}
			if !slices.ContainsFunc(types, func(x any) bool { return isType(x.(string), v) }) {
				no("%v is not of type %v", v, arg)
			}
		case "const":
			if !reflect.DeepEqual(arg, v) {
				no("%v is not %v", v, arg)
			}
		case "enum":
			if !slices.ContainsFunc(arg.([]any), func(x any) bool { return reflect.DeepEqual(x, v) }) {
				no("%v is not one of %v", v, arg)
			}
		case "pattern":
			if isText && !regexp.MustCompile(arg.(string)).MatchString(text) {
				no("%q does not match %s", text, arg)
			}
		case "minimum":
			if isNumber && num < arg.(float64) {
				no("%v is less than %v", num, arg)
			}
		case "exclusiveMinimum":
			if isNumber && num <= arg.(float64) {
				no("%v is not more than %v", num, arg)
			}
		case "maximum":
			if isNumber && num > arg.(float64) {
				no("%v is more than %v", num, arg)
			}
		case "required":
			for _, k := range arg.([]any) {
				if _, has := obj[k.(string)]; isObject && !has {
					no("%s is missing", k)
				}
			}
		case "properties":
			for k, sub := range arg.(node) {
				if x, has := obj[k]; has {
					why = append(why, validate(t, sub, x, at+"."+k)...)
				}
			}
		case "additionalProperties":
			known, _ := s["properties"].(node)
			for k, x := range obj {
				if _, has := known[k]; !has {
					why = append(why, validate(t, arg, x, at+"."+k)...)
				}
			}
		case "propertyNames":
			for k := range obj {
				why = append(why, validate(t, arg, k, at+" name "+k)...)
			}
		case "minProperties":
			if isObject && float64(len(obj)) < arg.(float64) {
				no("has %d keys", len(obj))
			}
		case "maxProperties":
			if isObject && float64(len(obj)) > arg.(float64) {
				no("has %d keys", len(obj))
			}
		case "dependentRequired":
			for k, needs := range arg.(node) {
				if _, has := obj[k]; !has {
					continue
				}
				for _, need := range needs.([]any) {
					if _, has := obj[need.(string)]; !has {
						no("%s without %s", k, need)
					}
				}
			}
		case "items":
			for i, x := range list {
				why = append(why, validate(t, arg, x, fmt.Sprintf("%s[%d]", at, i))...)
			}
		case "minItems":
			if isList && float64(len(list)) < arg.(float64) {
				no("has %d items", len(list))
			}
		case "maxItems":
			if isList && float64(len(list)) > arg.(float64) {
				no("has %d items", len(list))
			}
		case "uniqueItems":
			for i, x := range list {
				if slices.ContainsFunc(list[:i], func(y any) bool { return reflect.DeepEqual(x, y) }) {
					no("has %v twice", x)
				}
			}
		case "oneOf", "anyOf":
			fits, all := 0, []string{}
			for _, sub := range arg.([]any) {
				if bad := validate(t, sub, v, at); len(bad) == 0 {
					fits++
				} else {
					all = append(all, bad...)
				}
			}
			if fits == 0 || word == "oneOf" && fits > 1 {
				no("%d variants fit: %v", fits, all)
			}
		default:
			t.Fatalf("%s: the schema has the keyword %s, which this walk does not know", at, word)
		}
	}
	return why
}

func isType(name string, v any) bool {
	switch v := v.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case float64:
		return name == "number" || name == "integer" && v == math.Trunc(v)
	case []any:
		return name == "array"
	}
	return name == "object"
}
