// Package controltest runs a small daemon for tests of the control API, its
// client and the command line: a real journal, engine and gateway behind a real
// unix socket, and below them a Device that does what a test tells it.
package controltest
