package record

import (
	"fmt"
	"math"
)

// Branch is one sequence of records among those of a run.
type Branch uint32

// The branches that there are. Numbers from 1 on are for the branches of a
// program that does several things at once.
const (
	Main  Branch = 0                  // what the program did, in its order; the only one that is replayed
	Notes Branch = math.MaxUint32 - 1 // what the engine noted about the run
	Safe  Branch = math.MaxUint32     // the steps that wrote the safe state
)

// Place is where something stands in the record of a run: nothing else of the
// run ever stands there.
type Place struct {
	Generation uint32 // how often the run has gone on as a new one: 0
	Branch     Branch
	Seq        uint32 // from 0
}

// Next returns the place behind p.
func (p Place) Next() Place {
	p.Seq++
	return p
}

// How places are numbers in the journal: the ranges of the three branches.
const (
	firstNote uint32 = 1 << 30
	firstSafe uint32 = 1 << 31
)

// Number returns the place as the journal keeps it. The error is that of a
// place for which the journal has no number: it is too far on, or on a branch
// or in a generation that cannot be kept yet.
func (p Place) Number() (uint32, error) {
	if p.Generation == 0 {
		switch {
		case p.Branch == Main && p.Seq < firstNote:
			return p.Seq, nil
		case p.Branch == Notes && p.Seq < firstSafe-firstNote:
			return firstNote + p.Seq, nil
		case p.Branch == Safe && p.Seq < firstSafe:
			return firstSafe + p.Seq, nil
		}
	}
	return 0, fmt.Errorf("a record has no room for place %s", p)
}

// PlaceOf returns the place that a number of the journal stands for.
func PlaceOf(number uint32) Place {
	switch {
	case number >= firstSafe:
		return Place{Branch: Safe, Seq: number - firstSafe}
	case number >= firstNote:
		return Place{Branch: Notes, Seq: number - firstNote}
	}
	return Place{Seq: number}
}

// String returns the place as it stands in keys and messages: "12" in the main
// branch, "note.3", "safe.0", "g1.b2.12". Equal texts are equal places.
func (p Place) String() string {
	var s string
	if p.Generation != 0 {
		s = fmt.Sprintf("g%d.", p.Generation)
	}
	switch p.Branch {
	case Main:
	case Notes:
		s += "note."
	case Safe:
		s += "safe."
	default:
		s += fmt.Sprintf("b%d.", p.Branch)
	}
	return fmt.Sprintf("%s%d", s, p.Seq)
}
