package control

import (
	"context"
	"encoding/json"
	"math"

	"holdfast/engine"
	"holdfast/internal/control/wire"
)

// page collects entries, as JSON, until it is full.
type page struct {
	entries []json.RawMessage
	bytes   int
	most    int // entries
	err     error
}

func newPage(r *request) (*page, error) {
	n, err := r.number("limit", wire.PageEntries)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		n = wire.PageEntries
	}
	return &page{entries: []json.RawMessage{}, most: int(n)}, nil
}

// takes reports whether there was room for an entry. The first always has it.
func (p *page) takes(entry any) bool {
	if len(p.entries) >= p.most || p.bytes >= wire.PageBytes {
		return false
	}
	b, err := json.Marshal(entry)
	if err != nil {
		p.err = err
		return false
	}
	p.entries = append(p.entries, b)
	p.bytes += len(b) + 1
	return true
}

// steps answers with a wire.StepPage.
func (s *Server) steps(ctx context.Context, r *request) (any, error) {
	p, err := newPage(r)
	if err != nil {
		return nil, err
	}
	from, err := r.number("from", math.MaxUint32)
	if err != nil {
		return nil, err
	}
	id, err := s.find(r)
	if err != nil {
		return nil, err
	}
	out := struct {
		Steps []json.RawMessage `json:"steps"`
		Next  *uint32           `json:"next"`
	}{}
	err = s.cfg.Engine.EachStep(ctx, id, uint32(from), func(st engine.StepInfo) bool {
		st.StartedAt = st.StartedAt.UTC()
		if st.CompletedAt != nil {
			utc := st.CompletedAt.UTC()
			st.CompletedAt = &utc
		}
		if p.takes(&st) {
			return true
		}
		out.Next = &st.Seq
		return false
	})
	if out.Steps = p.entries; err == nil {
		err = p.err
	}
	return answerOf(out, err)
}

// logOnce answers with a wire.LogPage.
func (s *Server) logOnce(ctx context.Context, r *request) (any, error) {
	p, err := newPage(r)
	if err != nil {
		return nil, err
	}
	id, after, err := s.logRequest(r)
	if err != nil {
		return nil, err
	}
	out := struct {
		Entries []json.RawMessage `json:"entries"`
		Next    *uint32           `json:"next"`
	}{}
	last := after
	err = s.cfg.Engine.EachLogEntry(ctx, id, r.query.Get("stream"), after, func(l engine.LogEntry) bool {
		l.Time = l.Time.UTC()
		if p.takes(&l) {
			last = l.Seq
			return true
		}
		out.Next = &last
		return false
	})
	if out.Entries = p.entries; err == nil {
		err = p.err
	}
	return answerOf(out, err)
}
