package config

import (
	"slices"

	"holdfast/gateway/tag"
)

func (d *decoder) checkTags(c *Config, drivers map[string]DriverChecks) {
	k := known{connections: map[string]*Connection{}, periods: map[string]*ScanClass{}, tags: map[tag.Path]*Tag{}}
	for i := range c.Connections {
		k.connections[c.Connections[i].Name] = &c.Connections[i]
		k.connectionNames = append(k.connectionNames, c.Connections[i].Name)
	}
	for i := range c.ScanClasses {
		k.periods[c.ScanClasses[i].Name] = &c.ScanClasses[i]
		k.scanNames = append(k.scanNames, c.ScanClasses[i].Name)
	}
	for i := range c.Tags {
		k.tags[c.Tags[i].Path] = &c.Tags[i]
		k.tagNames = append(k.tagNames, string(c.Tags[i].Path))
	}
	slices.Sort(k.connectionNames)
	for i := range c.Tags {
		d.checkTag(&c.Tags[i], &k, drivers)
	}
	for i := range c.Tags { // needs the types of all tags
		d.checkInterlocks(&c.Tags[i], &k)
	}
}

// known is what tags refer to.
type known struct {
	connections                          map[string]*Connection
	periods                              map[string]*ScanClass
	tags                                 map[tag.Path]*Tag
	connectionNames, scanNames, tagNames []string
}

func tagPath(t *Tag) path { return path("tags").key(string(t.Path)) }

func (d *decoder) checkTag(t *Tag, k *known, drivers map[string]DriverChecks) {
	p := tagPath(t)
	if class, ok := k.periods[t.Scan]; ok {
		t.Period = class.Period
	} else if scan := p.key("scan"); d.right(scan) && !d.given(path("scan_classes").key(t.Scan)) {
		d.noSuch(scan, "scan class", t.Scan, k.scanNames)
	}
	conn := k.connections[t.Connection]
	if by := p.key("connection"); conn == nil && d.right(by) && !d.given(path("connections").key(t.Connection)) {
		d.noSuch(by, "connection", t.Connection, k.connectionNames)
	}
	if conn != nil && conn.Driver != "" {
		d.checkAddress(t, conn, drivers[conn.Driver])
	}
	if d.bad[p.key("type")] {
		return
	}
	if t.Type != tag.TypeAny && !t.Type.IsNumber() {
		for _, name := range []string{"scale", "deadband"} {
			if d.right(p.key(name)) {
				d.complainKey(p.key(name), "not allowed with %s, only with numbers", t.Type)
			}
		}
	}
	if t.Write != nil {
		d.checkWrite(t)
	}
}

// checkAddress completes type and order, and asks the driver.
func (d *decoder) checkAddress(t *Tag, conn *Connection, driver DriverChecks) {
	p := tagPath(t)
	faults := len(d.faults)
	if t.Type == tag.TypeAny && !d.given(p.key("type")) && driver.Type != nil && d.right(p.key("address")) {
		t.Type = driver.Type(t.Address)
	}
	if conn.Driver == DriverModbus {
		d.completeModbus(t, conn)
	} else {
		for _, name := range []string{"order", "length"} {
			if d.right(p.key(name)) {
				d.complainKey(p.key(name), "not allowed with driver %s, only with modbus", conn.Driver)
			}
		}
	}
	if driver.Address == nil || len(d.faults) > faults || !d.right(p.key("address")) ||
		d.bad[p.key("type")] || d.bad[p.key("order")] || d.bad[p.key("length")] {
		return
	}
	if err := driver.Address(t.Address, t.Type, t.Order, t.Length, false); err != nil {
		d.complain(p.key("address"), "%v", err)
	} else if write := p.key("write"); d.given(write) {
		if err := driver.Address(t.Address, t.Type, t.Order, t.Length, true); err != nil {
			d.complainKey(write, "%v", err)
		}
	}
}

// completeModbus settles what only registers have: order and length.
func (d *decoder) completeModbus(t *Tag, conn *Connection) {
	p := tagPath(t)
	length, order := p.key("length"), p.key("order")
	if d.bad[p.key("type")] {
		return
	}
	if t.Type == tag.TypeAny {
		if d.right(p.key("address")) {
			d.complainKey(p, "missing key %q", "type")
		}
		return
	}
	if text := t.Type == tag.TypeString || t.Type == tag.TypeBytes; !text && d.right(length) {
		d.complain(length, "%d, not allowed with %s, only with string and bytes", t.Length, t.Type)
	} else if text && !d.given(length) {
		d.complainKey(p, "missing key %q, which %s needs", "length", t.Type)
	}
	oneRegister := registers(t) <= 1
	switch {
	case d.right(order) && oneRegister && !d.bad[length]:
		d.complain(order, "%s, not allowed with %s, which takes one register or less", t.Order, t.Type)
	case !d.given(order) && !oneRegister && t.Type.IsNumber():
		t.Order = conn.Modbus.Order
	}
}

// registers returns how many 16-bit registers a tag takes; 0 for less than one.
func registers(t *Tag) int {
	switch t.Type {
	case tag.TypeBool:
		return 0
	case tag.TypeInt32, tag.TypeUint32, tag.TypeFloat32, tag.TypeBCD32:
		return 2
	case tag.TypeInt64, tag.TypeUint64, tag.TypeFloat64:
		return 4
	case tag.TypeString, tag.TypeBytes:
		return (t.Length + 1) / 2
	}
	return 1
}
