package wire

import (
	"fmt"

	"holdfast/engine/value"
)

// Value is a value on its way to the daemon. JSON has to carry it as it is: a
// mark, which stands for what can only be shown, would be another value there.
type Value value.Raw

// MarshalJSON writes the value. The error says what JSON cannot carry.
func (v Value) MarshalJSON() ([]byte, error) {
	plain, err := value.Decode(value.Raw(v))
	if err != nil {
		return nil, fmt.Errorf("the value cannot be read: %w", err)
	}
	return value.AppendJSON(nil, plain)
}

// UnmarshalJSON reads the value. Who keeps it has to check its bounds.
func (v *Value) UnmarshalJSON(b []byte) error {
	raw, err := value.Unmarked(b)
	*v = Value(raw)
	return err
}
