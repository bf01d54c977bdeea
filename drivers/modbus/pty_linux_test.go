package modbus_test

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"holdfast/drivers/modbus/modbustest"
)

// onPTY puts a unit behind a pseudo-terminal. As the system makes it, it works
// line by line and with echo; here even with echo of each byte as it is.
func onPTY(t *testing.T, dev *modbustest.Device) (*serialUnit, string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals here: %v", err)
	}
	var n int
	err = control(master, func(fd int) error {
		var err error
		n, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	})
	if err != nil {
		t.Fatal(err)
	}
	path := fmt.Sprintf("/dev/pts/%d", n)
	// While nobody has the other end open, reading would fail.
	other, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	err = control(other, func(fd int) error {
		settings, err := unix.IoctlGetTermios(fd, unix.TCGETS)
		if err != nil {
			return err
		}
		settings.Lflag &^= unix.ECHOCTL
		return unix.IoctlSetTermios(fd, unix.TCSETS, settings)
	})
	if err != nil {
		t.Fatal(err)
	}
	u := newSerialUnit(t, dev, func(b []byte) {
		if _, err := master.Write(b); err != nil {
			t.Error(err)
		}
	})
	var work sync.WaitGroup
	work.Go(func() {
		buf := make([]byte, 512)
		for {
			n, err := master.Read(buf)
			if err != nil {
				return
			}
			u.feed(buf[:n])
		}
	})
	t.Cleanup(func() { master.Close(); work.Wait(); other.Close() })
	return u, "rtu://" + path + "?baud=4000000"
}

// control calls f with the descriptor of a file.
func control(file *os.File, f func(fd int) error) error {
	conn, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	err = conn.Control(func(fd uintptr) { inner = f(int(fd)) })
	return errors.Join(err, inner)
}
