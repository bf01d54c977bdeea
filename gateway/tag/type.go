package tag

// Type is the data type of a tag at its device, as the configuration names it.
type Type uint8

// The types of a tag. TypeAny means that the device says its own type (OPC UA).
const (
	TypeAny Type = iota
	TypeBool
	TypeInt8
	TypeUint8
	TypeInt16
	TypeUint16
	TypeInt32
	TypeUint32
	TypeInt64
	TypeUint64
	TypeFloat32
	TypeFloat64
	TypeString
	TypeBytes
	TypeBCD16 // four decimal digits in one register
	TypeBCD32 // eight decimal digits in two registers
)

// Types lists the names that the configuration takes, in the order of the constants.
func Types() []string {
	return []string{"bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
		"float32", "float64", "string", "bytes", "bcd16", "bcd32"}
}

// String returns the configured name; "any" for TypeAny.
func (t Type) String() string {
	if n := Types(); t >= 1 && int(t) <= len(n) {
		return n[t-1]
	}
	return "any"
}

// IsInteger reports whether t holds whole numbers only.
func (t Type) IsInteger() bool {
	return t >= TypeInt8 && t <= TypeUint64 || t == TypeBCD16 || t == TypeBCD32
}

// IsFloat reports whether t is float32 or float64.
func (t Type) IsFloat() bool { return t == TypeFloat32 || t == TypeFloat64 }

// IsNumber reports whether t is an integer or a float.
func (t Type) IsNumber() bool { return t.IsInteger() || t.IsFloat() }

// Range returns the least and the greatest value of an integer type, as min
// and max; ok is false for every other type.
func (t Type) Range() (min int64, max uint64, ok bool) {
	switch t {
	case TypeInt8:
		return -1 << 7, 1<<7 - 1, true
	case TypeUint8:
		return 0, 1<<8 - 1, true
	case TypeInt16:
		return -1 << 15, 1<<15 - 1, true
	case TypeUint16:
		return 0, 1<<16 - 1, true
	case TypeInt32:
		return -1 << 31, 1<<31 - 1, true
	case TypeUint32:
		return 0, 1<<32 - 1, true
	case TypeInt64:
		return -1 << 63, 1<<63 - 1, true
	case TypeUint64:
		return 0, 1<<64 - 1, true
	case TypeBCD16:
		return 0, 9999, true
	case TypeBCD32:
		return 0, 99999999, true
	}
	return 0, 0, false
}
