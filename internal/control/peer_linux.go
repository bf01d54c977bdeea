package control

import (
	"net"
	"os/user"
	"strconv"
	"syscall"
)

// peerUser returns the user at the other end of a unix socket, by SO_PEERCRED
// (unix(7)): "ada (uid 1000)", or "uid 1000" of one without a name.
func peerUser(c *net.UnixConn) string {
	raw, err := c.SyscallConn()
	if err != nil {
		return unknownActor
	}
	var cred *syscall.Ucred
	var optErr error
	if err := raw.Control(func(fd uintptr) {
		cred, optErr = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); err != nil || optErr != nil {
		return unknownActor
	}
	uid := strconv.FormatUint(uint64(cred.Uid), 10)
	u, err := user.LookupId(uid)
	if err != nil {
		return "uid " + uid
	}
	return u.Username + " (uid " + uid + ")"
}
