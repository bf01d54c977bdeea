package modbus

import (
	"errors"
	"fmt"
	"os"

	"github.com/simonvetter/modbus"
	"golang.org/x/sys/unix"
)

// openPort opens a serial device to listen, with the line settings that the
// library gives it, and leaves it with them. The library puts back what it
// finds, and that must not be a terminal's settings, with echo: while nobody has
// it open, a late answer would go back over the line, and the answer to a write
// is, byte for byte, the same write.
func openPort(path string, conf modbus.ClientConfiguration) (ear, error) {
	port, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	conn, err := port.SyscallConn()
	if err == nil {
		var ioctlErr error
		err = conn.Control(func(fd uintptr) { ioctlErr = unix.IoctlSetTermios(int(fd), unix.TCSETS2, settings(conf)) })
		err = errors.Join(err, ioctlErr)
	}
	if err != nil {
		_ = port.Close()
		return nil, fmt.Errorf("cannot set up the serial device %s: %w", path, err)
	}
	return port, nil
}

// settings are those of termios(3): all bytes as they come, none sent back.
func settings(conf modbus.ClientConfiguration) *unix.Termios {
	t := &unix.Termios{Cflag: unix.BOTHER | unix.CS8 | unix.CREAD | unix.CLOCAL, Ispeed: uint32(conf.Speed), Ospeed: uint32(conf.Speed)}
	t.Cc[unix.VMIN] = 1
	if conf.StopBits == 2 {
		t.Cflag |= unix.CSTOPB
	}
	switch conf.Parity {
	case modbus.PARITY_EVEN:
		t.Cflag |= unix.PARENB
		t.Iflag |= unix.INPCK
	case modbus.PARITY_ODD:
		t.Cflag |= unix.PARENB | unix.PARODD
		t.Iflag |= unix.INPCK
	}
	return t
}
