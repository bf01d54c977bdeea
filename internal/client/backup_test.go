package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"holdfast/internal/client"
	"holdfast/internal/control/controltest"
	"holdfast/internal/control/wire"
	"holdfast/journal"
)

// TestBackupOverTheSocket: what arrives is a whole backup, and what is said of it
// is true.
func TestBackupOverTheSocket(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	var b bytes.Buffer
	said, err := client.New(d.Socket).Backup(t.Context(), &b)
	if err != nil {
		t.Fatal(err)
	}
	info, err := journal.ReadBackup(&b)
	if err != nil || said != (wire.Backup{Journal: info.Journal, Time: info.Time, Frame: info.Frame, Runs: info.Runs, Entries: info.Entries, Bytes: info.Bytes}) {
		t.Errorf("said %+v, is %+v, %v", said, info, err)
	}
}

// TestBackupWhileRecovering: it can be asked for again.
func TestBackupWhileRecovering(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, make(chan struct{}))
	_, err := client.New(d.Socket).Backup(t.Context(), io.Discard)
	wantCode(t, err, wire.TryAgain, "recovering")
}

// TestBackupThatFails: an error is told, before the first byte and behind any,
// and so is an end without a word.
func TestBackupThatFails(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 1 << 20} {
		d := controltest.Start(t, nil)
		d.FailBackups(func(_ context.Context, w io.Writer) error {
			_, err := w.Write(make([]byte, n))
			if n == 0 {
				err = nil
			}
			return errors.Join(err, errors.New("page 7 is damägd\nfor ever"))
		})
		_, err := client.New(d.Socket).Backup(t.Context(), io.Discard)
		wantCode(t, err, wire.Failed, "page 7 is damägd\nfor ever")
	}
	for name, answer := range map[string]string{
		"no answer":       "",
		"cut off":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
		"without a word":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
		"not that long":   "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\nHoldfast-Answer: {\"bytes\":6}\r\n\r\n",
		"another program": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde",
	} {
		socket, _ := peer(t, func(c net.Conn) { fmt.Fprint(c, answer) })
		_, err := client.New(socket).Backup(t.Context(), io.Discard)
		var e *wire.Error
		if !errors.As(err, &e) || e.Code != wire.Failed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBackupNotTaken: an error of who takes it is returned as it is, and a reader
// that is gone is not waited for.
func TestBackupNotTaken(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	ended := make(chan error, 1)
	d.FailBackups(func(ctx context.Context, w io.Writer) error {
		var err error
		for err == nil {
			_, err = w.Write(make([]byte, 1<<20))
		}
		ended <- err
		return err
	})
	full := errors.New("no room")
	if _, err := client.New(d.Socket).Backup(t.Context(), writer(func([]byte) (int, error) { return 0, full })); !errors.Is(err, full) {
		t.Errorf("the error is %v", err)
	}
	if err := <-ended; err == nil {
		t.Error("it went on for nobody")
	}
}

type writer func([]byte) (int, error)

func (f writer) Write(p []byte) (int, error) { return f(p) }

// TestStopEndsBackup: a daemon that stops does not wait for a backup.
func TestStopEndsBackup(t *testing.T) {
	t.Parallel()
	d := controltest.Start(t, nil)
	begun := make(chan struct{})
	d.FailBackups(func(ctx context.Context, w io.Writer) error {
		if _, err := w.Write([]byte("x")); err != nil {
			return err
		}
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	})
	failed := make(chan error, 1)
	go func() {
		_, err := client.New(d.Socket).Backup(context.Background(), io.Discard)
		failed <- err
	}()
	<-begun
	d.Stop()
	wantCode(t, <-failed, wire.TryAgain, "the daemon is stopping")
}
