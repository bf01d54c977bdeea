package control

import (
	"context"
	"encoding/base64"
	"errors"
	"sync"
	"time"

	"holdfast/engine/value"
	"holdfast/gateway/tag"
	"holdfast/internal/control/wire"
	"holdfast/internal/nearest"
)

// The limits of what is asked about tags.
const (
	maxPaths    = 1000
	readTime    = 5 * time.Second  // for the device to answer a read
	writeTime   = 10 * time.Second // for a write to be sent: an operator's write must not come late
	confirmPoll = 250 * time.Millisecond
)

func (s *Server) tags(context.Context, *request) (any, error) {
	infos, samples := s.cfg.Tags.Tags(), s.cfg.Tags.Snapshot()
	all := make([]wire.Tag, len(infos))
	for i := range infos {
		all[i] = wire.TagOf(infos[i], samples[i])
	}
	return all, nil
}

// paths returns the tags that a request names.
func (s *Server) paths(r *request) ([]tag.Info, error) {
	names := r.query["path"]
	if len(names) == 0 || len(names) > maxPaths {
		return nil, badRequest("%d tags are named, it takes 1 to %d", len(names), maxPaths)
	}
	infos := make([]tag.Info, len(names))
	for i, name := range names {
		var err error
		if infos[i], err = s.lookup(name); err != nil {
			return nil, err
		}
	}
	return infos, nil
}

func (s *Server) lookup(name string) (tag.Info, error) {
	p, err := tag.ParsePath(name)
	if err != nil {
		return tag.Info{}, badRequest("%v", err)
	}
	info, ok := s.cfg.Tags.Lookup(p)
	if !ok {
		return tag.Info{}, &wire.Error{Code: wire.NotFound, Message: name + ": there is no such tag", Hint: s.meant(name)}
	}
	return info, nil
}

// meant is the hint for a path that no tag has.
func (s *Server) meant(path string) string {
	infos := s.cfg.Tags.Tags()
	paths := make([]string, len(infos))
	for i, info := range infos {
		paths[i] = string(info.Path)
	}
	if near := nearest.Word(path, paths); near != "" {
		return "did you mean " + near + "?"
	}
	return refusalHint(tag.NoSuchTag)
}

func (s *Server) tagValues(ctx context.Context, r *request) (any, error) {
	infos, err := s.paths(r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	all := make([]wire.Tag, len(infos))
	errs := make([]error, len(infos))
	var reads sync.WaitGroup
	for i, info := range infos {
		reads.Go(func() {
			var sample tag.Sample
			sample, errs[i] = s.read(ctx, info.Path, time.Time{})
			all[i] = wire.TagOf(info, sample)
		})
	}
	reads.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, nil
}

// read is a read that its time limit turns into a sample of bad quality.
func (s *Server) read(ctx context.Context, p tag.Path, notBefore time.Time) (tag.Sample, error) {
	sample, err := s.cfg.Tags.Read(ctx, p, notBefore)
	if errors.Is(err, context.DeadlineExceeded) {
		return tag.BadSample(tag.BadTimeout, time.Now()), nil
	}
	return sample, err
}

// tagWatch streams what is known of the tags, and then every new sample.
func (s *Server) tagWatch(_ context.Context, r *request) (any, error) {
	infos, err := s.paths(r)
	if err != nil {
		return nil, err
	}
	byPath := make(map[tag.Path]tag.Info, len(infos))
	paths := make([]tag.Path, len(infos))
	for i, info := range infos {
		byPath[info.Path], paths[i] = info, info.Path
	}
	return stream(func(ctx context.Context, emit func(wire.Line) error) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		updates, err := s.cfg.Tags.Watch(ctx, paths...)
		if err != nil {
			return err
		}
		for u := range updates {
			t := wire.TagOf(byPath[u.Path], u.Sample)
			if err := emit(wire.Line{Tag: &t}); err != nil {
				return err
			}
		}
		return errStopping // a watch ends only with its reader or with the gateway
	}), nil
}

