// Package modbus drives devices that speak Modbus, over TCP, TLS, UDP and
// serial lines, as Modbus Application Protocol v1.1b3 and the messaging guides
// for TCP and serial line have it.
//
// # Addresses
//
// An address is a table and a zero-based offset as on the wire (holding:100,
// input:5, coil:0, discrete:7), with a bit of a register where the type is
// bool (holding:20.3, bit 0 the least significant), or the one-based reference
// of data sheets (40101, 30006, 00001, 10008; six digits up to 465536).
//
// # Values
//
// A value is what the device holds, without scaling.
//
//   - bool is a coil, a discrete input, or a bit of a register.
//   - int8 and uint8 are the low byte of a register. The high byte is not
//     looked at; a write fills it with the sign, or with 0.
//   - Values of 32 and 64 bits take two and four registers. Their order says how
//     the bytes lie: ABCD most significant register first; CDAB least
//     significant register first; BADC and DCBA the same with the bytes of each
//     register swapped, so that DCBA is least significant byte first
//     throughout. With 64 bits, CDAB likewise reverses all four registers.
//   - string takes the registers of its length in bytes, the first character in
//     the high byte, or in the low one where the order is BADC or DCBA. It ends at
//     the first NUL, and spaces at its end are padding. A write pads with NUL;
//     what would not be read back the same (text with NUL or with spaces at its
//     end, or too long) is refused. Text that is not UTF-8 reads BadDecodingError.
//   - bytes is the same without padding: exactly length bytes.
//   - string and bytes of an odd length leave the last byte of their last register
//     alone when reading, and write 0 there.
//   - bcd16 and bcd32 are four and eight decimal digits. A digit above 9 reads
//     BadDecodingError.
//
// # Requests
//
// Reads of neighbouring tags are merged into blocks (Plan). A device that
// answers a block with exception 2 or 3 gets it again in halves, until only the
// tag that it refuses is bad; the split is remembered until the next Connect.
// Single coils and registers are written with function codes 5 and 6, values of
// several registers with 16. Writes are never merged, never repeated.
//
// # Exceptions
//
// An exception of the device is the quality of a read and the status of a
// rejected write; the link stays up. Some of them leave it open whether a write
// has had its effect, or will have it (4 is a failure while the device carried
// it out): its outcome is then unknown.
//
//	 1 illegal function          BadNotSupported
//	 2 illegal data address      BadNodeIdUnknown
//	 3 illegal data value        BadOutOfRange
//	 4 server device failure     BadDeviceFailure; write unknown
//	 5 acknowledge               BadWaitingForInitialData; write unknown, GoodCompletesAsync
//	 6 server device busy        BadResourceUnavailable
//	 8 memory parity error       BadDeviceFailure; write unknown
//	10 gateway path unavailable  BadNoCommunication
//	11 gateway target silent     BadTimeout; write unknown
//	other codes                  BadUnexpectedError; write unknown
//
// # Links
//
// Any other error (no answer in time, a frame that is cut short or garbled,
// another unit's answer) leaves it open where in the stream the link stands, and
// closes it: the next calls return tag.ErrNotConnected until Connect. A write that
// was on the wire then is tag.Unknown, unless the operating system refused to
// take its first byte.
//
// An answer in RTU framing (rtu, rtuovertcp, rtuoverudp) does not say which
// request it answers: one that comes late would be taken for the next one's, and
// every value after it would be Good and its neighbour's. So there, after such an
// error, and at the start, Connect lets the line rest until Config.LateAnswer has
// passed since the request was sent. In the meantime it listens, on a connection of
// its own, throws away what comes, and goes on once the line has been silent for
// Config.Timeout. On UDP it only waits: nobody talks to a socket that has sent nothing.
//
// What this does not see is a device that answers one request twice in time.
//
// A request on the wire is not broken off: ctx and Close are seen between
// requests, and so after Config.Timeout at the latest.
package modbus
