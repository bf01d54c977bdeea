//go:build !linux

package modbus

import (
	"os"
	"syscall"

	"github.com/simonvetter/modbus"
)

// openPort opens a serial device to listen, with the line settings that it has.
func openPort(path string, _ modbus.ClientConfiguration) (ear, error) {
	port, err := os.OpenFile(path, os.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return port, nil
}
