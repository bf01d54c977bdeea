package script

import (
	"fmt"

	"go.starlark.net/starlark"
)

// handle is what getWorkflows returns: the handle of the run that asks. It has
// no state, so that one that was fetched at the top level of a file works too.
type handle struct {
	callable
	methods starlark.StringDict
	params  map[string]runParams // of the methods
}

// runParams are what a method of handle takes, and where.
type runParams struct {
	names  []string
	inStep bool
	any    bool // it takes any names
	absent bool // it is not available yet
}

var _ starlark.HasAttrs = (*handle)(nil)

// runMethod is a method of handle, called with the state of a run.
type runMethod func(t *starlark.Thread, st *state, name string, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error)

// newHandle makes the handle. Inside the body of a step only that works which no
// replay has to repeat: what is told to the outside, whether the run is
// cancelled, its id, name and inputs.
func newHandle() *handle {
	rt := &handle{callable{"workflows", "rt"}, starlark.StringDict{}, make(map[string]runParams)}
	def := func(name string, inStep bool, f runMethod, params ...string) {
		rt.params[name] = runParams{names: params, inStep: inStep}
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
	def("progress", true, progress, "message", "extra")
	def("setEvent", true, setEvent, "key", "value")
	def("writeStream", true, writeStream, "key", "value")
	def("send", false, send, "workflowId", "message", "topic", "messageUUID")
	def("recv", false, recv, "topic", "timeoutSeconds")
	def("recvCommand", false, recvCommand, "currentState", "topic", "timeoutSeconds", "maxMessages")
	def("now", false, now)
	def("random", false, random)
	def("uuid", false, newUUID)
	for _, name := range []string{"startChild", "awaitChild", "runChild", "gather", "firstOf", "continueAs"} {
		def(name, true, notYet)
		rt.params[name] = runParams{any: true, absent: true}
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
