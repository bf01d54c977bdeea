// Package demo is a small bottling line to try Holdfast on: a Modbus TCP server
// and an OPC UA server with a simulated plant behind them, the gateway on both
// by real sockets, and an example workflow.
package demo
