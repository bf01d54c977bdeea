package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxBody is the greatest request body of most routes, in bytes.
const maxBody = 1 << 20

// request is what a handler gets of an HTTP request.
type request struct {
	caller
	http  *http.Request
	body  []byte
	query url.Values
}

// readRequest reads the whole request, so that from then on only the handler's
// own time limits count.
func readRequest(w http.ResponseWriter, r *http.Request, rt route) (*request, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, rt.maxBody()))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, badRequest("the request has more than %d bytes", large.Limit)
	}
	if err != nil {
		return nil, badRequest("the request did not arrive whole: %v", err)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("the parameters cannot be read: %v", err)
	}
	for name := range query {
		if !slices.Contains(rt.params, name) {
			return nil, badRequest("unknown parameter %q, allowed are %q", name, rt.params)
		}
	}
	if err := http.NewResponseController(w).SetReadDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	return &request{caller: callerFrom(r.Context()), http: r, body: body, query: query}, nil
}

// decode reads the body, one JSON object, into the struct that to points to. A
// key that the struct has not, or that stands twice, is an error.
func (r *request) decode(to any) error {
	given, err := topKeys(r.body)
	if err != nil {
		return err
	}
	keys := keysOf(to)
	for i, key := range given {
		switch {
		case !slices.Contains(keys, key):
			return badRequest("unknown key %q, allowed are %q", key, keys)
		case slices.Contains(given[:i], key): // all before it are among keys, and so few
			return badRequest("the request is not one JSON document: key %q stands twice", key)
		}
	}
	if err := json.Unmarshal(r.body, to); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return badRequest("%s is a %s, not a %s", kind.Field, kind.Value, kind.Type)
		}
		return badRequest("the request cannot be read: %v", err)
	}
	return nil
}

// topKeys returns the keys of a JSON object in their order, and looks no deeper:
// what stands there is read once, by who knows what it is.
func topKeys(doc []byte) ([]string, error) {
	bad := func(err error) error { return badRequest("the request is not one JSON document: %v", err) }
	dec := json.NewDecoder(bytes.NewReader(doc))
	tok, err := dec.Token()
	if err != nil {
		return nil, bad(err)
	}
	if tok != json.Delim('{') {
		return nil, badRequest("the request is not a JSON object")
	}
	var keys []string
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, bad(err)
		}
		key, _ := tok.(string)
		keys = append(keys, key)
		var skipped json.RawMessage
		if err := dec.Decode(&skipped); err != nil {
			return nil, bad(err)
		}
	}
	if _, err := dec.Token(); err != nil {
		return nil, bad(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, bad(errors.New("more than one JSON value"))
	}
	return keys, nil
}

// keysOf returns the JSON keys of the struct that to points to.
func keysOf(to any) []string {
	t := reflect.TypeOf(to).Elem()
	keys := make([]string, 0, t.NumField())
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		keys = append(keys, key)
	}
	return keys
}

// number returns a parameter that is a whole number from 0 to most; 0 where it is not given.
func (r *request) number(name string, most uint64) (uint64, error) {
	text := r.query.Get(name)
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > most {
		return 0, badRequest("%s is %q, not a whole number from 0 to %d", name, text, most)
	}
	return n, nil
}

// mostWait is how long a request may ask to wait.
const mostWait = 24 * time.Hour

// millis returns a parameter in milliseconds, at most mostWait.
func (r *request) millis(name string) (time.Duration, error) {
	n, err := r.number(name, uint64(mostWait/time.Millisecond))
	return time.Duration(n) * time.Millisecond, err
}

// pathNumber returns a part of the path that is a whole number.
func (r *request) pathNumber(name string) (uint64, error) {
	n, err := strconv.ParseUint(r.http.PathValue(name), 10, 64)
	if err != nil {
		return 0, badRequest("%s is %q, not a whole number", name, r.http.PathValue(name))
	}
	return n, nil
}

// moment returns a parameter that is an RFC 3339 time; the zero time where it is not given.
func (r *request) moment(name string) (time.Time, error) {
	text := r.query.Get(name)
	if text == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, badRequest("%s is %q, not an RFC 3339 time", name, text)
	}
	return t, nil
}
