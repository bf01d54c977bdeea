package script

import (
	"fmt"

	"holdfast/engine"
	"holdfast/engine/value"
)

// Plant answers what a file says literally about the plant. Values are those of
// package value.
type Plant interface {
	// Tag says what is wrong with the path of a tag; nil if there is such a tag.
	Tag(path string) error
	// Write says why a value can never be written to a tag: no such tag, nobody
	// may write it, another type, beyond its limits. nil if it can be, as far as
	// that does not depend on the moment.
	Write(path string, v any) error
	// Quality says what is wrong with the name of a quality.
	Quality(name string) error
}

// judgeSafe returns the faults of the safe state of a workflow.
func (w *workflowDef) judgeSafe(l *library) []Fault {
	if l.plant == nil {
		return nil
	}
	var faults []Fault
	for _, line := range w.conf.SafeState {
		if err := judgeLine(l.plant, line); err != nil {
			file, at := w.placeOf(l, line.Tag)
			faults = append(faults, Fault{file, at.line, at.col, fmt.Sprintf("safe_state of %s: %s: %v", w.name, line.Tag, err)})
		}
	}
	return faults
}

func judgeLine(p Plant, line engine.SafeWrite) error {
	if err := p.Tag(line.Tag); err != nil {
		return err
	}
	v, err := value.Decode(line.Value)
	if err != nil {
		return err
	}
	return p.Write(line.Tag, v)
}

// placeOf says where a line of the safe state is written: at its key if that is
// a literal of the workflow's decorator or of another call of its file, else
// where the workflow is defined.
func (w *workflowDef) placeOf(l *library, tag string) (file string, p place) {
	file, p = w.pos.Filename(), at(w.pos)
	s := l.sources[file]
	if s == nil || s.facts == nil {
		return file, p
	}
	for _, def := range []place{p, {}} {
		if key, ok := s.facts.safe[def][tag]; ok {
			return file, key
		}
	}
	return file, p
}
