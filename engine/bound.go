package engine

import (
	"errors"
	"strings"

	"holdfast/engine/value"
)

// typeLimit is the type of an error about a value that exceeds its bounds.
const typeLimit = "LimitExceeded"

// maxMessage bounds the messages of errors in the record, in bytes.
const maxMessage = 64 << 10

// encode encodes a value that the program or a step has made, for the record.
// The error is a *value.LimitError where it is more than can be kept.
func encode(v any) (value.Raw, error) {
	enc, err := value.Encode(v)
	if err == nil {
		err = value.Fits(len(enc))
	}
	return enc, err
}

// errorTypeOf returns the type of an error about a value: LimitExceeded, or other.
func errorTypeOf(err error, other string) string {
	if errors.As(err, new(*value.LimitError)) {
		return typeLimit
	}
	return other
}

// short cuts a message that is too long to be kept.
func short(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	return strings.ToValidUTF8(s[:maxMessage], "") + "…"
}

// short returns e with a message that can be kept.
func (e *RunError) short() *RunError {
	if e == nil || len(e.Message) <= maxMessage && len(e.Traceback) <= maxMessage {
		return e
	}
	cut := *e
	cut.Message, cut.Traceback = short(e.Message), short(e.Traceback)
	return &cut
}
