// Package control is the daemon's API: HTTP with JSON over a unix socket.
//
// Everything that it offers stands in one table (routes), with the access that
// it takes. Whoever can open the socket may do everything: its mode 0660 is the
// lock, its group the key. The name of the user at the other end goes on record
// as the actor of a command.
//
// Requests are bounded in size and in the time that they may take to arrive,
// and strict: an unknown key, a key given twice, an unknown parameter are
// refused. What acts and what waits are separate requests: the answer to a
// command says that it is on disk, and a further request, which may be repeated,
// waits for what becomes of it. Streams end when the daemon stops; a stream that
// nobody reads is given up.
//
// While the daemon recovers, only the status is answered; all else is told to
// try again.
package control
