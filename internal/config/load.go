package config

import (
	"holdfast/gateway/tag"
)

// DriverChecks is what only a driver knows about the words of its
// configuration. A nil function accepts everything.
type DriverChecks struct {
	// Address checks an address against the rest of the tag. The error says
	// what is wrong with which value and what is allowed, without the tag's path.
	Address func(addr string, typ tag.Type, order tag.Order, length int, writable bool) error
	// Type returns the type that an address has by itself, for a tag that
	// names none; TypeAny where it has none. nil: none has.
	Type func(addr string) tag.Type
	// URL checks a connection's URL.
	URL func(url string) error
}
