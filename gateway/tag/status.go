package tag

import "fmt"

// StatusCode is an OPC UA StatusCode (OPC 10000-4, 7.39): severity in the top
// two bits, the code in the next fourteen, flags in the lower sixteen.
type StatusCode uint32

// The codes that Holdfast itself sets. A device may report any other.
const (
	Good                     StatusCode = 0x00000000
	GoodCompletesAsync       StatusCode = 0x002E0000
	GoodClamped              StatusCode = 0x00300000
	Uncertain                StatusCode = 0x40000000
	UncertainLastUsableValue StatusCode = 0x40900000
	Bad                      StatusCode = 0x80000000
	BadUnexpectedError       StatusCode = 0x80010000
	BadInternalError         StatusCode = 0x80020000
	BadCommunicationError    StatusCode = 0x80050000
	BadEncodingError         StatusCode = 0x80060000
	BadDecodingError         StatusCode = 0x80070000
	BadTimeout               StatusCode = 0x800A0000
	BadShutdown              StatusCode = 0x800C0000
	BadUserAccessDenied      StatusCode = 0x801F0000
	BadWaitingForInitialData StatusCode = 0x80320000
	BadNoCommunication       StatusCode = 0x80310000
	BadNodeIdInvalid         StatusCode = 0x80330000
	BadNodeIdUnknown         StatusCode = 0x80340000
	BadAttributeIdInvalid    StatusCode = 0x80350000
	BadNotReadable           StatusCode = 0x803A0000
	BadNotWritable           StatusCode = 0x803B0000
	BadOutOfRange            StatusCode = 0x803C0000
	BadNotSupported          StatusCode = 0x803D0000
	BadTypeMismatch          StatusCode = 0x80740000
	BadConfigurationError    StatusCode = 0x80890000
	BadNotConnected          StatusCode = 0x808A0000
	BadDeviceFailure         StatusCode = 0x808B0000
	BadSensorFailure         StatusCode = 0x808C0000
	BadOutOfService          StatusCode = 0x808D0000
	BadInvalidArgument       StatusCode = 0x80AB0000
	BadConnectionClosed      StatusCode = 0x80AE0000
	BadInvalidState          StatusCode = 0x80AF0000
	BadNoData                StatusCode = 0x809B0000
	BadResourceUnavailable   StatusCode = 0x80040000
	BadWriteNotSupported     StatusCode = 0x80730000
	severityMask             StatusCode = 0xC0000000
	codeMask                 StatusCode = 0xFFFF0000
	severityUncertain        StatusCode = 0x40000000
	severityBad              StatusCode = 0x80000000
)

// IsGood reports whether the value behind the code may be used.
func (c StatusCode) IsGood() bool { return c&severityMask == 0 }

// IsUncertain reports whether the value may be used with care.
func (c StatusCode) IsUncertain() bool { return c&severityMask == severityUncertain }

// IsBad reports whether there is no value to use. The reserved severity 0b11
// counts as bad, as OPC 10000-4, 7.39 asks.
func (c StatusCode) IsBad() bool { return c&severityBad != 0 }

// String returns the symbolic name (Good, BadNoCommunication, …), or the code
// in hexadecimal where the standard has no name for it.
func (c StatusCode) String() string {
	if n := statusName(c & codeMask); n != "" {
		return n
	}
	return fmt.Sprintf("0x%08X", uint32(c))
}

// ParseStatus returns the StatusCode that String would show as name.
func ParseStatus(name string) (StatusCode, bool) {
	// The codes of the standard lie in these ranges; the search is for tests
	// and command lines, never on the path of a sample.
	for _, sev := range []StatusCode{0, severityUncertain, severityBad} {
		for code := StatusCode(0); code < 0x2000; code++ {
			if c := sev | code<<16; statusName(c) == name {
				return c, true
			}
		}
	}
	return 0, false
}
