package opcua_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"holdfast/drivers/opcua"
	"holdfast/drivers/opcua/opcuatest"
	"holdfast/gateway/tag"
)

// items makes items of variables, all to be written.
func items(s *opcuatest.Server, names ...string) []tag.Item {
	is := make([]tag.Item, len(names))
	for i, n := range names {
		is[i] = tag.Item{Handle: i, Path: tag.Path(n), Address: s.Address(n), Period: 50 * time.Millisecond, Write: true}
	}
	return is
}

// config is one with short times.
func config(s *opcuatest.Server) opcua.Config {
	return opcua.Config{URL: s.URL(), ConnectTimeout: 5 * time.Second, RequestTimeout: 5 * time.Second}
}

func newDriver(t *testing.T, cfg opcua.Config, is []tag.Item) *opcua.Driver {
	t.Helper()
	d, err := opcua.New(cfg, is)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func connect(t *testing.T, d *opcua.Driver) {
	t.Helper()
	if err := d.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, d *opcua.Driver, is []tag.Item) []tag.Sample {
	t.Helper()
	samples, err := d.Read(t.Context(), is)
	if err != nil {
		t.Fatal(err)
	}
	if len(samples) != len(is) {
		t.Fatalf("%d samples of %d items", len(samples), len(is))
	}
	return samples
}

func write(t *testing.T, d *opcua.Driver, it tag.Item, v tag.Value) tag.Outcome {
	t.Helper()
	os, err := d.Write(t.Context(), []tag.Write{{Item: it, Value: v}})
	if err != nil {
		t.Fatal(err)
	}
	return os[0]
}

func expectValue(t *testing.T, s tag.Sample, want tag.Value) {
	t.Helper()
	if !s.Status.IsGood() || !s.Value.Equal(want) {
		t.Errorf("read %v, %v; want %v", s.Value, s.Status, want)
	}
}

// trust makes a PKI folder that trusts the server's present certificate.
func trust(t *testing.T, s *opcuatest.Server) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "trusted"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "trusted", "server.der"), s.Certificate(), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func sha(s *opcuatest.Server) string {
	sum := sha256.Sum256(s.Certificate())
	return hex.EncodeToString(sum[:])
}

