package wire

import "net/http"

// Code is the kind of a failure.
type Code string

// The kinds of failure.
const (
	Failed      Code = "failed"          // it was tried, and did not work
	BadRequest  Code = "bad_request"     // the words of the request are off
	Unreachable Code = "unreachable"     // no daemon answers; nothing was sent
	NotFound    Code = "not_found"       // no such run, tag, workflow
	Refused     Code = "refused"         // a state, a guard or a permission does not allow it
	Unknown     Code = "outcome_unknown" // it was sent, and no answer tells whether it had its effect
	TryAgain    Code = "try_again"       // not now; nothing was changed
	BadConfig   Code = "bad_config"      // the configuration has faults
)

// Kind is one line of the table of failures.
type Kind struct {
	Code   Code
	Status int // of HTTP; 0: it never passes over the socket
	Exit   int // of the process that was told so
}

// Kinds is the table of failures, by exit code.
func Kinds() []Kind {
	return []Kind{
		{Failed, http.StatusInternalServerError, 1},
		{BadRequest, http.StatusBadRequest, 2},
		{Unreachable, 0, 3},
		{NotFound, http.StatusNotFound, 4},
		{Refused, http.StatusConflict, 5},
		{Unknown, http.StatusGatewayTimeout, 6},
		{TryAgain, http.StatusServiceUnavailable, 75},
		{BadConfig, 0, 78},
	}
}

// Kind returns the line of c; that of Failed for a code that has none.
func (c Code) Kind() Kind {
	kinds := Kinds()
	for _, k := range kinds {
		if k.Code == c {
			return k
		}
	}
	return kinds[0]
}

// Error is a failure as the API tells it. It is an error.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint"` // what to do, or ""
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// ExitCode is the exit code of a process that ends with this failure.
func (e *Error) ExitCode() int { return e.Code.Kind().Exit }

// HeaderBeginBefore is the header of a request for an act that says, as an RFC
// 3339 time, when its sender gives it up if there is no sign of life. The daemon
// does not begin it later: nobody wants an act of whose outcome he was told that
// it is unknown, an hour afterwards.
const HeaderBeginBefore = "Holdfast-Begin-Before"
