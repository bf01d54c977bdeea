package opcua

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gopcua/opcua/ua"
)

// maxIdentifier is the longest identifier of a node, in bytes (OPC 10000-3, 8.2.4).
const maxIdentifier = 4096

const addressForms = "allowed are nsu=URI;s=TEXT and ns=NUMBER;s=TEXT, with i=NUMBER, g=GUID or b=BASE64 in place of s=TEXT, and no namespace for that of OPC UA itself (i=2258)"

// address is a parsed NodeId (OPC 10000-6, 5.3.1.10) whose namespace may be
// given by its URI.
type address struct {
	uri   string // "" where the index is given
	index uint16
	kind  byte // 'i', 's', 'g' or 'b'
	num   uint32
	text  string // TEXT, or the GUID's canonical form
	bytes []byte
}

// CheckAddress says what is wrong with a tag's address, and what is allowed.
func CheckAddress(s string) error {
	_, err := parseAddress(s)
	return err
}

func parseAddress(s string) (address, error) {
	var a address
	fail := func(format string, args ...any) (address, error) {
		return address{}, fmt.Errorf("address %q %s; %s", s, fmt.Sprintf(format, args...), addressForms)
	}
	if s == "" {
		return fail("is empty")
	}
	if !utf8.ValidString(s) {
		return fail("is not UTF-8")
	}
	rest := s
	switch {
	case strings.HasPrefix(rest, "nsu="):
		uri, after, ok := strings.Cut(rest[4:], ";")
		if !ok {
			return fail("ends after its namespace")
		}
		uri, err := url.PathUnescape(uri) // ; and % in a URI are written %3B and %25
		if err != nil || uri == "" {
			return fail("has no valid namespace URI")
		}
		a.uri, rest = uri, after
	case strings.HasPrefix(rest, "ns="):
		n, after, ok := strings.Cut(rest[3:], ";")
		if !ok {
			return fail("ends after its namespace")
		}
		index, ok := digits(n, 16)
		if !ok {
			return fail("has the namespace index %q, which is not a number from 0 to 65535", n)
		}
		a.index, rest = uint16(index), after
	case strings.HasPrefix(rest, "svr="):
		return fail("names another server")
	}
	if len(rest) < 2 || rest[1] != '=' {
		return fail("has no identifier")
	}
	id := rest[2:]
	if len(id) > maxIdentifier {
		return fail("has an identifier of %d bytes, at most %d are allowed", len(id), maxIdentifier)
	}
	a.kind = rest[0]
	switch a.kind {
	case 'i':
		n, ok := digits(id, 32)
		if !ok {
			return fail("has the identifier %q, which is not a number from 0 to 4294967295", id)
		}
		a.num = uint32(n)
	case 's':
		if id == "" {
			return fail("has an empty identifier")
		}
		a.text = id
	case 'g':
		if !guidForm().MatchString(id) {
			return fail("has the identifier %q, which is not a GUID", id)
		}
		a.text = strings.ToUpper(id)
	case 'b':
		b, err := base64.StdEncoding.DecodeString(id)
		if err != nil || len(b) == 0 {
			return fail("has the identifier %q, which is not base64", id)
		}
		a.bytes = b
	default:
		return fail("has an identifier of unknown kind %q", rest[:2])
	}
	return a, nil
}

func guidForm() *regexp.Regexp {
	return regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
}

// digits reads a decimal number without sign or blanks.
func digits(s string, bits int) (uint64, bool) {
	if s == "" || s[0] == '+' {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, bits)
	return n, err == nil
}

// resolve returns the node under the server's present namespace array, or nil
// where that lacks the address's namespace.
func (a address) resolve(namespaces []string) *ua.NodeID {
	ns := a.index
	if a.uri != "" {
		found := false
		for i, uri := range namespaces {
			if uri == a.uri && i <= 0xFFFF {
				ns, found = uint16(i), true
				break
			}
		}
		if !found {
			return nil
		}
	}
	switch a.kind {
	case 's':
		return ua.NewStringNodeID(ns, a.text)
	case 'g':
		return ua.NewGUIDNodeID(ns, a.text)
	case 'b':
		return ua.NewByteStringNodeID(ns, a.bytes)
	}
	return ua.NewNumericNodeID(ns, a.num)
}
