package control

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"holdfast/internal/control/wire"
)

// Backup writes a backup of the journal, and says what it holds.
type Backup func(ctx context.Context, w io.Writer) (wire.Backup, error)

// backup streams a backup. It changes nothing, but it is everything that there
// is to know of all runs, so that it takes more than a look.
func (s *Server) backup(context.Context, *request) (any, error) {
	return bytesOf(func(ctx context.Context, w io.Writer) (any, error) { return s.cfg.Backup(ctx, w) }), nil
}

// bytesOf is the answer of a handler that writes bytes: it returns what is to be
// said behind them.
type bytesOf func(ctx context.Context, w io.Writer) (any, error)

// bytes writes an answer of bytes. Whether they are complete is told behind them.
func (s *Server) bytes(w http.ResponseWriter, r *http.Request, f bytesOf) {
	ctx, cancel := untilStopping(r.Context())
	defer cancel()
	w.Header().Set("Content-Type", "application/octet-stream")
	out := &slowWriter{ResponseWriter: w}
	said, err := f(ctx, out)
	if errors.Is(context.Cause(ctx), errStopping) {
		err = errStopping
	}
	name := wire.TrailerAnswer
	if err != nil {
		s.log.Warn("an answer was not completed", "path", r.URL.Path, "error", err)
		if !out.begun {
			s.fail(w, tell(err))
			return
		}
		name, said = wire.TrailerError, tell(err)
	}
	b, err := json.Marshal(said)
	if err != nil {
		s.log.Error("cannot write an answer as JSON", "error", err)
		return
	}
	w.Header().Set(http.TrailerPrefix+name, string(b))
}

// slowWriter gives the reader time for each piece, and not for all of them.
type slowWriter struct {
	http.ResponseWriter
	begun bool
}

func (w *slowWriter) Write(b []byte) (int, error) {
	out := http.NewResponseController(w.ResponseWriter)
	if err := out.SetWriteDeadline(time.Now().Add(readerTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, errGone
	}
	if !w.begun {
		// Behind an answer whose length is not known before, trailers can follow.
		w.begun = true
		if err := out.Flush(); err != nil {
			return 0, errGone
		}
	}
	n, err := w.ResponseWriter.Write(b)
	if err != nil {
		return n, errGone
	}
	return n, nil
}
