package modbus

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/simonvetter/modbus"

	"holdfast/gateway/tag"
)

// TestExceptionByText covers the codes of which the library gives a text only.
func TestExceptionByText(t *testing.T) {
	t.Parallel()
	e, ok := exceptionOf(errors.New("unknown exception code (7)"))
	if !ok || e.code != 7 || e.result != tag.Unknown || e.write != tag.BadUnexpectedError || e.detail() != "Modbus exception 7, of no standard" {
		t.Errorf("exception 7 is %+v, %t", e, ok)
	}
	for _, err := range []error{nil, io.EOF, modbus.ErrRequestTimedOut, modbus.ErrProtocolError, modbus.ErrBadUnitId, modbus.ErrBadCRC,
		modbus.ErrShortFrame, modbus.ErrUnexpectedParameters, errors.New("unknown exception code (300)"), errors.New("unknown exception")} {
		if e, ok := exceptionOf(err); ok {
			t.Errorf("%v is taken for exception %d", err, e.code)
		}
	}
}

func TestLinkErrors(t *testing.T) {
	t.Parallel()
	op := func(op string, err error) error {
		return fmt.Errorf("wrapped: %w", &net.OpError{Op: op, Net: "tcp", Err: os.NewSyscallError(op, err)})
	}
	for _, c := range []struct {
		err     error
		status  tag.StatusCode
		notSent bool
	}{
		{modbus.ErrRequestTimedOut, tag.BadTimeout, false}, // a write that timed out is one, too
		{io.EOF, tag.BadConnectionClosed, false},
		{op("read", syscall.ECONNRESET), tag.BadConnectionClosed, false},
		{op("read", syscall.ECONNREFUSED), tag.BadConnectionClosed, false}, // UDP: the datagram left
		{op("write", syscall.EPIPE), tag.BadConnectionClosed, true},
		{op("write", syscall.ECONNRESET), tag.BadConnectionClosed, true},
		{op("write", syscall.EIO), tag.BadCommunicationError, false},
		{op("set", net.ErrClosed), tag.BadConnectionClosed, true},
		{syscall.EIO, tag.BadCommunicationError, false},
		{modbus.ErrBadCRC, tag.BadCommunicationError, false},
	} {
		if status, not := linkStatus(c.err), notSent(c.err); status != c.status || not != c.notSent {
			t.Errorf("%v is %v, not sent %t; want %v, %t", c.err, status, not, c.status, c.notSent)
		}
	}
}
