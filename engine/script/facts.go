package script

import (
	"go.starlark.net/syntax"
)

// facts are what a file's text says that can be judged without running it: what
// it calls, with which literals, and what it does with the results. They are
// taken from the tree as it was written; its names know their scope once the
// file has been resolved.
type facts struct {
	calls    []*callFact
	fields   []fieldFact
	stores   []store
	reads    []*syntax.Ident
	tested   []operand // for their truth
	compared []comparison
	safe     map[place]map[string]place // keys of safe_state= by the place of the def below; the zero place for those of a call
}

// reference is a name and fields of it: rt, tags.write, hf.tags.write. The field
// called stands for a call without arguments: getWorkflows().recv.
type reference struct {
	ident  *syntax.Ident
	fields []string
}

const called = "()"

// callFact is one call of a reference.
type callFact struct {
	fn      reference
	at      place
	named   []argument
	ordered []argument
	spread  bool  // *args or **kwargs, which may hold anything
	within  place // of the def or lambda that it stands in, the outermost one
	dropped bool  // a statement of its own
}

// argument of a call; literal is nil where it has to be computed.
type argument struct {
	name    string
	at      place
	literal any // string, bool, int64, float64
}

// fieldFact is one field of a reference.
type fieldFact struct {
	of     reference
	name   string
	at     place
	within place
}

// store is a name that is bound: to what a call returns, to a reference, or,
// with neither, to anything else.
type store struct {
	ident *syntax.Ident
	call  *callFact
	ref   *reference
}

// operand is what a call returns, or a variable holds, or what stands there
// under a key.
type operand struct {
	call  *callFact
	ident *syntax.Ident
	key   string
	at    place
}

// comparison of an operand with strings.
type comparison struct {
	x    operand
	with []argument
	op   syntax.Token
	at   place
}
