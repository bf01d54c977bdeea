// Package config loads, completes and checks the configuration: one YAML file,
// the files conf.d/*.yaml beside it, and the CSV files of tags that they name.
//
// A key is described once, in the tables of keys_*.go: its name, its kind of
// value, its default, what it is for. The decoder, the message about an unknown
// key, the columns of a CSV file and the JSON Schema all come from that table.
// What the tables cannot say, because it takes two keys, is in check_*.go.
//
// Load collects every Fault of every file, and any fault means that the
// configuration is not to be used. The grammar of addresses and URLs belongs
// to the drivers, and comes in as DriverChecks. Secrets are never part of a
// configuration: it names credentials, and Config.Credential reads them.
package config
