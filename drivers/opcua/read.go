package opcua

import (
	"context"
	"errors"
	"time"

	"github.com/gopcua/opcua/ua"

	"holdfast/gateway/tag"
)

// readPlan is what reads of the items' values need, and what they found out.
type readPlan struct {
	ids  []*ua.ReadValueID   // by Item.Handle; nil where the namespace is gone
	solo map[*ua.NodeID]bool // nodes whose value fails a whole response: they are read alone
	at   []int               // reused: the index of each id of ask
	ask  []*ua.ReadValueID   // reused
}

// read returns one sample an item. The error is of the channel or ctx.
func (s *session) read(ctx context.Context, items []tag.Item) ([]tag.Sample, error) {
	p := &s.reads
	p.at, p.ask = p.at[:0], p.ask[:0]
	samples := make([]tag.Sample, len(items))
	var alone []int
	for i, it := range items {
		switch {
		case it.Handle < 0 || it.Handle >= len(p.ids):
			samples[i] = tag.BadSample(tag.BadConfigurationError, time.Now())
		case p.ids[it.Handle] == nil:
			samples[i] = tag.BadSample(tag.BadNodeIdUnknown, time.Now())
		case p.solo[s.nodes[it.Handle]]:
			alone = append(alone, i)
		default:
			p.at, p.ask = append(p.at, i), append(p.ask, p.ids[it.Handle])
		}
	}
	if err := s.readInto(ctx, samples, items, p.at, p.ask); err != nil {
		return nil, err
	}
	for _, i := range alone {
		if err := s.readInto(ctx, samples, items, []int{i}, []*ua.ReadValueID{p.ids[items[i].Handle]}); err != nil {
			return nil, err
		}
	}
	return samples, nil
}

// readInto reads ids and puts the sample of ids[k] at samples[at[k]].
func (s *session) readInto(ctx context.Context, samples []tag.Sample, items []tag.Item, at []int, ids []*ua.ReadValueID) error {
	results, codes, err := s.readAll(ctx, ids)
	if err != nil {
		return err
	}
	now := time.Now()
	for k, i := range at {
		if results[k] == nil {
			code := statusCode(codes[k])
			if !code.IsBad() { // nothing that has no value is good, or uncertain
				code = tag.BadUnexpectedError
			}
			samples[i] = tag.BadSample(code, now)
		} else {
			samples[i] = toSample(results[k], items[i].Type, now)
		}
	}
	return nil
}

// readAll reads attributes in as many requests as the limits ask for. A result
// is nil where its code says why it could not be read. The error is of the
// channel or ctx.
func (s *session) readAll(ctx context.Context, ids []*ua.ReadValueID) (results []*ua.DataValue, codes []ua.StatusCode, err error) {
	results, codes = make([]*ua.DataValue, len(ids)), make([]ua.StatusCode, len(ids))
	for from := 0; from < len(ids); {
		to := min(from+s.limits.read, len(ids))
		again, err := s.readSome(ctx, ids[from:to], results[from:to], codes[from:to])
		if err != nil {
			return nil, nil, err
		}
		if !again {
			from = to
		}
	}
	return results, codes, nil
}

// readSome reads one request's worth. again says that the limit is lower now.
func (s *session) readSome(ctx context.Context, ids []*ua.ReadValueID, results []*ua.DataValue, codes []ua.StatusCode) (again bool, err error) {
	r, err := s.readFew(ctx, ids...)
	if err == nil {
		copy(results, r)
		return false, nil
	}
	var fault *faultError
	var unreadable *unreadableError
	code := ua.StatusBadUnexpectedError
	switch {
	case errors.As(err, &fault):
		code = fault.code
	case errors.As(err, &unreadable):
		code = unreadable.code
	case ctx.Err() != nil, isLost(err):
		return false, err
	}
	switch {
	case endsSession(code):
		return false, err
	case len(ids) == 1:
		codes[0] = code
		if tooLarge(code) {
			s.remember(ids[0].NodeID)
		}
		return false, nil
	case code == ua.StatusBadTooManyOperations:
		s.limits.read = max(1, len(ids)/2)
		s.set.Log.Info("the server takes fewer nodes per read than it says", "url", s.set.URL, "now", s.limits.read)
		return true, nil
	case tooLarge(code):
		return false, s.bisect(ctx, ids, results, codes)
	}
	for i := range codes {
		codes[i] = code
	}
	return false, nil
}