// TestSecurity tries each policy with each way to authenticate, against a
// library that shares no code with the driver's.
func TestSecurity(t *testing.T) {
	t.Parallel()
	s := listen(t, opcuatest.WithUser("edge", "p\u00e4ss word"))
	add(t, s, "Speed", tag.TypeFloat64, 1, true)
	pki := trust(t, s)
	cert, key := userCertificate(t)
	for _, policy := range []string{"", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"} {
		for name, auth := range map[string]opcua.Auth{
			"anonymous": {}, "user": {User: "edge", Password: "p\u00e4ss word"}, "certificate": {Cert: cert, Key: key},
		} {
			t.Run(policy+"/"+name, func(t *testing.T) {
				t.Parallel()
				cfg := config(s)
				cfg.Policy, cfg.PKIDir, cfg.Auth = policy, pki, auth
				is := items(s, "Speed")
				d := newDriver(t, cfg, is)
				connect(t, d)
				if o := write(t, d, is[0], tag.Float(2)); o.Result != tag.Accepted {
					t.Errorf("write: %+v", o)
				}
				expectValue(t, read(t, d, is)[0], tag.Float(2))
			})
		}
	}
	for name, c := range map[string]struct {
		f    func(*opcua.Config)
		want string
	}{
		"wrong password": {func(c *opcua.Config) { c.Auth = opcua.Auth{User: "edge", Password: "x"}; c.Policy = "Basic256Sha256" },
			`cannot activate the session as user "edge": ActivateSession failed: BadUserAccessDenied`},
		"mode not offered": {func(c *opcua.Config) { c.Policy, c.Mode = "Basic256Sha256", "Sign" },
			"the server does not offer Basic256Sha256/Sign; it offers Aes128Sha256RsaOaep/SignAndEncrypt, Aes256Sha256RsaPss/SignAndEncrypt, Basic256Sha256/SignAndEncrypt, None/None"},
		"password for a stranger": {func(c *opcua.Config) { c.Auth = opcua.Auth{User: "edge", Password: "x"}; c.PKIDir = t.TempDir() },
			"cannot authenticate: cannot encrypt for the server: the server's certificate is not trusted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(s)
			cfg.PKIDir = pki
			c.f(&cfg)
			if err := newDriver(t, cfg, nil).Connect(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Connect: %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestTrust(t *testing.T) {
	t.Parallel()
	s := listen(t, opcuatest.WithoutNone())
	add(t, s, "Speed", tag.TypeFloat64, 1, true)
	is := items(s, "Speed")
	secure := func(pki, rule string) *opcua.Driver {
		cfg := config(s)
		cfg.Policy, cfg.PKIDir, cfg.ServerCert = "Basic256Sha256", pki, rule
		return newDriver(t, cfg, is)
	}
	refused := func(d *opcua.Driver, want string) {
		t.Helper()
		if err := d.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Connect: %v\nwant %s", err, want)
		}
		if _, err := d.Read(t.Context(), is); !errors.Is(err, tag.ErrNotConnected) {
			t.Errorf("Read from a server that is not trusted: %v", err)
		}
	}
	refused(newDriver(t, config(s), is), "the server does not offer None/None")

	first := sha(s)
	pki := t.TempDir()
	refused(secure(pki, ""), "the server's certificate is not trusted")
	kept := filepath.Join(pki, "rejected", first+".der")
	if b, err := os.ReadFile(kept); err != nil || string(b) != string(s.Certificate()) {
		t.Errorf("the rejected certificate was not kept: %v", err)
	}
	trusting, pinning := secure(trust(t, s), "trusted"), secure(pki, "fingerprint:"+first)
	for _, d := range []*opcua.Driver{trusting, pinning} {
		connect(t, d)
		expectValue(t, read(t, d, is)[0], tag.Float(1))
	}
	if err := s.RestartWithNewCertificate(); err != nil {
		t.Fatal(err)
	}
	refused(trusting, "the server's certificate is not trusted")
	refused(pinning, "the server's certificate has the fingerprint "+sha(s)+", not the configured "+first)
	connect(t, secure(pki, "any"))
}

// TestNamespaces restarts the server with other namespaces: a tag is its
// variable or nothing.
func TestNamespaces(t *testing.T) {
	t.Parallel()
	s := listen(t)
	add(t, s, "Speed", tag.TypeInt32, 1, true)
	is := items(s, "Speed")
	byIndex := is[0]
	byIndex.Handle, byIndex.Address = 1, "ns=2;s=Speed"
	is = append(is, byIndex)
	d := newDriver(t, config(s), is)
	connect(t, d)
	for _, sample := range read(t, d, is) {
		expectValue(t, sample, tag.Int(1))
	}

	if err := s.Restart(opcuatest.WithNamespaces("urn:a", "urn:b", opcuatest.NamespaceURI)); err != nil {
		t.Fatal(err)
	}
	connect(t, d)
	samples := read(t, d, is)
	expectValue(t, samples[0], tag.Int(1))
	if samples[1].Status != tag.BadNodeIdUnknown {
		t.Errorf("the node of another namespace's index is %v", samples[1].Status)
	}
	if o := write(t, d, is[0], tag.Int(2)); o.Result != tag.Accepted {
		t.Errorf("write: %+v", o)
	}

	if err := s.Restart(opcuatest.WithNamespaces("urn:a", "urn:b")); err != nil {
		t.Fatal(err)
	}
	connect(t, d)
	if got := read(t, d, is)[0].Status; got != tag.BadNodeIdUnknown {
		t.Errorf("without its namespace the tag is %v", got)
	}
	if o := write(t, d, is[0], tag.Int(3)); o.Result != tag.Rejected || o.Status != tag.BadNodeIdUnknown {
		t.Errorf("write without the namespace: %+v", o)
	}
	w := watch(t, d, is)
	if c := w.await(t, 0, func(c tag.Sample) bool { return true }); c.Status != tag.BadNodeIdUnknown {
		t.Errorf("the subscription without the namespace gives %v", c.Status)
	}
}

// watching is a Subscribe at work.
type watching struct {
	stop   context.CancelFunc
	result chan error

	mu     sync.Mutex
	all    map[int][]tag.Sample
	last   map[int]tag.Change
	change chan struct{} // closed and replaced at each change
}

func watch(t *testing.T, d *opcua.Driver, is []tag.Item) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	w := &watching{stop: cancel, result: make(chan error, 1), all: map[int][]tag.Sample{}, last: map[int]tag.Change{}, change: make(chan struct{})}
	go func() {
		w.result <- d.Subscribe(ctx, is, func(cs []tag.Change) {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, c := range cs {
				w.all[c.Handle] = append(w.all[c.Handle], c.Sample)
				w.last[c.Handle] = c
			}
			close(w.change)
			w.change = make(chan struct{})
		})
	}()
	return w
}

// patience is far longer than anything here takes.
const patience = 90 * time.Second

// await returns the first sample of an item that fits.
func (w *watching) await(t *testing.T, handle int, fits func(tag.Sample) bool) tag.Sample {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		w.mu.Lock()
		samples, change := w.all[handle], w.change
		w.mu.Unlock()
		for _, s := range samples {
			if fits(s) {
				return s
			}
		}
		select {
		case <-change:
		case err := <-w.result:
			t.Fatalf("Subscribe ended: %v", err)
		case <-timer.C:
			t.Fatalf("no such sample among %v", samples)
		}
	}
}

// ended returns what Subscribe returned.
func (w *watching) ended(t *testing.T) error {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-w.result:
		return err
	case <-timer.C:
		t.Fatal("Subscribe did not end")
		return nil
	}
}

