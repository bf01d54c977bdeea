//go:build !linux

package control

import "net"

// peerUser knows no way to ask on this system.
func peerUser(*net.UnixConn) string { return unknownActor }
