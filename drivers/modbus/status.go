package modbus

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/simonvetter/modbus"

	"holdfast/gateway/tag"
)

// exception is an answer by which the device refuses (Modbus Application
// Protocol v1.1b3, clause 7).
type exception struct {
	code   uint8
	name   string
	read   tag.StatusCode // quality of a read
	write  tag.StatusCode // status of a write
	result tag.Result     // of a write
}

// detail is the sentence that a refused write shows.
func (e exception) detail() string { return fmt.Sprintf("Modbus exception %d, %s", e.code, e.name) }

// exceptionOf returns the exception that the library tells of by err; ok is
// false for every other error.
func exceptionOf(err error) (e exception, ok bool) {
	refused := func(code uint8, name string, status tag.StatusCode) (exception, bool) {
		return exception{code, name, status, status, tag.Rejected}, true
	}
	// The device failed while it carried the request out, or says what nobody
	// knows: that does not tell that a write had no effect.
	failed := func(code uint8, name string, status tag.StatusCode) (exception, bool) {
		return exception{code, name, status, status, tag.Unknown}, true
	}
	switch {
	case errors.Is(err, modbus.ErrIllegalFunction):
		return refused(1, "illegal function", tag.BadNotSupported)
	case errors.Is(err, modbus.ErrIllegalDataAddress):
		return refused(exceptionAddress, "illegal data address", tag.BadNodeIdUnknown)
	case errors.Is(err, modbus.ErrIllegalDataValue):
		return refused(exceptionValue, "illegal data value", tag.BadOutOfRange)
	case errors.Is(err, modbus.ErrServerDeviceFailure):
		return failed(4, "server device failure", tag.BadDeviceFailure)
	case errors.Is(err, modbus.ErrAcknowledge):
		// The device has taken the request and still works on it: the write
		// is neither refused nor done.
		return exception{5, "acknowledge: the device is still working on it",
			tag.BadWaitingForInitialData, tag.GoodCompletesAsync, tag.Unknown}, true
	case errors.Is(err, modbus.ErrServerDeviceBusy):
		return refused(6, "server device busy", tag.BadResourceUnavailable)
	case errors.Is(err, modbus.ErrMemoryParityError):
		return failed(8, "memory parity error", tag.BadDeviceFailure)
	case errors.Is(err, modbus.ErrGWPathUnavailable):
		return refused(10, "gateway path unavailable", tag.BadNoCommunication)
	case errors.Is(err, modbus.ErrGWTargetFailedToRespond):
		// The gateway has passed the request on, and heard nothing.
		return exception{11, "gateway target device failed to respond", tag.BadTimeout, tag.BadTimeout, tag.Unknown}, true
	}
	if err == nil {
		return exception{}, false
	}
	var code uint8
	// The library has no value for these, only a text.
	if n, scanErr := fmt.Sscanf(err.Error(), "unknown exception code (%d)", &code); scanErr != nil || n != 1 {
		return exception{}, false
	}
	return failed(code, "of no standard", tag.BadUnexpectedError)
}

// The exceptions that may be about one part of a block only.
const (
	exceptionAddress = 2
	exceptionValue   = 3
)

// splits reports whether a smaller block may be answered.
func (e exception) splits() bool { return e.code == exceptionAddress || e.code == exceptionValue }

// linkStatus returns the StatusCode for an error that is not an exception.
func linkStatus(err error) tag.StatusCode {
	switch {
	case errors.Is(err, modbus.ErrRequestTimedOut), errors.Is(err, os.ErrDeadlineExceeded):
		return tag.BadTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNREFUSED):
		return tag.BadConnectionClosed
	}
	return tag.BadCommunicationError
}

// notSent reports whether err tells for certain that no byte of the request
// left: the operating system knew the link to be dead and took nothing.
func notSent(err error) bool {
	var op *net.OpError
	if !errors.As(err, &op) {
		return false
	}
	switch op.Op {
	case "set": // the deadline, before anything is written
		return true
	case "write":
		return errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) ||
			errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, net.ErrClosed)
	}
	return false
}
