package opcua

import (
	"testing"

	"github.com/gopcua/opcua/ua"

	"holdfast/gateway/tag"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	for code, want := range map[tag.StatusCode]tag.Result{
		tag.Good: tag.Accepted, tag.GoodClamped: tag.Accepted, tag.GoodCompletesAsync: tag.Unknown,
		tag.GoodCompletesAsync | 0x0400: tag.Unknown, // with flags
		tag.Uncertain:                   tag.Unknown, tag.BadTimeout: tag.Unknown, tag.BadCommunicationError: tag.Unknown,
		tag.BadNotWritable: tag.Rejected, tag.BadOutOfRange: tag.Rejected, tag.BadTypeMismatch: tag.Rejected,
		tag.BadUserAccessDenied: tag.Rejected, tag.BadDeviceFailure: tag.Rejected,
	} {
		if o := judge(code); o.Result != want || o.Status != code {
			t.Errorf("a write with the result %v is %v %v, want %v", code, o.Result, o.Status, want)
		}
	}
}

func TestNothingExecuted(t *testing.T) {
	t.Parallel()
	for _, code := range []ua.StatusCode{ua.StatusBadTimeout, ua.StatusBadInternalError, ua.StatusBadUnexpectedError,
		ua.StatusBadShutdown, ua.StatusBadOutOfMemory, ua.StatusBadResponseTooLarge, ua.StatusBadEncodingLimitsExceeded,
		ua.StatusBadCommunicationError, ua.StatusBadSecureChannelClosed} {
		if nothingExecuted(code) {
			t.Errorf("%v counts as a request of which nothing was executed", code)
		}
	}
	for _, code := range []ua.StatusCode{ua.StatusBadSessionIDInvalid, ua.StatusBadTooManyOperations, ua.StatusBadDecodingError} {
		if !nothingExecuted(code) {
			t.Errorf("%v counts as a request of which something may have been executed", code)
		}
	}
}
