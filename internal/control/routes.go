package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"holdfast/internal/control/wire"
)

// route is one thing that the API offers.
type route struct {
	method string
	path   string
	access access
	params []string // of the query
	handle func(ctx context.Context, r *request) (any, error)
}

// list is the API: all of it.
func (s *Server) list() []route {
	return []route{
		{"GET", "/v1/status", viewer, nil, s.status},
		{"GET", "/v1/workflows", viewer, nil, s.workflows},

		{"POST", "/v1/runs", operator, nil, s.start},
		{"GET", "/v1/runs", viewer, []string{"status", "workflow", "partition", "since", "limit"}, s.runs},
		{"GET", "/v1/runs/{run}", viewer, nil, s.show},
		{"GET", "/v1/runs/{run}/steps", viewer, []string{"from", "limit"}, s.steps},
		{"GET", "/v1/runs/{run}/log", viewer, []string{"stream", "after", "limit"}, s.logOnce},
		{"GET", "/v1/runs/{run}/log/follow", viewer, []string{"stream", "after"}, s.logFollow},
		{"GET", "/v1/runs/{run}/follow", viewer, nil, s.runFollow},

		{"GET", "/v1/runs/{run}/commands", viewer, nil, s.commands},
		{"POST", fatesPath, viewer, nil, s.fates},
		{"POST", "/v1/commands", operator, nil, s.commandMany},
		{"POST", "/v1/runs/{run}/commands", operator, nil, s.command},
		{"GET", "/v1/runs/{run}/commands/{message}", viewer, []string{"wait_ms"}, s.fate},
		{"POST", "/v1/runs/{run}/messages", operator, nil, s.send},
		{"POST", "/v1/runs/{run}/cancel", operator, nil, s.cancel},
		{"POST", "/v1/runs/{run}/resolve", operator, nil, s.resolve},

		{"GET", "/v1/alarms", viewer, nil, s.alarms},
		{"POST", "/v1/alarms/ack", operator, nil, s.ack},
		{"GET", "/v1/obligations", viewer, nil, s.obligations},
		{"POST", "/v1/obligations/waive", operator, nil, s.waive},

		{"GET", "/v1/tags", viewer, nil, s.tags},
		{"GET", "/v1/tags/values", viewer, []string{"path"}, s.tagValues},
		{"GET", "/v1/tags/watch", viewer, []string{"path"}, s.tagWatch},
		{"GET", "/v1/tags/confirm", viewer, []string{"path", "value", "after", "wait_ms"}, s.tagConfirm},
		{"POST", "/v1/tags/write", operator, nil, s.tagWrite},

		{"POST", "/v1/journal/backup", engineer, nil, s.backup},
	}
}

// fatesPath is a question, of a length that no address has.
const fatesPath = "/v1/fates"

// maxBody is the greatest body of a request to the route, in bytes.
func (rt route) maxBody() int64 {
	if rt.path == fatesPath {
		return 64 << 20 // of a selection of some hundred thousand runs
	}
	return maxBody
}

// statusPath is answered while the engine recovers, too.
const statusPath = "/v1/status"

func (s *Server) mux() http.Handler {
	m := http.NewServeMux()
	methods := map[string]string{} // path → methods that it has
	for _, rt := range s.list() {
		m.HandleFunc(rt.method+" "+rt.path, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, rt) })
		methods[rt.path] += " " + rt.method
	}
	for path, has := range methods {
		m.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			s.fail(w, badRequest("%s has no method %s, only%s", r.URL.Path, r.Method, has))
		})
	}
	m.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, &wire.Error{Code: wire.BadRequest, Message: fmt.Sprintf("there is nothing at %s", r.URL.Path),
			Hint: "is the daemon older than this command line? holdfast status shows its version"})
	})
	return m
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, rt route) {
	req, err := readRequest(w, r, rt)
	if err == nil && rt.method != http.MethodGet {
		err = tooLate(r, time.Now())
	}
	var answer any
	switch {
	case err != nil:
	case req.level < rt.access:
		err = &wire.Error{Code: wire.Refused, Message: fmt.Sprintf("this takes the access level %s, %s has %s", rt.access, req.actor, req.level)}
	case rt.path != statusPath && !s.ready():
		err = &wire.Error{Code: wire.TryAgain, Message: "the daemon is recovering its runs", Hint: "holdfast status says when it is running"}
	default:
		whileAlive(processing(w), func(sync.Locker) { answer, err = rt.handle(r.Context(), req) })
	}
	if rt.access > viewer {
		s.record(r, rt, err)
	}
	if err != nil {
		s.fail(w, tell(err))
		return
	}
	switch a := answer.(type) {
	case stream:
		s.stream(w, r, a)
	case bytesOf:
		s.bytes(w, r, a)
	default:
		s.answer(w, http.StatusOK, answer)
	}
}

// record logs who asked for an act, and whether it was done.
func (s *Server) record(r *http.Request, rt route, err error) {
	log := s.log.With("actor", callerFrom(r.Context()).actor, "method", rt.method, "path", r.URL.Path)
	if err != nil {
		log.Warn("request failed", "code", tell(err).Code, "error", err)
		return
	}
	log.Info("request")
}

func (s *Server) fail(w http.ResponseWriter, err *wire.Error) {
	s.answer(w, err.Code.Kind().Status, err)
}

func (s *Server) answer(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		status = http.StatusInternalServerError
		b = fmt.Appendf(nil, `{"code":%q,"message":"the answer cannot be written as JSON","hint":""}`, wire.Failed)
		s.log.Error("cannot write an answer as JSON", "error", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if _, err := w.Write(append(b, '\n')); err != nil {
		s.log.Debug("an answer was not taken", "error", err)
	}
}

// stream is the answer of a handler that goes on answering: it calls emit for
// each line, returns emit's error, and nil when there is nothing more to say.
type stream func(ctx context.Context, emit func(wire.Line) error) error

// errGone is the error of emit when nobody takes the stream any more.
var errGone = errors.New("the reader of the stream is gone")

func (s *Server) stream(w http.ResponseWriter, r *http.Request, st stream) {
	ctx, cancel := untilStopping(r.Context())
	defer cancel()
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := http.NewResponseController(w)
	write := func(l wire.Line) error {
		b, err := json.Marshal(l)
		if err != nil {
			return err
		}
		if err := out.SetWriteDeadline(time.Now().Add(readerTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return errGone
		}
		if _, err := w.Write(append(b, '\n')); err != nil {
			return errGone
		}
		if err := out.Flush(); err != nil {
			return errGone
		}
		return nil
	}
	if err := out.Flush(); err != nil { // the reader learns at once that its request is met
		return
	}
	sign := func() {
		if write(wire.Line{}) != nil {
			cancel() // nobody is there
		}
	}
	var err error
	whileAlive(sign, func(quiet sync.Locker) {
		err = st(ctx, func(l wire.Line) error {
			quiet.Lock()
			defer quiet.Unlock()
			return write(l)
		})
	})
	if errors.Is(context.Cause(ctx), errStopping) {
		err = errStopping
	}
	if err == nil || errors.Is(err, errGone) || r.Context().Err() != nil {
		return
	}
	if err := write(wire.Line{Error: tell(err)}); err != nil {
		s.log.Debug("a stream was not taken to its end", "error", err)
	}
}