func is(v tag.Value) func(tag.Sample) bool {
	return func(s tag.Sample) bool { return s.Status.IsGood() && s.Value.Equal(v) }
}

func TestSubscription(t *testing.T) {
	t.Parallel()
	s := listen(t, opcuatest.WithHiddenLimits(500, 500, 7))
	var names []string
	for i := range 40 {
		names = append(names, fmt.Sprintf("V%d", i))
		add(t, s, names[i], tag.TypeInt32, i, true)
	}
	all := items(s, names...)
	for i := range all { // three subscriptions
		all[i].Period = []time.Duration{50 * time.Millisecond, 200 * time.Millisecond, time.Minute}[i%3]
	}
	d := newDriver(t, config(s), all)
	connect(t, d)
	w := watch(t, d, all)
	for i := range all {
		first := w.await(t, i, is(tag.Int(int64(i))))
		if first.Source.IsZero() || first.Server.IsZero() || first.Received.IsZero() {
			t.Errorf("%s has the times %v, %v, %v", names[i], first.Source, first.Server, first.Received)
		}
	}
	for i := range 8 {
		for _, k := range []int{0, 1, 3, 4} {
			if err := s.Set(names[k], 1000*k+i); err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range []int{0, 1, 3, 4} {
			w.await(t, k, is(tag.Int(int64(1000*k+i))))
		}
	}
	if err := s.SetStatus(names[0], tag.BadSensorFailure); err != nil {
		t.Fatal(err)
	}
	bad := w.await(t, 0, func(c tag.Sample) bool { return c.Status == tag.BadSensorFailure })
	if !bad.Value.IsNone() {
		t.Errorf("a bad sample has the value %v", bad.Value)
	}
	w.stop()
	if err := w.ended(t); !errors.Is(err, context.Canceled) {
		t.Errorf("Subscribe ended with %v", err)
	}
	expectValue(t, read(t, d, all[5:6])[0], tag.Int(5)) // the session is as it was
}

// TestCut cuts the TCP connection; the session lives on at the server, and
// nobody may take that for a subscription that does.
func TestCut(t *testing.T) {
	t.Parallel()
	s := listen(t)
	add(t, s, "Speed", tag.TypeInt32, 1, true)
	all := items(s, "Speed")
	d := newDriver(t, config(s), all)
	for round := range 3 {
		connect(t, d)
		w := watch(t, d, all)
		w.await(t, 0, func(tag.Sample) bool { return true })
		if err := s.Set("Speed", 10+round); err != nil {
			t.Fatal(err)
		}
		w.await(t, 0, is(tag.Int(int64(10+round))))
		s.Cut()
		if err := w.ended(t); err == nil || !strings.Contains(err.Error(), "the subscription to "+s.URL()+" ended") {
			t.Errorf("Subscribe over a cut connection ended with %v", err)
		}
		if _, err := d.Read(t.Context(), all); !errors.Is(err, tag.ErrNotConnected) {
			t.Errorf("Read over a cut connection: %v", err)
		}
		if _, err := d.Write(t.Context(), []tag.Write{{Item: all[0], Value: tag.Int(1)}}); !errors.Is(err, tag.ErrNotConnected) {
			t.Errorf("Write over a cut connection: %v", err)
		}
	}
}

// TestBlackHole has the server hang while nobody reads: only the watchdog can tell.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	s := listen(t)
	add(t, s, "Speed", tag.TypeInt32, 1, true)
	all := items(s, "Speed")
	cfg := config(s)
	cfg.WatchdogSilence, cfg.RequestTimeout, cfg.ConnectTimeout = time.Second, 500*time.Millisecond, time.Second
	d := newDriver(t, cfg, all)
	connect(t, d)
	w := watch(t, d, all)
	w.await(t, 0, is(tag.Int(1)))
	s.Hang(true)
	if err := w.ended(t); err == nil || !strings.Contains(err.Error(), "no answer in time") && !strings.Contains(err.Error(), "silent") {
		t.Errorf("Subscribe to a server that hangs ended with %v", err)
	}
	if err := d.Connect(t.Context()); err == nil {
		t.Error("Connect to a server that hangs")
	}
	s.Hang(false)
	connect(t, d)
	expectValue(t, read(t, d, all)[0], tag.Int(1))
}

