package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"holdfast/engine"
	"holdfast/engine/value"
)

// checksumStep is a step in Go: it tells the SHA-256 of a text. A step of one's
// own needs a name, parameters and Run; what acts on the outside also needs
// Effect, and Recover where evidence can be had.
type checksumStep struct{}

func (checksumStep) Name() string           { return "text.checksum" }
func (checksumStep) Params() []engine.Param { return []engine.Param{{Name: "text", Required: true}} }

func (checksumStep) Run(_ context.Context, a engine.Args) (any, error) {
	text, err := a.String("text")
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(text))
	return value.NewMap("sha256", hex.EncodeToString(sum[:])), nil
}

// selfTest is a workflow in Go: it reads a tag, checksums what it found, and
// tells so. Every call goes through the run, so that it is recorded, and
// answered from the record after a restart.
func selfTest(lib map[string]engine.Step) engine.Workflow {
	return engine.Workflow{
		Name: "holdfast.selftest", Description: "reads one tag and checksums its value", File: "internal/app/selftest.go",
		Inputs: []engine.Input{{Name: "path", Required: true}}, Program: selfTestProgram{lib},
	}
}

type selfTestProgram struct{ lib map[string]engine.Step }

func (p selfTestProgram) Run(ctx context.Context, r *engine.Run) (any, error) {
	in, err := value.Decode(r.Inputs())
	if err != nil {
		return nil, err
	}
	path, _ := in.(*value.Map).Get("path")
	args, err := value.Encode(value.NewMap("path", path))
	if err != nil {
		return nil, err
	}
	sample, err := r.Step(engine.Call{Step: p.lib["tags.read"], Args: args})
	if err != nil {
		return nil, err
	}
	text, err := sample.MarshalJSON()
	if err != nil {
		return nil, err
	}
	if args, err = value.Encode(value.NewMap("text", string(text))); err != nil {
		return nil, err
	}
	sum, err := r.Step(engine.Call{Step: p.lib["text.checksum"], Args: args})
	if err != nil {
		return nil, err
	}
	if err := r.Progress("read "+r.ID(), sample); err != nil {
		return nil, err
	}
	return value.NewMap("sample", sample, "checksum", sum), nil
}
