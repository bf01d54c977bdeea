package config

import "encoding/json"

// Schema returns the JSON Schema (2020-12) of one file of the configuration.
// It says what the decoder says of each key by itself; Load checks more.
func Schema() []byte {
	s := newTables().root.schema()
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Holdfast configuration"
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		panic("config: the schema is not JSON: " + err.Error()) // maps, lists, strings and numbers always are
	}
	return append(b, '\n')
}
