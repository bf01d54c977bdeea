package value

// Pair is one entry of a Map.
type Pair struct {
	Key   any
	Value any
}

// Map is a script's dict: entries in the order in which they were inserted.
type Map struct{ Pairs []Pair }

// Struct is a script's struct; its Map's keys are strings, sorted.
type Struct struct{ Map }

// NewMap makes a Map of keys and values, alternating; keys are strings.
func NewMap(kv ...any) *Map {
	m := &Map{Pairs: make([]Pair, 0, len(kv)/2)}
	for i := 0; i+1 < len(kv); i += 2 {
		m.Pairs = append(m.Pairs, Pair{kv[i], kv[i+1]})
	}
	return m
}

// Get returns the value of a string key.
func (m *Map) Get(key string) (any, bool) {
	if m == nil {
		return nil, false
	}
	for _, p := range m.Pairs {
		if k, ok := p.Key.(string); ok && k == key {
			return p.Value, true
		}
	}
	return nil, false
}

// Text returns the text of a key; "" if it has none.
func (m *Map) Text(key string) string {
	x, _ := m.Get(key)
	s, _ := x.(string)
	return s
}

// Set replaces the value of a string key, or adds it at the end.
func (m *Map) Set(key string, v any) {
	for i, p := range m.Pairs {
		if k, ok := p.Key.(string); ok && k == key {
			m.Pairs[i].Value = v
			return
		}
	}
	m.Pairs = append(m.Pairs, Pair{key, v})
}

// Len returns the number of entries.
func (m *Map) Len() int {
	if m == nil {
		return 0
	}
	return len(m.Pairs)
}
