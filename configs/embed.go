// Package configs holds the example configuration and the example workflows,
// as they are shipped. What needs them in the program, such as the demo, takes
// them from here, so that nothing is written twice.
package configs

import "embed"

// workflows holds workflows/*.star.
//
//go:embed workflows/*.star
var workflows embed.FS

// Workflow returns the text of an example workflow by its file's name, such as
// "fill_batch.star". The error is fs.ErrNotExist's kind.
func Workflow(name string) ([]byte, error) { return workflows.ReadFile("workflows/" + name) }

// Workflows returns the file names of the example workflows, in order.
func Workflows() ([]string, error) {
	entries, err := workflows.ReadDir("workflows")
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names, nil
}
