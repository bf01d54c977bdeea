package value

import "fmt"

// Check returns an error if r is not as Encode would have made it: it cannot
// be read, or exceeds the bounds of a value.
func Check(r Raw) error {
	if err := Fits(len(r)); err != nil || len(r) == 0 {
		return err
	}
	var g Budget
	rest, err := skip(r, 0, &g)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes follow the encoded value", len(rest))
	}
	if err == nil {
		_, err = Decode(r)
	}
	return err
}

// Skip returns what follows the first value of b, without decoding it.
func Skip(b []byte) ([]byte, error) { return skip(b, 0, nil) }

// skip is Skip, and counts in g where it is given.
func skip(b []byte, depth int, g *Budget) ([]byte, error) {
	if err := Deep(depth); err != nil {
		return nil, err
	}
	if g != nil {
		if err := g.Take(depth, 0); err != nil {
			return nil, err
		}
	}
	if len(b) == 0 {
		return nil, errShort
	}
	switch b[0] {
	case 0xf4, 0xf5, 0xf6:
		return b[1:], nil
	case 0xfb:
		if len(b) < 9 {
			return nil, errShort
		}
		return b[9:], nil
	}
	major, n, rest, err := ReadHead(b)
	if err != nil {
		return nil, err
	}
	switch major {
	case MajorUint, MajorNeg:
		return rest, nil
	case MajorBytes, MajorText:
		if uint64(len(rest)) < n {
			return nil, errShort
		}
		return rest[n:], nil
	case MajorMap, MajorArray:
		if n > uint64(len(rest)) { // each element takes a byte at least; and twice n must not wrap
			return nil, errShort
		}
		if major == MajorMap {
			n *= 2
		}
	case MajorTag:
		if err := Untagged(rest); err != nil {
			return nil, err
		}
		return skip(rest, depth, g)
	default:
		return nil, fmt.Errorf("encoded value has an unknown byte %#x", b[0])
	}
	for ; n > 0; n-- {
		if rest, err = skip(rest, depth+1, g); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// Split returns the elements of an encoded array, still encoded, in into's
// memory where that is large enough. They share r's memory.
func Split(r Raw, into []Raw) ([]Raw, error) {
	major, n, rest, err := ReadHead(r)
	if err != nil {
		return nil, err
	}
	if major != MajorArray || n > uint64(len(rest)) {
		return nil, errShort
	}
	into = into[:0]
	for range n {
		after, err := Skip(rest)
		if err != nil {
			return nil, err
		}
		into = append(into, Raw(rest[:len(rest)-len(after):len(rest)-len(after)]))
		rest = after
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes follow the encoded value", len(rest))
	}
	return into, nil
}

// RawPair is one entry of an encoded map.
type RawPair struct {
	Key   string
	Value Raw
}

// SplitMap returns the entries of an encoded map whose keys are text, their
// values still encoded: one that cannot be decoded costs no other. They share
// r's memory.
func SplitMap(r Raw) ([]RawPair, error) {
	major, n, rest, err := ReadHead(r)
	if err != nil {
		return nil, err
	}
	if major != MajorMap || n > uint64(len(rest))/2 {
		return nil, fmt.Errorf("encoded value is no map: %w", errShort)
	}
	pairs := make([]RawPair, n)
	for i := range pairs {
		if pairs[i].Key, rest, err = nextText(rest); err != nil {
			return nil, err
		}
		after, err := Skip(rest)
		if err != nil {
			return nil, err
		}
		pairs[i].Value = Raw(rest[: len(rest)-len(after) : len(rest)-len(after)])
		rest = after
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%d bytes follow the encoded value", len(rest))
	}
	return pairs, nil
}

func nextText(b []byte) (string, []byte, error) {
	after, err := Skip(b)
	if err != nil {
		return "", nil, err
	}
	s, err := Raw(b[:len(b)-len(after)]).Text()
	return s, after, err
}
