// Package demo is a small bottling line to try Holdfast on: a Modbus TCP server
// and an OPC UA server with a simulated plant behind them, the gateway on both
// by real sockets, and an example workflow.
//
// Everything lies in one folder, which outlives the process: the configuration,
// the workflows, the journal, and what the plant's devices hold. A real PLC goes
// on when the gateway loses its power; this one lives in the gateway's own
// process, so each write to it is put on disk before it is answered. What the
// gateway finds after a kill is then what a real plant would show it.
package demo
