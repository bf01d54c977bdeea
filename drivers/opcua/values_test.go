package opcua_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/awcullen/opcua/ua"

	"holdfast/drivers/opcua/opcuatest"
	"holdfast/gateway/tag"
)

// userCertificate makes a certificate for a user, and its key, in PEM.
func userCertificate(t *testing.T) (cert, key []byte) {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "edge"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)})
}

func mustAdd(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestValues reads and writes values whose type only the server knows.
func TestValues(t *testing.T) {
	t.Parallel()
	s := listen(t)
	list := func(vs ...tag.Value) tag.Value { return tag.List(vs) }
	mustAdd(t, s.AddSubtyped("Duration", 290, 1.5, true))
	mustAdd(t, s.AddSubtyped("Enumeration", 851, int32(1), true))
	mustAdd(t, s.AddSubtyped("UtcTime", 294, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), true))
	mustAdd(t, s.AddSubtyped("Number", 26, uint16(3), true))
	mustAdd(t, s.AddSubtyped("Image", 30, ua.ByteString("abc"), true))
	for name, v := range map[string]any{
		"DateTime": time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), "Text": ua.LocalizedText{Text: "Halt", Locale: "de"},
		"Name": ua.QualifiedName{NamespaceIndex: 2, Name: "n"}, "Status": ua.BadTimeout, "Range": ua.Range{Low: 1, High: 2},
		"Doubles": []float64{1, 2.5}, "Strings": []string{"a", ""}, "Bytes": []uint8{1, 2},
	} {
		add(t, s, name, tag.TypeAny, v, true)
	}
	for _, c := range []struct {
		name  string
		reads string    // as JSON, or the bad status
		write tag.Value // None for nothing
		after string    // what it reads then, or "refused: " and what the detail has
	}{
		{"Duration", "1.5", tag.Int(20), "20"},
		{"Enumeration", "1", tag.Int(2), "2"},
		{"Enumeration", "2", tag.Float(0.5), "refused: 0.5 is not a whole number"},
		{"UtcTime", `"2026-01-01T00:00:00Z"`, tag.String("2026-02-01T00:00:00+01:00"), `"2026-01-31T23:00:00Z"`},
		{"Number", "3", tag.Int(4), "4"},
		{"Number", "4", tag.Int(-1), "refused: -1 is outside the range of uint16"},
		{"Image", `"YWJj"`, tag.Bytes([]byte{0}), `"AA=="`},
		{"DateTime", `"2026-01-01T00:00:00Z"`, tag.String("now"), `refused: "now" is not a time of RFC 3339`},
		{"Text", `"Halt"`, tag.String("Los"), `"Los"`},
		{"Name", `"2:n"`, tag.String("1:m"), `"1:m"`},
		{"Status", "2148139008", tag.Int(0), "0"},
		{"Range", "BadNotSupported", tag.Int(1), "refused: values of the server's type Structure cannot be written"},
		{"Doubles", "[1,2.5]", list(tag.Int(3)), "[3]"},
		{"Doubles", "[3]", tag.Int(3), "refused: 3 is not a list"},
		{"Strings", `["a",""]`, list(tag.String("x"), tag.String("y")), `["x","y"]`},
		{"Bytes", "[1,2]", list(tag.Int(255)), "[255]"},
	} {
		is := items(s, c.name)
		d := newDriver(t, config(s), is)
		connect(t, d)
		if got := shown(read(t, d, is)[0]); got != c.reads {
			t.Errorf("%s reads %s, want %s", c.name, got, c.reads)
		}
		o := write(t, d, is[0], c.write)
		if want, ok := strings.CutPrefix(c.after, "refused: "); ok {
			if o.Result != tag.Rejected || !strings.HasPrefix(o.Detail, "not sent: "+want) {
				t.Errorf("write of %v to %s: %+v; want %s", c.write, c.name, o, c.after)
			}
		} else if got := shown(read(t, d, is)[0]); o.Result != tag.Accepted || got != c.after {
			t.Errorf("write of %v to %s: %+v, and it reads %s", c.write, c.name, o, got)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

func shown(s tag.Sample) string {
	if s.Status.IsBad() {
		return s.Status.String()
	}
	return s.Value.String()
}

func TestRefusedWrites(t *testing.T) {
	t.Parallel()
	s := listen(t)
	add(t, s, "Speed", tag.TypeInt16, 1, true)
	add(t, s, "Fixed", tag.TypeInt16, 1, false)
	all := items(s, "Speed", "Fixed", "Nowhere")
	unwritable := items(s, "Speed")[0]
	unwritable.Handle, unwritable.Write = 3, false
	narrow := items(s, "Speed")[0]
	narrow.Handle, narrow.Type = 4, tag.TypeInt8
	all = append(all, unwritable, narrow)
	d := newDriver(t, config(s), all)
	connect(t, d)
	for _, c := range []struct {
		item   int
		value  tag.Value
		status tag.StatusCode
		detail string
	}{
		{0, tag.String("x"), tag.BadTypeMismatch, `not sent: "x" is not a int16`},
		{0, tag.Int(40000), tag.BadOutOfRange, "not sent: 40000 is outside the range of int16, -32768 to 32767"},
		{1, tag.Int(2), tag.BadNotWritable, "not sent: the server lets nobody write it"},
		{2, tag.Int(2), tag.BadNodeIdUnknown, "not sent: its data type cannot be read: BadNodeIdUnknown"},
		{3, tag.Int(2), tag.BadConfigurationError, "not sent: the tag is not configured to be written"},
		{4, tag.Int(200), tag.BadTypeMismatch, "not sent: 200 is outside the range of int8, -128 to 127"},
	} {
		if o := write(t, d, all[c.item], c.value); o.Result != tag.Rejected || o.Status != c.status || o.Detail != c.detail {
			t.Errorf("write of %v to %s: %+v; want %v, %s", c.value, all[c.item].Path, o, c.status, c.detail)
		}
	}
	if w := s.Writes(); len(w) != 0 {
		t.Errorf("refused writes were sent: %v", w)
	}
	if got := read(t, d, all)[2].Status; got != tag.BadNodeIdUnknown {
		t.Errorf("a node that the server does not have reads %v", got)
	}
	mustAdd(t, s.AnswerWrites("Speed", tag.BadOutOfRange))
	if o := write(t, d, all[0], tag.Int(2)); o.Result != tag.Rejected || o.Status != tag.BadOutOfRange {
		t.Errorf("a write that the server refused: %+v", o)
	}
	mustAdd(t, s.AnswerWrites("Speed", tag.GoodCompletesAsync))
	if o := write(t, d, all[0], tag.Int(2)); o.Result != tag.Unknown || o.Status != tag.GoodCompletesAsync {
		t.Errorf("a write that the server does later: %+v", o)
	}
	if _, err := d.Read(t.Context(), all); !errors.Is(err, tag.ErrNotConnected) {
		t.Errorf("Read after an unknown write: %v", err)
	}
}

// TestUnknownWrite loses the answer to a write: it is unknown, what came after
// it was not sent, and nothing is sent twice.
func TestUnknownWrite(t *testing.T) {
	t.Parallel()
	s := listen(t)
	for _, n := range []string{"A", "B", "C"} {
		add(t, s, n, tag.TypeInt16, 0, true)
	}
	all := items(s, "A", "B", "C")
	cfg := config(s)
	cfg.RequestTimeout = time.Second
	d := newDriver(t, cfg, all)
	connect(t, d)
	s.HangReplies(true)
	os, err := d.Write(t.Context(), []tag.Write{{Item: all[0], Value: tag.String("x")}, {Item: all[1], Value: tag.Int(1)}, {Item: all[2], Value: tag.Int(1)}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []tag.Outcome{
		{Result: tag.Rejected, Status: tag.BadTypeMismatch}, {Result: tag.Unknown, Status: tag.BadTimeout}, {Result: tag.Rejected, Status: tag.BadNotConnected},
	} {
		if os[i].Result != want.Result || os[i].Status != want.Status {
			t.Errorf("write %d: %+v, want %v %v", i, os[i], want.Result, want.Status)
		}
	}
	s.HangReplies(false)
	connect(t, d)
	read(t, d, all)
	if w := s.Writes(); len(w) != 1 || w[0].Name != "B" {
		t.Errorf("the server got %v, want one write to B", w)
	}
}

// TestBatches reads more nodes than the server takes at once, whatever it says
// that it takes.
func TestBatches(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]opcuatest.Option{
		"announced": {opcuatest.WithLimits(7, 7, 7)},
		"hidden":    {opcuatest.WithHiddenLimits(7, 7, 7)},
		"one":       {opcuatest.WithLimits(1, 1, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := listen(t, opts...)
			var names []string
			for i := range 50 {
				names = append(names, fmt.Sprintf("V%d", i))
				add(t, s, names[i], tag.TypeInt32, i, true)
			}
			all := items(s, names...)
			d := newDriver(t, config(s), all)
			connect(t, d)
			for range 2 {
				for i, sample := range read(t, d, all) {
					expectValue(t, sample, tag.Int(int64(i)))
				}
			}
			w := watch(t, d, all)
			for i := range all {
				w.await(t, i, is(tag.Int(int64(i))))
			}
		})
	}
}

// TestTooLarge has one value among many that no response can hold.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := listen(t)
	var names []string
	for i := range 20 {
		names = append(names, fmt.Sprintf("V%d", i))
		add(t, s, names[i], tag.TypeInt32, i, true)
	}
	add(t, s, "Huge", tag.TypeAny, make([]float64, 70000), false)
	names = append(names[:10], append([]string{"Huge"}, names[10:]...)...)
	all := items(s, names...)
	d := newDriver(t, config(s), all)
	connect(t, d)
	for range 3 {
		for i, sample := range read(t, d, all) {
			if names[i] == "Huge" {
				if sample.Status.String() != "BadEncodingLimitsExceeded" {
					t.Errorf("the huge value is %v", sample.Status)
				}
				continue
			}
			var n int64
			if _, err := fmt.Sscanf(names[i], "V%d", &n); err != nil {
				t.Fatal(err)
			}
			expectValue(t, sample, tag.Int(n))
		}
	}
}
