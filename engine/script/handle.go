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

// handle is what getWorkflows returns: the handle of the run that asks. It has
// no state, so that one that was fetched at the top level of a file works too.
type handle struct {
	callable
	methods starlark.StringDict
}

var _ starlark.HasAttrs = (*handle)(nil)

// runMethod is a method of handle, called with the state of a run.
type runMethod func(t *starlark.Thread, st *state, name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error)

func newHandle() *handle {
	rt := &handle{callable{"workflows", "rt"}, starlark.StringDict{}}
	def := func(name string, inStep bool, f runMethod) {
		name = "rt." + name
		rt.methods[name[3:]] = starlark.NewBuiltin(name, func(t *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
			st := stateOf(t)
			if st == nil {
				return nil, fmt.Errorf("%s works only inside a running workflow", name)
			}
			if st.ctx != nil && !inStep {
				return nil, fmt.Errorf("%s cannot be called inside step %s: what a step does is not recorded call by call; call it from the workflow", name, st.step)
			}
			return f(t, st, name, args, kwargs)
		})
	}
	def("checkCancelled", true, checkCancelled)
	def("isCancelled", true, isCancelled)
	def("progress", false, progress)
	def("setEvent", false, setEvent)
	def("writeStream", false, writeStream)
	def("send", false, send)
	def("recv", false, recv)
	def("recvCommand", false, recvCommand)
	def("now", false, now)
	def("random", false, random)
	def("uuid", false, newUUID)
	for _, name := range []string{"startChild", "awaitChild", "runChild", "gather", "firstOf", "continueAs"} {
		def(name, true, notYet)
	}
	return rt
}

// isRunAttribute reports whether a name is an attribute of handle that depends
// on the run, and so on the thread that asks.
func isRunAttribute(name string) bool {
	return name == "workflowId" || name == "workflowName" || name == "inputs"
}

// Attr returns a method.
func (rt *handle) Attr(name string) (starlark.Value, error) {
	if m := rt.methods[name]; m != nil {
		return m, nil
	}
	if isRunAttribute(name) { // the rewriter asks ofRun
		return nil, fmt.Errorf("rt.%s works only inside a running workflow", name)
	}
	return nil, nil
}

// AttrNames returns the names of the methods and attributes.
func (rt *handle) AttrNames() []string {
	return append(sortedKeys(rt.methods), "workflowId", "workflowName", "inputs")
}

// ofRun returns an attribute that depends on the run.
func (rt *handle) ofRun(t *starlark.Thread, name string) (starlark.Value, error) {
	st := stateOf(t)
	if st == nil {
		return nil, fmt.Errorf("rt.%s works only inside a running workflow", name)
	}
	switch name {
	case "workflowId":
		return starlark.String(st.run.ID()), nil
	case "workflowName":
		return starlark.String(st.run.Workflow()), nil
	}
	if st.inputs == nil {
		v, err := decodeCounted(t, st.run.Inputs())
		if err != nil {
			return nil, err
		}
		d, ok := v.(*starlark.Dict)
		if !ok {
			d = starlark.NewDict(0)
		}
		st.inputs = d
	}
	return st.inputs, nil
}

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
