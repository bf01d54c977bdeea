package modbus

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/simonvetter/modbus"
)

// schemes are the transports, in the order in which messages name them.
func schemes() []string {
	return []string{"tcp", "udp", "tcp+tls", "rtu", "rtuovertcp", "rtuoverudp"}
}

// unpaced is the line speed that the library is told for RTU over TCP and
// UDP, bit/s: it otherwise waits as a line of 19,200 bit/s would need.
const unpaced = 1_000_000_000

// CheckURL tells whether s is a URL that New takes. The error says what is
// allowed.
func CheckURL(s string) error {
	_, err := parseURL(s)
	return err
}

// parseURL returns what the library needs to know of the transport.
func parseURL(s string) (modbus.ClientConfiguration, error) {
	var conf modbus.ClientConfiguration
	scheme, _, ok := strings.Cut(s, "://")
	if !ok {
		return conf, fmt.Errorf("url %q has no scheme, write for example tcp://192.0.2.10:502", s)
	}
	if !slices.Contains(schemes(), scheme) {
		return conf, fmt.Errorf("url %q: scheme %q is unknown, allowed are %s", s, scheme, strings.Join(schemes(), ", "))
	}
	u, err := url.Parse(s)
	if err != nil {
		return conf, fmt.Errorf("url %q: %w", s, err)
	}
	if u.User != nil || u.Fragment != "" {
		return conf, fmt.Errorf("url %q: Modbus has no user and no fragment", s)
	}
	if scheme == "rtu" {
		conf, err = parseSerial(u)
	} else {
		conf, err = parseHost(u)
	}
	if err != nil {
		return conf, fmt.Errorf("url %q: %w", s, err)
	}
	return conf, nil
}

func parseHost(u *url.URL) (conf modbus.ClientConfiguration, err error) {
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" {
		return conf, fmt.Errorf("nothing comes after host:port")
	}
	port := "502"
	if u.Scheme == "tcp+tls" {
		port = "802"
	}
	switch {
	case u.Hostname() == "":
		return conf, fmt.Errorf("host is missing, write for example %s://192.0.2.10:%s", u.Scheme, port)
	case strings.Contains(u.Hostname(), ":") && !strings.HasPrefix(u.Host, "["):
		return conf, fmt.Errorf("an IPv6 address goes in brackets, as in %s://[2001:db8::1]:%s", u.Scheme, port)
	case u.Port() == "":
		return conf, fmt.Errorf("port is missing, write for example %s://%s", u.Scheme, net.JoinHostPort(u.Hostname(), port))
	}
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || n == 0 {
		return conf, fmt.Errorf("port %s is not from 1 to 65535", u.Port())
	}
	conf.URL = u.Scheme + "://" + net.JoinHostPort(u.Hostname(), u.Port())
	if strings.HasPrefix(u.Scheme, "rtuover") {
		conf.Speed = unpaced
	}
	return conf, nil
}

// parseSerial reads rtu:///dev/…?baud=…&parity=…&stop_bits=…. What is left out
// is as the standard has it: 19,200 bit/s, even parity, one stop bit, or two
// without parity (Modbus over Serial Line v1.02, clause 2.5.1).
func parseSerial(u *url.URL) (conf modbus.ClientConfiguration, err error) {
	if u.Host != "" || !strings.HasPrefix(u.Path, "/") || u.Path == "/" {
		return conf, fmt.Errorf("a serial device is an absolute path with three slashes, write for example rtu:///dev/ttyS0?baud=19200&parity=even")
	}
	conf = modbus.ClientConfiguration{URL: "rtu://" + u.Path, Speed: 19200, DataBits: 8, Parity: modbus.PARITY_EVEN}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return conf, err
	}
	for key, values := range query {
		if len(values) > 1 {
			return conf, fmt.Errorf("%s is given %d times", key, len(values))
		}
		v := values[0]
		switch key {
		case "baud":
			conf.Speed, err = oneOf(key, v, bauds())
		case "stop_bits":
			conf.StopBits, err = oneOf(key, v, []uint{1, 2})
		case "parity":
			conf.Parity, err = parity(v)
		default:
			err = fmt.Errorf("%s is unknown, allowed are baud, parity, stop_bits", key)
		}
		if err != nil {
			return conf, err
		}
	}
	if conf.StopBits == 0 {
		conf.StopBits = 1
		if conf.Parity == modbus.PARITY_NONE {
			conf.StopBits = 2
		}
	}
	return conf, nil
}

// bauds are the line speeds of Linux, bit/s.
func bauds() []uint {
	return []uint{300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800,
		500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000}
}

func oneOf(key, value string, allowed []uint) (uint, error) {
	n, ok := decimal(value)
	if !ok || !slices.Contains(allowed, uint(n)) {
		return 0, fmt.Errorf("%s %q is unknown, allowed are %s", key, value, strings.Trim(fmt.Sprint(allowed), "[]"))
	}
	return uint(n), nil
}

func parity(s string) (uint, error) {
	switch s {
	case "even":
		return modbus.PARITY_EVEN, nil
	case "odd":
		return modbus.PARITY_ODD, nil
	case "none":
		return modbus.PARITY_NONE, nil
	}
	return 0, fmt.Errorf("parity %q is unknown, allowed are even, odd, none", s)
}
