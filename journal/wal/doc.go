// Package wal is a write-ahead log: frames of bytes, each durable by one write
// and one sync when Append returns.
//
// Its nouns: a Segment is one of three files of fixed size, zero-written when
// they are made, and overwritten in turn, so that no append changes the size of
// a file; a Frame is one append, with a sequence number one above that of the
// frame before, the journal's salt, and a CRC-32C over all of it. A frame begins
// at a multiple of 4 KiB and is padded to one: no sector of a frame that is on
// disk is written again before its segment is used anew.
//
// Open reads all segments through and gives every frame that is whole, in the
// order of their numbers. Which of them are still needed, what a missing number
// means, and when a segment may be overwritten is for the owner to say: the log
// knows nothing of what frames hold.
//
// A failed Append leaves open what is on disk. The log is then not to be used
// again before it is opened anew; unless what failed it is want of room: then the
// same frame can be appended again, in the same place.
package wal
