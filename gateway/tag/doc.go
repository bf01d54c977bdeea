// Package tag is the vocabulary of the process image: what a tag is called
// (Path), what it holds (Value), how far that can be trusted (StatusCode), and
// what passes between the gateway and its drivers (Item, Sample, Write,
// Outcome).
//
// The nouns follow OPC UA: a Sample is a DataValue of OPC 10000-4, 7.11, and a
// StatusCode is the 32-bit code of OPC 10000-4, 7.39, for Modbus and simulated
// tags too. The package imports nothing else of Holdfast and holds no state.
package tag
