package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Config is what a Server is made of.
type Config struct {
	Engine     Engine
	Tags       Tags
	Links      Links
	Backup     Backup
	Version    string
	StartedAt  time.Time
	SocketPath string          // for display
	Ready      <-chan struct{} // closed when the engine has recovered; nil: it has
	Log        *slog.Logger    // nil: no log
}

// The times that a peer has.
const (
	headerTime   = 5 * time.Second  // to send a request's header
	requestTime  = 10 * time.Second // to send a whole request
	idleTime     = 60 * time.Second // between two requests of a connection
	readerTime   = 10 * time.Second // to take one line of a stream
	shutdownTime = 4 * time.Second  // for requests that are under way when the daemon stops
)

// Server answers the requests of the command line.
type Server struct {
	cfg    Config
	log    *slog.Logger
	routes http.Handler
}

// New returns a Server; it opens nothing.
func New(cfg Config) *Server {
	s := &Server{cfg: cfg, log: cfg.Log}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.routes = s.mux()
	return s
}

// Run answers requests on l, which it closes, until ctx ends. It returns when
// streams have ended and all requests under way have been answered, or have had
// four seconds for it.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	requests = withStopping(requests, ctx.Done())
	hs := &http.Server{
		Handler:           s.routes,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       requestTime,
		IdleTimeout:       idleTime,
		BaseContext:       func(net.Listener) context.Context { return requests },
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return withCaller(ctx, callerOf(c)) },
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- hs.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("cannot serve %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(requests, shutdownTime)
	defer cancel()
	err := hs.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		cut()
		if err = hs.Close(); err == nil {
			err = errors.New("requests were still under way")
		}
	}
	if served := <-served; err == nil && !errors.Is(served, http.ErrServerClosed) {
		err = served
	}
	if err != nil {
		return fmt.Errorf("cannot stop serving %s cleanly: %w", l.Addr(), err)
	}
	return nil
}

// ready reports whether the engine has recovered.
func (s *Server) ready() bool {
	if s.cfg.Ready == nil {
		return true
	}
	select {
	case <-s.cfg.Ready:
		return true
	default:
		return false
	}
}
