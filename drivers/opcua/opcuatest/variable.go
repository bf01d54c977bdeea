package opcuatest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/awcullen/opcua/server"
	"github.com/awcullen/opcua/ua"

	"holdfast/gateway/tag"
)

// variable is one node. Its value outlives a Restart.
type variable struct {
	name     string
	dataType ua.NodeID
	rank     int32
	writable bool

	value  any
	status tag.StatusCode
	at     time.Time
	answer tag.StatusCode // to writes; what is not Good refuses them
}

// Write is one write that a client asked for, taken or not.
type Write struct {
	Name   string
	Value  any // bool, int8 … uint64, float32, float64, string, []byte, time.Time, or a slice of these
	Status tag.StatusCode
	At     time.Time
}

// AddVariable adds a variable of type t with the NodeId ns=…;s=name. For
// tag.TypeAny the type is that of initial, a Go value that has an OPC UA type;
// a slice makes an array.
func (s *Server) AddVariable(name string, t tag.Type, initial any, writable bool) error {
	v, id, rank, err := typed(initial, t)
	if err != nil {
		return fmt.Errorf("cannot add variable %s: %w", name, err)
	}
	return s.add(&variable{name: name, dataType: id, rank: rank, writable: writable, value: v, at: time.Now()})
}

// AddSubtyped adds a variable whose data type is i=dataType of the base
// namespace, such as 290 (Duration, a Double) or 851 (an enumeration); initial
// has the Go type of the built-in type below it.
func (s *Server) AddSubtyped(name string, dataType uint32, initial any, writable bool) error {
	v, _, rank, err := typed(initial, tag.TypeAny)
	if err != nil {
		return fmt.Errorf("cannot add variable %s: %w", name, err)
	}
	id := ua.NewNodeIDNumeric(0, dataType)
	return s.add(&variable{name: name, dataType: id, rank: rank, writable: writable, value: v, at: time.Now()})
}

func (s *Server) add(v *variable) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.vars[v.name]; ok {
		return fmt.Errorf("cannot add variable %s: there is one", v.name)
	}
	s.vars[v.name] = v
	s.order = append(s.order, v)
	return s.install(v)
}

// RemoveVariable takes a variable away; AddVariable may add it anew.
func (s *Server) RemoveVariable(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.vars[name]
	if !ok {
		return fmt.Errorf("cannot remove %s: no such variable", name)
	}
	delete(s.vars, name)
	s.order = slices.DeleteFunc(s.order, func(o *variable) bool { return o == v })
	nm := s.srv.NamespaceManager()
	n, ok := nm.FindNode(ua.NodeIDString{NamespaceIndex: s.index, ID: name})
	if !ok {
		return nil // the namespace is missing
	}
	if err := nm.DeleteNode(n, false); err != nil {
		return fmt.Errorf("cannot remove %s: %w", name, err)
	}
	return nil
}

// Set changes a variable as the plant would: with the time of now, quality
// Good. value must fit the variable's type.
func (s *Server) Set(name string, value any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.vars[name]
	if !ok {
		return fmt.Errorf("cannot set %s: no such variable", name)
	}
	w, err := like(value, v.value)
	if err != nil {
		return fmt.Errorf("cannot set %s: %w", name, err)
	}
	v.value, v.status, v.at = w, tag.Good, time.Now()
	return nil
}

// Get returns a variable's value in its own Go type.
func (s *Server) Get(name string) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.vars[name]
	if !ok {
		return nil, fmt.Errorf("cannot get %s: no such variable", name)
	}
	return plain(v.value), nil
}

// SetStatus gives a variable's value a quality, until the next Set.
func (s *Server) SetStatus(name string, code tag.StatusCode) error {
	return s.change(name, func(v *variable) { v.status, v.at = code, time.Now() })
}

// AnswerWrites has the server answer writes to a variable with code. Only with
// Good, which is what it starts with, is the value taken.
func (s *Server) AnswerWrites(name string, code tag.StatusCode) error {
	return s.change(name, func(v *variable) { v.answer = code })
}