func (s *Server) tagWrite(ctx context.Context, r *request) (any, error) {
	var in wire.Write
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	info, err := s.lookup(in.Path)
	if err != nil {
		return nil, err
	}
	v, err := typed(info, in.Value)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	settle, err := s.cfg.Engine.Claim(ctx, string(info.Path), r.actor)
	if err != nil {
		return nil, err
	}
	o, err := s.cfg.Tags.Write(ctx, info.Path, v)
	settle(err == nil && o.Result != tag.Rejected)
	if errors.Is(err, context.DeadlineExceeded) {
		err = &wire.Error{Code: wire.TryAgain, Message: in.Path + ": the write could not be sent in time; nothing was sent"}
	}
	if err != nil {
		return nil, err
	}
	w := wire.Written{
		Path: in.Path, Outcome: outcome(o.Result), Quality: o.Status.String(), Detail: o.Detail,
		Retry: o.Result == tag.Rejected && ofLink(o.Status), At: time.Now().UTC(),
	}
	s.log.Info("tag written", "actor", r.actor, "tag", in.Path, "value", in.Value.String(), "outcome", w.Outcome, "quality", w.Quality)
	return w, nil
}

// typed returns v as the tag's type has it: JSON has bytes as text in base64.
func typed(i tag.Info, v tag.Value) (tag.Value, error) {
	text, ok := v.AsString()
	if !ok || i.Type != tag.TypeBytes {
		return v, nil
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return v, badRequest("%s: a bytes tag takes base64: %v", i.Path, err)
	}
	return tag.Bytes(b), nil
}

func outcome(r tag.Result) string {
	switch r {
	case tag.Accepted:
		return wire.OutcomeAccepted
	case tag.Unknown:
		return wire.OutcomeUnknown
	}
	return wire.OutcomeRejected
}

// ofLink reports whether a write was rejected because of the way to the device,
// and not because of what was written.
func ofLink(c tag.StatusCode) bool {
	switch c {
	case tag.BadNoCommunication, tag.BadNotConnected, tag.BadConnectionClosed, tag.BadCommunicationError,
		tag.BadOutOfService, tag.BadShutdown, tag.BadWaitingForInitialData, tag.BadResourceUnavailable, tag.BadTimeout:
		return true
	}
	return false
}

// tagConfirm reads a tag until a sample taken after a moment has the value, or
// the time is over.
func (s *Server) tagConfirm(ctx context.Context, r *request) (any, error) {
	info, err := s.lookup(r.query.Get("path"))
	if err != nil {
		return nil, err
	}
	want, err := wanted(info, r.query.Get("value"))
	if err != nil {
		return nil, err
	}
	after, err := r.moment("after")
	if err != nil {
		return nil, err
	}
	wait, err := r.millis("wait_ms")
	if err != nil {
		return nil, err
	}
	ctx, stop := untilStopping(ctx)
	defer stop()
	limited, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	poll := time.NewTicker(confirmPoll)
	defer poll.Stop()
	var last tag.Sample
	for ; ; after = time.Now() {
		sample, err := s.cfg.Tags.Read(limited, info.Path, after)
		if err == nil {
			last = sample
			if !last.Status.IsBad() && last.Value.Equal(want) {
				return wire.Confirmed{Confirmed: true, Tag: wire.TagOf(info, last)}, nil
			}
			select {
			case <-poll.C:
				continue
			case <-limited.Done():
			}
		} else if limited.Err() == nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if last.Received.IsZero() {
			last = tag.BadSample(tag.BadTimeout, time.Now())
		}
		return wire.Confirmed{Tag: wire.TagOf(info, last)}, nil
	}
}

// wanted returns what a read of the tag gives once the value of a JSON text was written.
func wanted(i tag.Info, text string) (tag.Value, error) {
	plain, err := value.FromJSON([]byte(text))
	if err != nil {
		return tag.None(), badRequest("value is %q, not JSON: %v", text, err)
	}
	v, err := tag.FromAny(plain)
	if err != nil {
		return v, badRequest("value: %v", err)
	}
	v, err = typed(i, v)
	if err != nil {
		return v, err
	}
	if v, err = i.Shown(v); err != nil {
		return v, badRequest("%s: %v", i.Path, err)
	}
	return v, nil
}
