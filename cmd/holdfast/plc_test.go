package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"holdfast/drivers/drivertest"
	"holdfast/drivers/modbus/modbustest"
)

// plc is a Modbus device, and the wire to it that can fail.
type plc struct {
	*modbustest.Device
	wire *drivertest.Proxy
}

// plcs are the devices of one script, by name.
type plcs map[string]*plc

// plcKey is where a script's plcs are.
type plcKey struct{}

// plcCommand is the command plc:
//
//	plc new NAME                     starts a device; $NAME is its URL
//	plc set NAME holding:100 V…      changes its registers (also input:, coil:, discrete:)
//	plc get NAME holding:100         prints one
//	plc writes NAME                  prints the writes it has carried out, as holding:100 V…
//	plc on NAME holding:100 V FAULT  from the write of V on, its wire has a FAULT: "mute"
//	                                 (answers are lost, that of the write too), or "deaf" (requests are)
//	plc mend NAME                    its wire works again, with new connections
//	plc stop NAME · plc start NAME   it is switched off · on, with its memory
func plcCommand(ts *testscript.TestScript, args []string) {
	_, err := fmt.Fprint(ts.Stdout(), plcAnswer(ts, args))
	ts.Check(err)
}

// plcAnswer carries a command out and returns what it prints.
func plcAnswer(ts *testscript.TestScript, args []string) string {
	all, ok := ts.Value(plcKey{}).(plcs)
	if !ok {
		ts.Fatalf("the script has no room for devices")
	}
	verb, name, args := args[0], args[1], args[2:]
	if verb == "new" {
		all[name] = newPLC(ts)
		ts.Setenv(name, "tcp://"+all[name].wire.Addr())
		return ""
	}
	d := all[name]
	verbs := map[string]struct {
		args int
		do   func() string
	}{
		"set":    {2, func() string { d.set(ts, args[0], args[1:]); return "" }},
		"get":    {1, func() string { return d.get(ts, args[0]) }},
		"writes": {0, d.written},
		"on":     {3, func() string { d.on(ts, args[0], args[1], args[2]); return "" }},
		"mend":   {0, func() string { d.wire.Pass(); d.wire.Cut(); return "" }},
		"stop":   {0, func() string { ts.Check(d.wire.Down()); ts.Check(d.Stop()); return "" }},
		"start":  {0, func() string { ts.Check(d.Start()); ts.Check(d.wire.Up()); return "" }},
	}
	v, known := verbs[verb]
	if d == nil || !known || len(args) < v.args {
		ts.Fatalf("there is no plc %s %s %s", verb, name, strings.Join(args, " "))
	}
	return v.do()
}

func newPLC(ts *testscript.TestScript) *plc {
	dev, err := modbustest.Listen("127.0.0.1:0")
	ts.Check(err)
	wire, err := drivertest.NewProxy(dev.Addr())
	ts.Check(err)
	ts.Defer(func() { ts.Check(dev.Close()); ts.Check(wire.Close()) })
	return &plc{dev, wire}
}

func (p *plc) set(ts *testscript.TestScript, where string, values []string) {
	table, addr := place(ts, where)
	words := numbers(ts, values)
	bits := make([]bool, len(words))
	for i, w := range words {
		bits[i] = w != 0
	}
	switch table {
	case modbustest.TableHolding:
		p.SetHolding(addr, words...)
	case modbustest.TableInput:
		p.SetInput(addr, words...)
	case modbustest.TableCoil:
		p.SetCoil(addr, bits...)
	case modbustest.TableDiscrete:
		p.SetDiscrete(addr, bits...)
	default:
		ts.Fatalf("there is no table %q", table)
	}
}

func (p *plc) get(ts *testscript.TestScript, where string) string {
	table, addr := place(ts, where)
	switch table {
	case modbustest.TableHolding:
		return fmt.Sprintln(p.Holding(addr))
	case modbustest.TableCoil:
		return fmt.Sprintln(p.Coil(addr))
	}
	ts.Fatalf("nobody writes the table %q", table)
	return ""
}

func (p *plc) written() string {
	var b strings.Builder
	for _, w := range p.Writes() {
		fmt.Fprintf(&b, "%s:%d %s\n", w.Table, w.Addr, strings.Trim(fmt.Sprint(w.Values), "[]"))
	}
	return b.String()
}

func (p *plc) on(ts *testscript.TestScript, where, value, fault string) {
	faults := map[string]func(){"mute": p.wire.DropAnswers, "deaf": p.wire.DropRequests}
	if faults[fault] == nil {
		ts.Fatalf("there is no fault %q", fault)
	}
	table, addr := place(ts, where)
	want := numbers(ts, []string{value})
	done := false // a device calls for one write after the other
	p.OnWrite(func(t string, a uint16, values []uint16) {
		if !done && t == table && a == addr && slices.Equal(values, want) {
			done = true
			faults[fault]()
		}
	})
}
