package steps

import (
	"io"
	"testing"
	"testing/synctest"

	"holdfast/gateway/tag"
)

// Of a write that was sent and not answered, an operator is to be asked unless
// the tag is a state: of that, whoever reads it knows what it is.
func TestUnansweredWriteAsks(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"tags.write", "tags.write_confirm"} {
		for kind, asks := range map[tag.WriteKind]bool{tag.Set: false, tag.Pulse: true, tag.Toggle: true, tag.Increment: true} {
			synctest.Test(t, func(t *testing.T) {
				info := writable("sp", tag.TypeInt16)
				info.Kind = kind
				p := newPlant(info)
				p.onWrite = func(tag.Path, tag.Value) *tag.Outcome {
					return &tag.Outcome{Result: tag.Unknown, Status: tag.BadTimeout}
				}
				write := named(t, TagSteps(p, minute), name)
				_, err := attempt(t, t.Context(), write, call(t, write, "path", "sp", "value", int64(5)))
				e := fails(t, err, "OutcomeUnknown", "")
				if !e.Unknown || (e.Doubt != nil) != asks {
					t.Fatalf("%s of kind %v: %+v", name, kind, e)
				}
				if asks {
					if e.Doubt.Tag != "sp" || e.Doubt.Why != e.Message {
						t.Errorf("question is %+v", e.Doubt)
					}
					shows(t, e.Doubt.Target, nil, `5`)
				}
			})
		}
	}
}

// Of an update it is to be asked unless the database keeps it from being
// applied twice.
func TestUnansweredUpdateAsks(t *testing.T) {
	t.Parallel()
	for once, asks := range map[bool]bool{true: false, false: true} {
		s := &statement{db: &database{Database: Database{Name: "mes", ExactlyOnce: once}}, sql: "UPDATE t SET n = 1"}
		e := s.unanswered(io.ErrUnexpectedEOF)
		if !e.Unknown || (e.Doubt != nil) != asks {
			t.Errorf("exactly once %v: %+v", once, e)
		}
	}
}
