// Package opcua is the driver for OPC UA servers, on the lower layers of
// gopcua/opcua: uacp (TCP), uasc (secure channel) and ua (services and codec).
//
// The library's own client is not used: it reconnects by itself and then shows
// a healthy connection over dead subscriptions. Here a Driver has at most one
// session, which is whole or gone. Whatever makes it doubtful (a failed or
// unanswered request, a fault that names the session, a watch read without an
// answer, a silent subscription, a lost notification) ends it, every call
// returns, and the gateway connects anew.
//
// # Nouns
//
// A channel is a TCP connection with an OPC UA secure channel on it. A session
// is an activated session on a channel, with what was learnt at its start: the
// namespace array, the operation limits, and the data types of the items that
// may be written. An address names a node; its namespace is resolved on each
// Connect.
//
// # Trust
//
// With a security policy other than None the server proves to own the
// certificate that its endpoint names, and that certificate must pass
// Config.ServerCert before the channel is opened. A password is never sent in
// clear: it goes over an encrypted channel, or encrypted for a certificate that
// passed the same rule.
//
// # Writes
//
// One WriteRequest carries one value, for the services set no order on the
// values of one request, and servers do take them in parallel. A request counts
// as sent when it was handed to the channel; without an answer to it the write
// is unknown and the session ends.
//
// # What the server does not monitor
//
// An item whose monitored item is refused, or of which no first notification
// comes within Config.WatchdogSilence, or whose node was deleted, is told of as
// unmonitored: the gateway reads it. The server is asked again for what it
// refused or deleted, later and later, as long as the session lasts; what it took
// and is silent about is awaited. A monitored item that a server drops without a
// word, while its subscription lives on, looks like a value that does not change.
//
// # Known limits
//
// The library decodes in a goroutine of its own, where a hostile server can
// make it panic. When it renews a channel's token, it takes the certificate that
// the packet brings, without comparing it with the one of the start. It does not
// pass on the Error message with which a server hangs up. Structures that it
// does not know are read as BadNotSupported, lists of ByteStrings cannot be
// written, and a DateTime beyond the years 1900 to 2261 is BadDecodingError or,
// where it wraps into them, wrong.
package opcua
