package config

import (
	"slices"
	"strings"

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

// checkAddress completes type and order, and asks the driver: about the address
// first, then about what the tag adds to it, so that a fault stands where its
// cause does.
func (d *decoder) checkAddress(t *Tag, conn *Connection, driver DriverChecks) {
	p := tagPath(t)
	ask := driver.Address
	if ask == nil {
		ask = func(string, tag.Type, tag.Order, int, bool) error { return nil }
	}
	address, order, write := p.key("address"), p.key("order"), p.key("write")
	if !d.right(address) || d.bad[p.key("type")] || d.bad[p.key("length")] || !d.checkLength(t, conn) {
		return
	}
	if err := ask(t.Address, t.Type, "", t.Length, false); err != nil {
		if t.Type == tag.TypeAny && conn.Driver == DriverModbus && ask(t.Address, tag.TypeUint16, "", 0, false) == nil {
			d.complainKey(p, "missing key %q, allowed %s", "type", wordList(tag.Types(), "or"))
			return
		}
		d.complain(address, "%s", bare(err, "address"))
		return
	}
	if conn.Driver == DriverModbus {
		if t.Type == tag.TypeAny {
			t.Type = tag.TypeBool // the only type that a Modbus address has by itself
		}
		d.completeOrder(t, conn)
	} else if d.right(order) {
		d.complainKey(order, "not allowed with driver %s, only with modbus", conn.Driver)
	}
	if d.right(order) {
		if err := ask(t.Address, t.Type, t.Order, t.Length, false); err != nil {
			d.complain(order, "%s", bare(err, "order"))
		}
	}
	if d.given(write) {
		if err := ask(t.Address, t.Type, "", t.Length, true); err != nil {
			d.complainKey(write, "%s", bare(err, "address"))
		}
	}
}

// bare drops the key's name, which the fault's path ends with.
func bare(err error, key string) string { return strings.TrimPrefix(err.Error(), key+" ") }

// checkLength reports whether type and length go with the driver.
func (d *decoder) checkLength(t *Tag, conn *Connection) bool {
	p := tagPath(t)
	text := t.Type == tag.TypeString || t.Type == tag.TypeBytes
	switch length := p.key("length"); {
	case conn.Driver == DriverOPCUA && (t.Type == tag.TypeBCD16 || t.Type == tag.TypeBCD32):
		d.complain(p.key("type"), "%q, not allowed with driver %s, only with modbus", t.Type, conn.Driver)
	case d.given(length) && conn.Driver != DriverModbus:
		d.complainKey(length, "not allowed with driver %s, only with modbus", conn.Driver)
	case d.given(length) && !text:
		d.complainKey(length, "not allowed with type %s, only with string and bytes", t.Type)
	case !d.given(length) && text && conn.Driver == DriverModbus:
		d.complainKey(p, "missing key %q, which type %s needs", "length", t.Type)
	default:
		return true
	}
	return false
}

// completeOrder gives the connection's order to numbers of several registers.
// A text's registers go upwards on every device that is known.
func (d *decoder) completeOrder(t *Tag, conn *Connection) {
	order := tagPath(t).key("order")
	oneRegister := registers(t) <= 1
	switch {
	case d.right(order) && oneRegister:
		d.complainKey(order, "not allowed: this %s takes one register or less", t.Type)
		t.Order = ""
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
