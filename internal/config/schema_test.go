package config_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"holdfast/internal/config"
)

func schemaOf(t *testing.T) node {
	t.Helper()
	var s node
	if err := json.Unmarshal(config.Schema(), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func document(t *testing.T, file string) any {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	return plain(t, doc.Content[0])
}

// plain gives a node the types that a JSON file would have.
func plain(t *testing.T, n *yaml.Node) (v any) {
	t.Helper()
	switch n.Kind {
	case yaml.MappingNode:
		m := node{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = plain(t, n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		l := []any{}
		for _, c := range n.Content {
			l = append(l, plain(t, c))
		}
		return l
	}
	if err := n.Decode(&v); err != nil {
		t.Fatal(err)
	}
	if _, isFloat := v.(float64); !isFloat && n.Tag == "!!int" {
		var f float64
		if err := n.Decode(&f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	return v
}

// TestSchemaAccepts holds the schema to files that are right, the contract's
// whole example among them.
func TestSchemaAccepts(t *testing.T) {
	t.Parallel()
	s := schemaOf(t)
	files, err := filepath.Glob("testdata/good/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, example, "testdata/contract.yaml", "testdata/good/parts/holdfast.yaml") {
		for _, why := range validate(t, s, document(t, file), filepath.Base(file)) {
			t.Error(why)
		}
	}
}

// TestSchemaRefuses holds it to files with a fault that one key shows.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	s := schemaOf(t)
	for _, name := range []string{
		"version_two", "version_text", "version_missing", "unknown_section", "unknown_key", "unknown_key_far", "number_is_text",
		"number_quoted", "number_is_list", "number_too_great", "duration_without_unit", "duration_days", "bool_yes",
		"list_is_text", "text_is_mapping", "name_with_space", "period_missing", "driver_missing", "driver_unknown",
		"driver_without_key", "url_missing", "unit_id", "order_unknown", "limit_registers", "limit_coils", "security_policy",
		"security_mode", "security_nothing", "server_cert", "acquire", "auth_word", "auth_inline_password", "auth_without_password",
		"auth_both", "auth_without_key", "tag_path_empty_segment", "tag_connection_missing", "tag_address_missing", "type_unknown",
		"length_too_great", "scale_empty", "scale_half", "scale_mixed", "scale_raw_equal", "scale_three", "deadband_negative",
		"write_nothing", "write_true", "write_kind", "write_step_zero", "interlock_tag_missing", "interlock_equals_missing",
		"interlock_equals_list", "database_driver", "database_password", "http_allow_scheme", "http_allow_user", "http_allow_query", "http_allow_host",
	} {
		if why := validate(t, s, document(t, "testdata/bad/"+name+".yaml"), name); len(why) == 0 {
			t.Errorf("the schema accepts %s", name)
		}
	}
}

// TestSchemaKeys holds, for each mapping of the schema, that the decoder knows
// the same keys: those that it lists for an unknown one.
func TestSchemaKeys(t *testing.T) {
	t.Parallel()
	seen := 0
	walkObjects(schemaOf(t), nil, func(keys []string, s node) {
		seen++
		want := slices.Sorted(maps.Keys(s["properties"].(node)))
		doc := node{"zzzzzzzz": 1}
		if driver, ok := s["properties"].(node)["driver"].(node); ok && driver["const"] != nil {
			doc["driver"] = driver["const"]
		}
		var v any = doc
		for _, k := range slices.Backward(keys) {
			name, option, _ := strings.Cut(k, "=")
			if option != "" { // a connection's driver
				v.(node)["driver"] = option
			}
			if name == "[]" {
				v = []any{v}
			} else {
				v = node{name: v}
			}
		}
		file := filepath.Join(t.TempDir(), "h.yaml")
		data, err := yaml.Marshal(v)
		if err == nil {
			err = os.WriteFile(file, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, fs := config.Load(file, nil)
		for _, f := range fs {
			if _, list, ok := strings.Cut(f.Message, `unknown key "zzzzzzzz"; allowed: `); ok {
				if got := strings.Split(list, ", "); !slices.Equal(got, want) {
					t.Errorf("%v: the decoder knows %v, the schema %v", keys, got, want)
				}
				return
			}
		}
		t.Errorf("%v: the decoder takes an unknown key: %v\n%s", keys, fs, data)
	})
	if seen < 15 {
		t.Errorf("the schema has %d mappings, want 15 or more", seen)
	}
}

// walkObjects visits each mapping with fixed keys, with the way to it. Later
// features are not decoded.
func walkObjects(s node, keys []string, visit func(keys []string, s node)) {
	if doc, _ := s["description"].(string); strings.HasSuffix(doc, "Not available yet.") {
		return
	}
	sub := func(x any, k string) {
		if m, ok := x.(node); ok {
			walkObjects(m, append(slices.Clone(keys), k), visit)
		}
	}
	if properties, ok := s["properties"].(node); ok {
		if variant, ok := properties["driver"].(node); ok && variant["const"] != nil {
			keys = slices.Clone(keys)
			keys[len(keys)-1] += "=" + variant["const"].(string)
		}
		if s["type"] != nil { // else a condition on keys that are known already
			visit(keys, s)
			for k, x := range properties {
				sub(x, k)
			}
		}
	}
	if x, ok := s["additionalProperties"].(node); ok {
		name := "x"
		if len(keys) > 0 && keys[len(keys)-1] == "queues" {
			name = "default"
		}
		sub(x, name)
	}
	sub(s["items"], "[]")
	if variants, ok := s["oneOf"].([]any); ok {
		for _, x := range variants {
			walkObjects(x.(node), keys, visit)
		}
	}
}

func TestSchemaIsStable(t *testing.T) {
	t.Parallel()
	if !bytes.Equal(config.Schema(), config.Schema()) {
		t.Error("two calls differ")
	}
}
