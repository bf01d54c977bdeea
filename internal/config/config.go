package config

import (
	"time"

	"holdfast/gateway/tag"
)

// The drivers that a connection may name.
const (
	DriverModbus = "modbus"
	DriverOPCUA  = "opcua"
	DriverSim    = "sim"
)

// Config is a whole configuration, with the defaults filled in.
type Config struct {
	File         string // as given to Load
	Version      int    // 1
	DataDir      string // absolute
	WorkflowsDir string // absolute
	API          API
	Engine       Engine
	Journal      Journal
	ScanClasses  []ScanClass
	Connections  []Connection // in the order of the files
	Tags         []Tag        // in the order of the files; those of CSV files come last
	Databases    []Database
	HTTPAllow    []string // URL prefixes; empty: anywhere

	sources []source // of tags_from
}

// API says where the daemon listens.
type API struct {
	Socket string // path of the unix socket, absolute
}

// Engine bounds the workflow engine.
type Engine struct {
	Workers      int           // runs executing at once
	StartupGrace time.Duration // how long a step waits for a link that has not been up since start
	StaleAfter   time.Duration // an interrupted write older than this is never sent again by itself
	Queues       []Queue       // always holds the queue "default"
	Retention    Retention
}

// Journal bounds the journal's log. A zero is the journal's own default.
type Journal struct {
	Memory  int64 // bytes, of each of the log's three segments; a log that is there keeps its size
	Reserve int64 // bytes, kept for what is essential while the disk is full
}

// Retention bounds what is kept of runs that have ended.
type Retention struct {
	Age   time.Duration
	Runs  int
	Bytes int64
}

// Queue is a place where runs wait for a worker.
type Queue struct {
	Name string
	Pos  Pos
}

// ScanClass is a pace at which tags are read.
type ScanClass struct {
	Name   string
	Period time.Duration
	Pos    Pos // no line for the built-in fast, normal and slow
}

// Connection is one device behind one driver.
type Connection struct {
	Name      string
	Driver    string    // DriverModbus, DriverOPCUA or DriverSim
	URL       string    // as written; "" for DriverSim
	Reconnect Reconnect // zero for DriverSim
	Modbus    Modbus    // of DriverModbus only
	OPCUA     OPCUA     // of DriverOPCUA only
	Pos       Pos
}

// Reconnect bounds the pause between two attempts to connect, which doubles
// from Min to Max.
type Reconnect struct {
	Min, Max time.Duration
}

// Modbus is what a Modbus connection needs beside its URL.
type Modbus struct {
	UnitID       uint8     // unit identifier
	Order        tag.Order // of tags that do not say their own
	Timeout      time.Duration
	Limits       Limits
	DelayBetween time.Duration // pause between requests on the link
	LateAnswer   time.Duration // how late after its request an answer may come; 0 but for the rtu schemes
}

// Limits bounds one Modbus read request.
type Limits struct {
	Registers int // 1 to 125 (Modbus Application Protocol v1.1b3, 6.3)
	Coils     int // 1 to 2000 (6.1)
	MaxGap    int // registers or coils that nobody asked for, read to join two blocks
}

// OPCUA is what an OPC UA connection needs beside its URL.
type OPCUA struct {
	Security  Security
	Auth      Auth
	Subscribe bool          // false: poll
	Silence   time.Duration // without a publish response for so long, the session counts as lost
	Timeouts  Timeouts
}

// Security is the protection of an OPC UA secure channel. Policy and Mode are
// "None" where the configuration has no security section.
type Security struct {
	Policy     string // None Basic256Sha256 Aes128Sha256RsaOaep Aes256Sha256RsaPss
	Mode       string // None Sign SignAndEncrypt
	ServerCert string // "trusted", "any", or "fingerprint:" and the certificate's SHA-256 in 64 lower-case hexadecimal digits; "" where Policy is None
}

// Auth is who the session's user is. The zero Auth is anonymous.
type Auth struct {
	User               string
	PasswordCredential string // for Config.Credential
	Cert               string // file of the user's certificate, absolute
	KeyCredential      string // for Config.Credential
}

// Timeouts are those of an OPC UA session.
type Timeouts struct {
	Connect, Request, Session time.Duration
}

// Database is one that the steps db.query and db.update may name.
type Database struct {
	Name          string
	Driver        string // sqlite postgres mysql sqlserver
	DSN           string // of sqlite; a plain file name is absolute, below DataDir
	DSNCredential string // of the others, for Config.Credential
	ExactlyOnce   bool   // updates record run and step in the same transaction
	Pos           Pos
}
