// Package gateway is the process image: the last value of each tag, kept fresh
// over one link per connection, and the only way to a guarded write.
//
// # Nouns
//
// A link is one connection at work: one goroutine that owns a Driver, connects
// it for ever, reads the scan classes, and serves reads and writes in between.
// A session is a link from its connecting to its loss. The image is the newest
// sample of each tag. A watch is a reader's view of it.
//
// # Order and back-pressure
//
// The requests of one link go to its device one at a time: first the writes
// that wait, then all reads that wait, as one request, then the scan class that
// is due, and so on in turn. No link ever waits for another, or for a reader.
// Nothing is queued for a device: who waits, waits in Read or Write, can leave
// until the link takes the request, and is sent home when the session is lost.
// A watch has one slot per tag; the newest sample wins.
//
// # What holds
//
//   - While a link is down its tags are BadNoCommunication, and no value from
//     before is shown in their place.
//   - What a subscribed device does not monitor is polled, and grows stale by its
//     age, as on a link that is not subscribed.
//   - A sample that was received earlier never replaces one received later.
//   - After a write no Read shows the sample from before it.
//   - A write is sent at most once, in the session in which it was asked for,
//     when the guards hold at that moment. Once it is sent its outcome is waited
//     for, also when the gateway stops.
//
// The guards are a help against mistakes, not a safety function: between the
// look at an interlock and the write the plant moves on.
package gateway
