package modbus

import (
	"testing"

	"github.com/simonvetter/modbus"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	type line struct{ speed, parity, stop uint }
	for _, c := range []struct {
		in, url string
		line    line
	}{
		{"tcp://192.0.2.10:502", "tcp://192.0.2.10:502", line{}},
		{"tcp://[2001:db8::1]:502", "tcp://[2001:db8::1]:502", line{}},
		{"tcp://plc/1:502", "", line{}},
		{"udp://plc1:502", "udp://plc1:502", line{}},
		{"tcp+tls://plc1:802/", "tcp+tls://plc1:802", line{}},
		{"rtuovertcp://plc1:4001", "rtuovertcp://plc1:4001", line{speed: unpaced}},
		{"rtuoverudp://plc1:4001", "rtuoverudp://plc1:4001", line{speed: unpaced}},
		{"rtu:///dev/ttyS0", "rtu:///dev/ttyS0", line{19200, modbus.PARITY_EVEN, 1}},
		{"rtu:///dev/serial/by-id/usb-FTDI?baud=9600&parity=none", "rtu:///dev/serial/by-id/usb-FTDI", line{9600, modbus.PARITY_NONE, 2}},
		{"rtu:///dev/ttyS0?baud=115200&parity=odd&stop_bits=2", "rtu:///dev/ttyS0", line{115200, modbus.PARITY_ODD, 2}},
	} {
		if c.url == "" {
			if err := CheckURL(c.in); err == nil {
				t.Errorf("%s is taken", c.in)
			}
			continue
		}
		conf, err := parseURL(c.in)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if conf.URL != c.url || (line{conf.Speed, conf.Parity, conf.StopBits}) != c.line {
			t.Errorf("%s is %+v; want %s with %+v", c.in, conf, c.url, c.line)
		}
	}
}

func TestCheckURLBad(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"", `url "" has no scheme, write for example tcp://192.0.2.10:502`},
		{"192.0.2.10:502", `url "192.0.2.10:502" has no scheme, write for example tcp://192.0.2.10:502`},
		{"http://h:1", `url "http://h:1": scheme "http" is unknown, allowed are tcp, udp, tcp+tls, rtu, rtuovertcp, rtuoverudp`},
		{"tcp://", `url "tcp://": host is missing, write for example tcp://192.0.2.10:502`},
		{"tcp://:502", `url "tcp://:502": host is missing, write for example tcp://192.0.2.10:502`},
		{"tcp://h", `url "tcp://h": port is missing, write for example tcp://h:502`},
		{"tcp+tls://::1", `url "tcp+tls://::1": an IPv6 address goes in brackets, as in tcp+tls://[2001:db8::1]:802`},
		{"tcp://h:0", `url "tcp://h:0": port 0 is not from 1 to 65535`},
		{"tcp://h:70000", `url "tcp://h:70000": port 70000 is not from 1 to 65535`},
		{"tcp://h:502/1", `url "tcp://h:502/1": nothing comes after host:port`},
		{"tcp://h:502?unit=1", `url "tcp://h:502?unit=1": nothing comes after host:port`},
		{"tcp://me@h:502", `url "tcp://me@h:502": Modbus has no user and no fragment`},
		{"rtu://dev/ttyS0", `url "rtu://dev/ttyS0": a serial device is an absolute path with three slashes, write for example rtu:///dev/ttyS0?baud=19200&parity=even`},
		{"rtu:///", `url "rtu:///": a serial device is an absolute path with three slashes, write for example rtu:///dev/ttyS0?baud=19200&parity=even`},
		{"rtu:///dev/ttyS0?baud=9601", `url "rtu:///dev/ttyS0?baud=9601": baud "9601" is unknown, allowed are 300 600 1200 1800 2400 4800 9600 19200 38400 57600 115200 230400 460800 500000 576000 921600 1000000 1152000 1500000 2000000 2500000 3000000 3500000 4000000`},
		{"rtu:///dev/ttyS0?parity=E", `url "rtu:///dev/ttyS0?parity=E": parity "E" is unknown, allowed are even, odd, none`},
		{"rtu:///dev/ttyS0?stop_bits=3", `url "rtu:///dev/ttyS0?stop_bits=3": stop_bits "3" is unknown, allowed are 1 2`},
		{"rtu:///dev/ttyS0?speed=9600", `url "rtu:///dev/ttyS0?speed=9600": speed is unknown, allowed are baud, parity, stop_bits`},
		{"rtu:///dev/ttyS0?baud=9600&baud=9600", `url "rtu:///dev/ttyS0?baud=9600&baud=9600": baud is given 2 times`},
	} {
		err := CheckURL(c.in)
		if err == nil {
			t.Errorf("%q is taken; want the error\n%s", c.in, c.want)
		} else if err.Error() != c.want {
			t.Errorf("%q:\n got %s\nwant %s", c.in, err, c.want)
		}
	}
}
