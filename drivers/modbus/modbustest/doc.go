// Package modbustest is a Modbus TCP device in memory, for tests and the
// demonstration: the four tables with all 65,536 addresses, a log of writes,
// and hooks that refuse, delay and listen. It speaks through
// simonvetter/modbus's server and does not depend on package testing.
//
//	dev, err := modbustest.Listen("127.0.0.1:0")
//	if err != nil {
//		return err
//	}
//	defer dev.Close()
//	dev.SetHolding(100, 0x1234)
//	connect(dev.URL()) // tcp://127.0.0.1:PORT
//
// A Device answers every unit identifier alike. Its methods may be called at
// any time, from any goroutine, hooks included. A peculiarity of the server
// behind it: a request for more than 125 registers closes the link
// instead of answering with exception 3.
package modbustest

// The tables by the names that the configuration uses.
const (
	TableCoil     = "coil"
	TableDiscrete = "discrete"
	TableInput    = "input"
	TableHolding  = "holding"
)

// Exception is a Modbus exception code (Modbus Application Protocol v1.1b3,
// clause 7).
type Exception uint8

// The exceptions that a Device can answer with.
const (
	IllegalFunction         Exception = 1
	IllegalDataAddress      Exception = 2
	IllegalDataValue        Exception = 3
	ServerDeviceFailure     Exception = 4
	Acknowledge             Exception = 5
	ServerDeviceBusy        Exception = 6
	MemoryParityError       Exception = 8
	GatewayPathUnavailable  Exception = 10
	GatewayTargetNoResponse Exception = 11
)
