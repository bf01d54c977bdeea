package script

import (
	"errors"
	"fmt"
	"math"
	"time"

	"go.starlark.net/starlark"

	"holdfast/engine"
	"holdfast/engine/value"
)

func notYet(_ *starlark.Thread, _ *state, name string, _ starlark.Tuple, _ []starlark.Tuple) (starlark.Value, error) {
	return nil, fmt.Errorf("%s is not available yet", name)
}

func checkCancelled(_ *starlark.Thread, st *state, name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs(name, args, kwargs); err != nil {
		return nil, err
	}
	return starlark.None, st.run.CheckCancelled()
}

func isCancelled(_ *starlark.Thread, st *state, name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs(name, args, kwargs); err != nil {
		return nil, err
	}
	return starlark.Bool(st.run.IsCancelled()), nil
}

// recorded ends a call that the engine has recorded.
func recorded(t *starlark.Thread, v starlark.Value, err error) (starlark.Value, error) {
	if err != nil {
		return nil, err
	}
	budgetOf(t).renew(t)
	return v, nil
}

func progress(t *starlark.Thread, st *state, name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var message, extra starlark.Value
	if err := starlark.UnpackArgs(name, args, kwargs, "message", &message, "extra?", &extra); err != nil {
		return nil, err
	}
	text, ok := starlark.AsString(message)
	if !ok {
		if err := chargeText(t, 0, message); err != nil {
			return nil, err
		}
		text = message.String()
	}
	raw, err := encodeArg(name, "extra", extra)
	if err != nil {
		return nil, err
	}
	return recorded(t, starlark.None, st.run.Progress(text, raw))
}

func setEvent(t *starlark.Thread, st *state, name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	return tell(t, st.run.SetEvent, name, args, kwargs)
}

func writeStream(t *starlark.Thread, st *state, name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	return tell(t, st.run.WriteStream, name, args, kwargs)
}

func tell(t *starlark.Thread, to func(string, any) error, name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var (
		key string
		v   starlark.Value
	)
	if err := starlark.UnpackArgs(name, args, kwargs, "key", &key, "value", &v); err != nil {
		return nil, err
	}
	raw, err := encodeArg(name, "value", v)
	if err != nil {
		return nil, err
	}
	return recorded(t, starlark.None, to(key, raw))
}

// encodeArg encodes an argument; one that was left out is None.
func encodeArg(name, param string, v starlark.Value) (value.Raw, error) {
	if v == nil {
		v = starlark.None
	}
	raw, err := encode(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", name, param, err)
	}
	return raw, nil
}

func send(t *starlark.Thread, st *state, name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var (
		to      string
		message starlark.Value
		topic   = "cmd"
		uuid    starlark.Value
	)
	if err := starlark.UnpackArgs(name, args, kwargs, "workflowId", &to, "message", &message, "topic?", &topic, "messageUUID??", &uuid); err != nil {
		return nil, err
	}
	m := engine.Message{Topic: topic}
	if uuid != nil {
		s, ok := starlark.AsString(uuid)
		if !ok {
			return nil, fmt.Errorf("%s: messageUUID is a %s, not a string", name, uuid.Type())
		}
		m.UUID = s
	}
	var err error
	if m.Body, err = encodeArg(name, "message", message); err != nil {
		return nil, err
	}
	return recorded(t, starlark.None, st.run.Send(to, m))
}

func recv(t *starlark.Thread, st *state, name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	topic, wait := "cmd", seconds(0)
	if err := starlark.UnpackArgs(name, args, kwargs, "topic?", &topic, "timeoutSeconds?", &wait); err != nil {
		return nil, err
	}
	raw, err := st.run.Recv(topic, time.Duration(wait))
	return received(t, raw, err)
}

func recvCommand(t *starlark.Thread, st *state, name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var current starlark.Value
	topic, wait, most := "cmd", seconds(0), 5
	if err := starlark.UnpackArgs(name, args, kwargs, "currentState??", &current, "topic?", &topic, "timeoutSeconds?", &wait, "maxMessages?", &most); err != nil {
		return nil, err
	}
	text := ""
	if current != nil {
		s, ok := starlark.AsString(current)
		if !ok {
			return nil, fmt.Errorf("%s: currentState is a %s, not a string", name, current.Type())
		}
		text = s
	}
	raw, err := st.run.RecvCommand(text, topic, time.Duration(wait), most)
	return received(t, raw, err)
}

func received(t *starlark.Thread, raw value.Raw, err error) (starlark.Value, error) {
	if err != nil {
		return nil, err
	}
	budgetOf(t).renew(t)
	return decodeCounted(t, raw)
}

func now(t *starlark.Thread, st *state, name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs(name, args, kwargs); err != nil {
		return nil, err
	}
	s, err := st.run.Now()
	return recorded(t, starlark.Float(s), err)
}

func random(t *starlark.Thread, st *state, name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs(name, args, kwargs); err != nil {
		return nil, err
	}
	x, err := st.run.Random()
	return recorded(t, starlark.Float(x), err)
}

func newUUID(t *starlark.Thread, st *state, name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs(name, args, kwargs); err != nil {
		return nil, err
	}
	id, err := st.run.UUID()
	return recorded(t, starlark.String(id), err)
}

// seconds is a duration that a script gives as a number of seconds.
type seconds time.Duration

var errSeconds = errors.New("a number of seconds is 0 or more, and at most 100 years")

// Unpack implements starlark.Unpacker.
func (s *seconds) Unpack(v starlark.Value) error {
	f, ok := starlark.AsFloat(v)
	if !ok {
		return fmt.Errorf("got %s, want a number of seconds", v.Type())
	}
	const most = 100 * 365 * 24 * 3600
	if math.IsNaN(f) || f < 0 || f > most {
		return errSeconds
	}
	*s = seconds(f * float64(time.Second))
	return nil
}
