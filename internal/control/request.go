package control

import (
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

	"holdfast/engine/value"
)

// maxBody is the greatest request body, in bytes.
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
func readRequest(w http.ResponseWriter, r *http.Request, params []string) (*request, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, badRequest("the request has more than %d bytes", maxBody)
	}
	if err != nil {
		return nil, badRequest("the request did not arrive whole: %v", err)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badRequest("the parameters cannot be read: %v", err)
	}
	for name := range query {
		if !slices.Contains(params, name) {
			return nil, badRequest("unknown parameter %q, allowed are %q", name, params)
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
	doc, err := value.FromJSON(r.body)
	if err != nil {
		return badRequest("the request is not one JSON document: %v", err)
	}
	object, ok := doc.(*value.Map)
	if !ok {
		return badRequest("the request is not a JSON object")
	}
	keys := keysOf(to)
	for _, p := range object.Pairs {
		if key, _ := p.Key.(string); !slices.Contains(keys, key) {
			return badRequest("unknown key %q, allowed are %q", key, keys)
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

// millis returns a parameter in milliseconds, at most a day.
func (r *request) millis(name string) (time.Duration, error) {
	n, err := r.number(name, uint64(24*time.Hour/time.Millisecond))
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
