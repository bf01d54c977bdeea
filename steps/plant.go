package steps

import (
	"errors"
	"fmt"
	"strings"

	"holdfast/gateway/tag"
	"holdfast/internal/nearest"
)

// Plant judges what a workflow file says literally of tags. It asks no device.
type Plant struct{ Tags Plan }

// Plan is what Plant needs of the gateway.
type Plan interface {
	Tags() []tag.Info
	Lookup(p tag.Path) (info tag.Info, ok bool)
	// Admits returns the *tag.Refusal of a write that can never be.
	Admits(p tag.Path, v tag.Value) error
}

// Tag says what is wrong with the path of a tag; nil if there is such a tag.
func (p Plant) Tag(path string) error {
	parsed, err := tag.ParsePath(path)
	if err != nil {
		return err
	}
	if _, ok := p.Tags.Lookup(parsed); ok {
		return nil
	}
	var known []string
	for _, i := range p.Tags.Tags() {
		known = append(known, string(i.Path))
	}
	if n := nearest.Word(path, known); n != "" {
		return fmt.Errorf("no tag %q is configured (did you mean %s?)", path, n)
	}
	return fmt.Errorf("no tag %q is configured", path)
}

// Write says why v, a value of package value, can never be written to a tag.
func (p Plant) Write(path string, v any) error {
	parsed, err := tag.ParsePath(path)
	if err != nil {
		return err
	}
	plain, err := fromPlain(v)
	if err != nil {
		return err
	}
	var r *tag.Refusal
	if err = p.Tags.Admits(parsed, plain); errors.As(err, &r) {
		return errors.New(r.Message) // whoever asks has said of which tag
	}
	return err
}

// Quality says what is wrong with the name of a StatusCode.
func (p Plant) Quality(name string) error {
	if _, ok := tag.ParseStatus(name); ok {
		return nil
	}
	var known []string
	for _, severity := range []tag.StatusCode{tag.Good, tag.Uncertain, tag.Bad} {
		for code := range tag.StatusCode(0x1000) {
			if word := (severity | code<<16).String(); !strings.HasPrefix(word, "0x") {
				known = append(known, word)
			}
		}
	}
	if n := nearest.Word(name, known); n != "" {
		return fmt.Errorf("%q is not the name of a quality (did you mean %s?)", name, n)
	}
	return fmt.Errorf("%q is not the name of a quality, such as Good, Bad, BadNoCommunication, UncertainLastUsableValue", name)
}