// bisect reads the halves of what could not be answered in one response: either
// there was too much of it, or one node in it spoils any response that it is in.
func (s *session) bisect(ctx context.Context, ids []*ua.ReadValueID, results []*ua.DataValue, codes []ua.StatusCode) error {
	spoilers := len(s.reads.solo)
	half := len(ids) / 2
	for _, part := range [][2]int{{0, half}, {half, len(ids)}} {
		for from := part[0]; from < part[1]; {
			to := min(from+s.limits.read, part[1])
			again, err := s.readSome(ctx, ids[from:to], results[from:to], codes[from:to])
			if err != nil {
				return err
			}
			if !again {
				from = to
			}
		}
	}
	if len(s.reads.solo) == spoilers && half < s.limits.read {
		s.limits.read = half
		s.set.Log.Info("the server's responses are too large, fewer nodes are read at once", "url", s.set.URL, "now", half)
	}
	return nil
}

func (s *session) remember(n *ua.NodeID) {
	if s.reads.solo == nil {
		s.reads.solo = map[*ua.NodeID]bool{}
	}
	s.reads.solo[n] = true
}

// tooLarge tells the codes after which a smaller request may succeed.
func tooLarge(code ua.StatusCode) bool {
	switch code {
	case ua.StatusBadEncodingLimitsExceeded, ua.StatusBadResponseTooLarge, ua.StatusBadRequestTooLarge,
		ua.StatusBadTCPMessageTooLarge, ua.StatusBadDecodingError, ua.StatusBadEncodingError:
		return true
	}
	return false
}

func isLost(err error) bool {
	var lost *lostError
	return errors.As(err, &lost)
}

// toSample makes a sample of what the server gave. Where that does not fit the
// configured type, the sample is bad.
func toSample(v *ua.DataValue, t tag.Type, now time.Time) tag.Sample {
	if v == nil {
		return tag.BadSample(tag.BadDecodingError, now)
	}
	s := tag.Sample{Status: statusCode(v.Status), Received: now}
	if v.Has(ua.DataValueSourceTimestamp) {
		s.Source = plausible(v.SourceTimestamp)
	}
	if v.Has(ua.DataValueServerTimestamp) {
		s.Server = plausible(v.ServerTimestamp)
	}
	if s.Status.IsBad() {
		return s
	}
	value, code := fromVariant(v.Value)
	if code == tag.Good {
		value, code = fit(value, t)
	}
	if code != tag.Good {
		s.Status = code
		return s
	}
	s.Value = value
	return s
}

// fit returns v as type t.
func fit(v tag.Value, t tag.Type) (tag.Value, tag.StatusCode) {
	if t == tag.TypeAny || t.IsFloat() && v.Kind() == tag.KindFloat {
		return v, tag.Good // a NaN is the device's to say, and no reason for a bad status
	}
	if l, ok := v.AsList(); ok && t == tag.TypeBytes {
		if b, ok := joinBytes(l); ok {
			return tag.Bytes(b), tag.Good
		}
	}
	w, err := tag.Coerce(v, t)
	if err != nil {
		return tag.None(), tag.BadTypeMismatch
	}
	return w, tag.Good
}

// joinBytes makes bytes of an array of Byte.
func joinBytes(l []tag.Value) ([]byte, bool) {
	b := make([]byte, len(l))
	for i, v := range l {
		n, ok := v.AsInt()
		if !ok || n < 0 || n > 255 {
			return nil, false
		}
		b[i] = byte(n)
	}
	return b, true
}
