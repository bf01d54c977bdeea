// Package client speaks to the daemon over its unix socket. Each method is one
// request of the control API.
//
// Every error is a *wire.Error, whose code says what happened and which exit
// code it means: Unreachable where no daemon answers, the daemon's own word
// where it does, and Unknown where a request that acts was sent and no answer
// came. Nothing that acts is ever sent twice. Only where the caller's ctx ended,
// the error is the ctx's, unless the request acts and was sent.
package client
