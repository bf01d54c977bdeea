package modbus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/simonvetter/modbus"

	"holdfast/gateway/tag"
)

// Config is one link to one device. Its zero value but for URL is usable.
type Config struct {
	URL    string // tcp://host:port, or another transport (CheckURL)
	UnitID uint8  // unit identifier, sent as it is; 0 is a broadcast on a serial line, and refused there

	Order   tag.Order     // of items that have none; "" means ABCD
	Timeout time.Duration // of one request; 0 means 1 s

	// LateAnswer is how late after its request an answer may come; after a
	// request that failed, and from New on, nothing is asked before. It is for
	// RTU framing only. 0 means 5 s, or Timeout where that is longer.
	LateAnswer time.Duration

	MaxRegisters int // read in one request; 0 means 125, which is the most
	MaxCoils     int // coils or discrete inputs read in one request; 0 means 2000, which is the most
	MaxGap       int // entries that no tag has and that are read along to merge two requests

	DelayBetween time.Duration // pause between the end of a request and the next

	// For tcp+tls, which needs both: the certificate shown to the device
	// (Modbus/TCP Security demands one), and those by which the device's is
	// trusted.
	ClientCert *tls.Certificate
	Roots      *x509.CertPool

	Log *slog.Logger // nil: none
}

func (c Config) withDefaults() (Config, error) {
	if c.Order == "" {
		c.Order = tag.ABCD
	}
	if c.Timeout == 0 {
		c.Timeout = time.Second
	}
	if c.MaxRegisters == 0 {
		c.MaxRegisters = maxReadRegisters
	}
	if c.MaxCoils == 0 {
		c.MaxCoils = maxReadCoils
	}
	if c.LateAnswer == 0 && isRTU(c.URL) {
		c.LateAnswer = max(5*time.Second, c.Timeout)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.MaxRegisters < 1 || c.MaxRegisters > maxReadRegisters:
		return c, fmt.Errorf("limit of %d registers is not from 1 to %d", c.MaxRegisters, maxReadRegisters)
	case c.MaxCoils < 1 || c.MaxCoils > maxReadCoils:
		return c, fmt.Errorf("limit of %d coils is not from 1 to %d", c.MaxCoils, maxReadCoils)
	case c.MaxGap < 0:
		return c, fmt.Errorf("gap of %d is negative", c.MaxGap)
	case c.Timeout < 0 || c.DelayBetween < 0:
		return c, fmt.Errorf("a timeout of %v or a delay of %v is negative", c.Timeout, c.DelayBetween)
	case c.LateAnswer != 0 && !isRTU(c.URL):
		return c, fmt.Errorf("a late answer of %v has no meaning: answers carry a transaction identifier, but for RTU framing", c.LateAnswer)
	case isRTU(c.URL) && c.LateAnswer < c.Timeout:
		return c, fmt.Errorf("a late answer of %v is below the timeout of %v", c.LateAnswer, c.Timeout)
	}
	return c, nil
}

// Driver speaks to one device. It keeps the contract of gateway.Driver.
type Driver struct {
	cfg    Config
	conf   modbus.ClientConfiguration
	points []point // by Item.Handle
	rtu    bool    // RTU framing

	// mu is held for the whole of a call: the library's client has one unit
	// identifier and one stream, and so one user at a time.
	mu      sync.Mutex
	client  *modbus.ModbusClient // nil while down
	dialing chan struct{}        // closed when an attempt that Connect gave up has ended; nil: none
	idle    time.Time            // when the last request ended
	plans   map[planKey]*plan

	// Of RTU framing (rest.go).
	unsure    bool      // an answer may be under way that nobody waits for
	restUntil time.Time // when none can be any more

	// stopMu guards what Close needs of the call that holds mu.
	stopMu sync.Mutex
	closed bool                    // by Close, until the next Connect
	stop   context.CancelCauseFunc // ends the call at work; nil: none
}

// errClosed is the cause of calls that Close ended.
var errClosed = errors.New("the driver was closed")

// connectLimit is the longest that Connect waits; it is the library's own limit
// for TCP.
const connectLimit = 5 * time.Second

// New makes a driver for items, of which each has its index as Handle. The
// error names each item that cannot be had.
func New(cfg Config, items []tag.Item) (*Driver, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("cannot use Modbus device %s: %w", cfg.URL, err)
	}
	conf, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	switch {
	case isRTU(cfg.URL) && cfg.UnitID == 0:
		return nil, fmt.Errorf("cannot use Modbus device %s: unit 0 is the broadcast address, which nobody answers", cfg.URL)
	case strings.HasPrefix(cfg.URL, "tcp+tls") && (cfg.ClientCert == nil || cfg.Roots == nil):
		return nil, fmt.Errorf("cannot use Modbus device %s: TLS needs a client certificate and trusted roots", cfg.URL)
	}
	conf.Timeout = cfg.Timeout
	conf.TLSClientCert, conf.TLSRootCAs = cfg.ClientCert, cfg.Roots
	// The library reports what it also returns; without a logger it prints it.
	conf.Logger = slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug)
	for i, it := range items {
		if it.Handle != i {
			return nil, fmt.Errorf("cannot use tag %s: its handle is %d at place %d", it.Path, it.Handle, i)
		}
	}
	points, err := compile(cfg, items)
	if err != nil {
		return nil, err
	}
	return &Driver{cfg: cfg, conf: conf, points: points, rtu: isRTU(cfg.URL),
		unsure: isRTU(cfg.URL), restUntil: time.Now().Add(cfg.LateAnswer)}, nil
}

