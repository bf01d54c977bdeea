package opcua

import (
	"context"
	"errors"
	"fmt"

	"github.com/gopcua/opcua/ua"

	"holdfast/gateway/tag"
)

// write sends the writes one by one, in order. The error is of the channel or
// ctx, and comes only where nothing was sent.
func (s *session) write(ctx context.Context, writes []tag.Write) ([]tag.Outcome, error) {
	outcomes := make([]tag.Outcome, len(writes))
	for i, w := range writes {
		req, refused := s.prepare(w)
		if refused != nil {
			outcomes[i] = *refused
			continue
		}
		if err := s.usable(ctx); err != nil {
			if i == 0 {
				return nil, err
			}
			outcomes[i] = tag.Outcome{Result: tag.Rejected, Status: tag.BadNotConnected, Detail: "not sent: " + err.Error()}
			continue
		}
		outcomes[i] = s.send(ctx, req)
		if outcomes[i].Result == tag.Unknown {
			s.fail(fmt.Errorf("it is not known whether tag %s was written", w.Item.Path))
		}
	}
	return outcomes, nil
}

func (s *session) usable(ctx context.Context) error {
	select {
	case <-s.lost:
		return &lostError{s.cause}
	default:
		return ctx.Err()
	}
}

// prepare makes the request of a write, or the outcome of one that cannot be sent.
func (s *session) prepare(w tag.Write) (*ua.WriteRequest, *tag.Outcome) {
	refuse := func(code tag.StatusCode, detail string) (*ua.WriteRequest, *tag.Outcome) {
		return nil, &tag.Outcome{Result: tag.Rejected, Status: code, Detail: "not sent: " + detail}
	}
	h := w.Item.Handle
	t, ok := s.types[h]
	if !ok {
		return refuse(tag.BadConfigurationError, "the tag is not configured to be written")
	}
	if t.refused != "" {
		return refuse(t.code, t.refused)
	}
	if w.Item.Type != tag.TypeAny {
		if _, err := tag.Coerce(w.Value, w.Item.Type); err != nil && w.Value.Kind() != tag.KindList {
			return refuse(tag.BadTypeMismatch, err.Error())
		}
	}
	v, err := toVariant(w.Value, t)
	if err != nil {
		code := tag.BadTypeMismatch
		if w.Value.IsNumber() {
			if _, numeric := numericType(t.base); numeric && t.base != ua.TypeIDBoolean {
				code = tag.BadOutOfRange
			}
		}
		return refuse(code, err.Error())
	}
	// Value only: PLCs refuse writes with a status or timestamps.
	return &ua.WriteRequest{NodesToWrite: []*ua.WriteValue{{
		NodeID: s.nodes[h], AttributeID: ua.AttributeIDValue,
		Value: &ua.DataValue{EncodingMask: ua.DataValueValue, Value: v},
	}}}, nil
}

// send sends one write. Whatever happens from here on, it counts as sent.
func (s *session) send(ctx context.Context, req *ua.WriteRequest) tag.Outcome {
	r, err := call[*ua.WriteResponse](ctx, s.channel, req)
	var fault *faultError
	switch {
	case errors.As(err, &fault):
		o := tag.Outcome{Result: tag.Unknown, Status: statusCode(fault.code), Detail: "the server failed the request as a whole"}
		if nothingExecuted(fault.code) {
			o.Result = tag.Rejected
		}
		return o
	case err != nil:
		o := tag.Outcome{Result: tag.Unknown, Status: tag.BadCommunicationError, Detail: err.Error()}
		if errors.Is(err, errNoAnswer) {
			o.Status = tag.BadTimeout
		}
		return o
	case len(r.Results) != 1:
		return tag.Outcome{Result: tag.Unknown, Status: tag.BadUnexpectedError,
			Detail: fmt.Sprintf("the server gave %d results to one write", len(r.Results))}
	}
	return judge(statusCode(r.Results[0]))
}

// judge returns the outcome that a write's own result means.
func judge(code tag.StatusCode) tag.Outcome {
	o := tag.Outcome{Result: tag.Rejected, Status: code}
	bare := ua.StatusCode(code &^ 0xFFFF) // without its flags
	switch {
	case bare == ua.StatusGoodCompletesAsynchronously:
		o.Result, o.Detail = tag.Unknown, "the server took the value and does not say what becomes of it"
	case code.IsGood():
		o.Result = tag.Accepted
	case code.IsUncertain(), undecided(bare):
		o.Result, o.Detail = tag.Unknown, "the server does not know whether its device took the value"
	}
	return o
}

// undecided tells the bad results with which a server says that it passed the
// value on and heard no more of it.
func undecided(code ua.StatusCode) bool {
	switch code {
	case ua.StatusBadTimeout, ua.StatusBadRequestTimeout, ua.StatusBadRequestInterrupted,
		ua.StatusBadCommunicationError, ua.StatusBadConnectionClosed, ua.StatusBadShutdown:
		return true
	}
	return false
}

// nothingExecuted tells the service results that a server gives before it looks
// at the first operation (OPC 10000-4, 7.38.2): the session, the channel or the
// request itself is not accepted. After any other one, such as BadTimeout,
// BadInternalError or BadShutdown, some of the request may have been done.
func nothingExecuted(code ua.StatusCode) bool {
	switch code {
	case ua.StatusBadSessionIDInvalid, ua.StatusBadSessionClosed, ua.StatusBadSessionNotActivated,
		ua.StatusBadSecureChannelIDInvalid, ua.StatusBadSecureChannelTokenUnknown, ua.StatusBadSecurityChecksFailed,
		ua.StatusBadIdentityTokenInvalid, ua.StatusBadIdentityTokenRejected, ua.StatusBadUserAccessDenied,
		ua.StatusBadServiceUnsupported, ua.StatusBadNothingToDo, ua.StatusBadTooManyOperations,
		ua.StatusBadRequestHeaderInvalid, ua.StatusBadInvalidTimestamp, ua.StatusBadRequestTooLarge,
		ua.StatusBadDecodingError, ua.StatusBadTCPServerTooBusy:
		return true
	}
	return false
}