func (s *Server) change(name string, f func(*variable)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.vars[name]
	if !ok {
		return fmt.Errorf("cannot change %s: no such variable", name)
	}
	f(v)
	return nil
}

// OnWrite has f called after each write that was taken, from a goroutine of the
// server's; f may call Set and Get. There is one such function; nil takes it away.
func (s *Server) OnWrite(f func(name string, value any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onWrite = f
}

// Writes returns the writes so far, in the order in which they came.
func (s *Server) Writes() []Write {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Write(nil), s.writes...)
}

// install makes v's node in the present address space. s.mu is held.
func (s *Server) install(v *variable) error {
	if s.index == 0 {
		return nil // this address space lacks the namespace
	}
	access := byte(ua.AccessLevelsCurrentRead)
	if v.writable {
		access |= ua.AccessLevelsCurrentWrite
	}
	var dims []uint32
	if v.rank == ua.ValueRankOneDimension {
		dims = []uint32{0}
	}
	// The permissions are the node's own, for the library looks for the server's
	// in the session, and dies where that has run out under a subscription.
	n := server.NewVariableNode(
		ua.NodeIDString{NamespaceIndex: s.index, ID: v.name},
		ua.QualifiedName{NamespaceIndex: s.index, Name: v.name},
		ua.LocalizedText{Text: v.name}, ua.LocalizedText{}, permissions(),
		[]ua.Reference{
			{ReferenceTypeID: ua.ReferenceTypeIDHasComponent, IsInverse: true, TargetID: ua.ExpandedNodeID{NodeID: s.folder}},
			{ReferenceTypeID: ua.ReferenceTypeIDHasTypeDefinition, TargetID: ua.ExpandedNodeID{NodeID: ua.VariableTypeIDBaseDataVariableType}},
		},
		ua.NewDataValue(v.value, 0, v.at, 0, v.at, 0), v.dataType, v.rank, dims, access,
		float64(s.cfg.sampling)/float64(time.Millisecond), false, nil)
	n.SetReadValueHandler(func(ctx context.Context, _ ua.ReadValueID) ua.DataValue { return s.read(ctx, v) })
	n.SetWriteValueHandler(func(_ context.Context, w ua.WriteValue) (ua.DataValue, ua.StatusCode) { return s.write(v, w) })
	return s.srv.NamespaceManager().AddNode(n)
}

func (s *Server) read(ctx context.Context, v *variable) ua.DataValue {
	s.mu.Lock()
	defer s.mu.Unlock()
	if session, ok := ctx.Value(server.SessionKey).(*server.Session); ok {
		s.sessions[session] = struct{}{}
	}
	var value any
	if !v.status.IsBad() {
		value = v.value
	}
	// The server's time is that of the change, too: a subscription of the library
	// holds a value back that is younger than its last sampling.
	return ua.NewDataValue(value, ua.StatusCode(v.status), v.at, 0, v.at, 0)
}

func (s *Server) write(v *variable, w ua.WriteValue) (ua.DataValue, ua.StatusCode) {
	s.mu.Lock()
	now := time.Now()
	code := v.answer
	if code == tag.Good && (!w.Value.SourceTimestamp.IsZero() || !w.Value.ServerTimestamp.IsZero() || w.Value.StatusCode != 0) {
		code = tag.BadWriteNotSupported // as many PLCs answer to a write with timestamps
	}
	s.writes = append(s.writes, Write{Name: v.name, Value: plain(w.Value.Value), Status: code, At: now})
	if code != tag.Good {
		s.mu.Unlock()
		return ua.NilDataValue, ua.StatusCode(code)
	}
	v.value, v.status, v.at = w.Value.Value, tag.Good, now
	f := s.onWrite
	s.mu.Unlock()
	if f != nil {
		f(v.name, plain(w.Value.Value))
	}
	return ua.NewDataValue(w.Value.Value, 0, now, 0, now, 0), ua.Good
}