// compile makes the points of items, in their order.
func compile(cfg Config, items []tag.Item) ([]point, error) {
	points := make([]point, len(items))
	var faults []error
	for i, it := range items {
		p, err := makePoint(it.Address, it.Type, it.Length, it.Write)
		if err == nil && p.registers() > cfg.MaxRegisters {
			err = fmt.Errorf("%s takes %d registers, the device's limit is %d", article(p.typ), p.registers(), cfg.MaxRegisters)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("cannot use tag %s: %w", it.Path, err))
			continue
		}
		p.order = cfg.Order
		if it.Order != "" {
			p.order = it.Order
		}
		if p.registers() <= 1 && !p.isText() {
			p.order = tag.ABCD
		}
		points[i] = p
	}
	return points, errors.Join(faults...)
}

// begin takes the driver for one call. The context that it returns also ends by
// Close; end has to be called.
func (d *Driver) begin(ctx context.Context, connecting bool) (call context.Context, end func(), err error) {
	d.mu.Lock()
	d.stopMu.Lock()
	defer d.stopMu.Unlock()
	if connecting {
		d.closed = false
	}
	if !connecting && (d.closed || d.client == nil) {
		d.mu.Unlock()
		return nil, nil, tag.ErrNotConnected
	}
	call, cancel := context.WithCancelCause(ctx)
	d.stop = cancel
	return call, func() {
		d.stopMu.Lock()
		d.stop = nil
		d.stopMu.Unlock()
		cancel(nil)
		d.mu.Unlock()
	}, nil
}

// Connect opens the link, within ctx and 5 s. On UDP and serial lines that
// says nothing yet of the device. In RTU framing it first lets the line rest
// where that is due: as long as Config.LateAnswer, or twice as long where bytes
// keep coming.
//
// A connection attempt that ctx ended goes on in the background, within the
// limits of the operating system, and is closed when it succeeds; the next
// Connect waits for it.
func (d *Driver) Connect(ctx context.Context) error {
	ctx, end, err := d.begin(ctx, true)
	if err != nil {
		return err
	}
	defer end()
	d.drop()
	d.plans = make(map[planKey]*plan)
	if err := d.rest(ctx); err != nil {
		return fmt.Errorf("cannot connect to %s: %w", d.cfg.URL, err)
	}
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	client, err := d.open(ctx)
	if err != nil {
		return fmt.Errorf("cannot connect to %s: %w", d.cfg.URL, err)
	}
	d.client, d.idle = client, time.Time{}
	return nil
}

func (d *Driver) open(ctx context.Context) (*modbus.ModbusClient, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	if d.dialing != nil {
		select {
		case <-d.dialing:
			d.dialing = nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	// A new client each time: opening one again would leak its socket.
	client, err := modbus.NewClient(&d.conf)
	if err != nil {
		return nil, err
	}
	if err := client.SetUnitId(d.cfg.UnitID); err != nil {
		return nil, err
	}
	opened, gaveUp, dialing := make(chan error), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(dialing)
		err := client.Open()
		select {
		case opened <- err:
		case <-gaveUp:
			if err == nil {
				_ = client.Close() // nobody is left to be told
			}
		}
	}()
	select {
	case err := <-opened:
		return client, err
	case <-ctx.Done():
		close(gaveUp)
		d.dialing = dialing
		return nil, context.Cause(ctx)
	}
}

// drop closes the link. Its state is lost anyhow, and so is an error of closing.
func (d *Driver) drop() {
	if d.client != nil {
		_ = d.client.Close()
		d.client = nil
	}
}

// Close ends the call at work, at the end of its request, and closes the link.
// Connect opens it again.
func (d *Driver) Close() error {
	d.stopMu.Lock()
	d.closed = true
	if d.stop != nil {
		d.stop(errClosed)
	}
	d.stopMu.Unlock()

	d.mu.Lock()
	defer d.mu.Unlock()
	d.plans = nil
	if d.client == nil {
		return nil
	}
	err := d.client.Close()
	d.client = nil
	if err != nil {
		return fmt.Errorf("cannot close the link to %s: %w", d.cfg.URL, err)
	}
	return nil
}

// ready waits until the next request may be sent. An error means that ctx or
// Close ended the call.
func (d *Driver) ready(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	wait := d.cfg.DelayBetween - time.Since(d.idle)
	if d.cfg.DelayBetween == 0 || d.idle.IsZero() || wait <= 0 {
		return nil
	}
	return sleep(ctx, wait)
}