// TestServiceFault has the server forget the session.
func TestServiceFault(t *testing.T) {
	t.Parallel()
	s := listen(t)
	add(t, s, "Speed", tag.TypeInt32, 1, true)
	all := items(s, "Speed")
	d := newDriver(t, config(s), all)

	connect(t, d)
	read(t, d, all)
	s.DropSessions()
	if _, err := d.Read(t.Context(), all); err == nil || !strings.Contains(err.Error(), "Read failed: BadSessionIdInvalid") {
		t.Errorf("Read on a session that the server forgot: %v", err)
	}

	connect(t, d)
	read(t, d, all)
	s.DropSessions()
	if o := write(t, d, all[0], tag.Int(7)); o.Result != tag.Rejected || o.Status.String() != "BadSessionIdInvalid" {
		t.Errorf("Write on a session that the server forgot: %+v", o)
	}
	if v, err := s.Get("Speed"); err != nil || v != int32(1) {
		t.Errorf("the server has %v, %v", v, err)
	}

	connect(t, d)
	w := watch(t, d, all)
	w.await(t, 0, is(tag.Int(1)))
	s.DropSessions()
	if _, err := d.Read(t.Context(), all); err == nil {
		t.Error("Read on a session that the server forgot")
	}
	if err := w.ended(t); err == nil {
		t.Error("Subscribe outlived its session")
	}
	connect(t, d)
	expectValue(t, read(t, d, all)[0], tag.Int(1))
}
