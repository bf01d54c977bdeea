// Package opcuatest is an OPC UA server in this process, for tests and for the
// demonstration plant. It is built on awcullen/opcua, which shares no code with
// the library under drivers/opcua.
//
// A Server has variables of one namespace, below the folder Objects/Plant. It
// offers the policy None, and Basic256Sha256, Aes128Sha256RsaOaep and
// Aes256Sha256RsaPss with mode SignAndEncrypt; anonymous clients, users with a
// password, and users with a certificate may read and write.
//
// Clients reach it through a relay that listens on the address given to Listen
// and can be told to misbehave: Cut drops the connections while the sessions
// live on, Hang makes a black hole of the server, HangReplies loses only its
// answers. RefuseMonitoring lets variables be read and not be monitored. Restart
// comes back on the same address with other namespaces.
//
// The library behind the relay can listen on all interfaces only; it does so on
// a port of its own, which nobody is told. Do not run a Server where that
// matters: it is a toy plant, not a gateway's northbound side.
package opcuatest
