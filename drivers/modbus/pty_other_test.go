//go:build !linux

package modbus_test

import (
	"testing"

	"holdfast/drivers/modbus/modbustest"
)

func onPTY(t *testing.T, _ *modbustest.Device) (*serialUnit, string) {
	t.Skip("pseudo-terminals are opened as Linux has them")
	return nil, ""
}
