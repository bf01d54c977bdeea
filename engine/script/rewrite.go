package script

import (
	"slices"

	"go.starlark.net/syntax"
)

// The names of the functions that stand for guarded operations. No name in a
// file can be the same.
const (
	opSpread = "*args"
	opSlice  = "[:]"
	opKey    = "[]"
	opAttr   = "."
	opBegin  = "for"
	opKeep   = "for append"
	opInto   = "[]="

	opKeepKey = "for append key"
	opEnd     = "for end"
)

// rewriter turns operations that can make much at once into calls of functions
// that count what they make. The call has the operation's position.
type rewriter struct{}

func ident(pos syntax.Position, name string) *syntax.Ident {
	return &syntax.Ident{NamePos: pos, Name: name}
}

func call(pos syntax.Position, name string, args ...syntax.Expr) *syntax.CallExpr {
	return &syntax.CallExpr{Fn: ident(pos, name), Lparen: pos, Args: args, Rparen: pos}
}

func (rw rewriter) stmts(list []syntax.Stmt) {
	for _, s := range list {
		rw.stmt(s)
	}
}

func (rw rewriter) stmt(s syntax.Stmt) {
	switch s := s.(type) {
	case *syntax.AssignStmt:
		rw.target(s.LHS)
		s.RHS = rw.expr(s.RHS)
		if s.Op != syntax.EQ && guarded(s.Op-syntax.PLUS_EQ+syntax.PLUS, nil, s.RHS) {
			s.RHS = call(s.OpPos, s.Op.String(), s.RHS)
			s.Op = syntax.CIRCUMFLEX_EQ // which no type but augend answers to with an augend
		}
	case *syntax.DefStmt:
		rw.params(s.Params)
		rw.stmts(s.Body)
	case *syntax.ExprStmt:
		s.X = rw.expr(s.X)
	case *syntax.ForStmt:
		rw.target(s.Vars)
		s.X = rw.expr(s.X)
		rw.stmts(s.Body)
	case *syntax.WhileStmt:
		s.Cond = rw.expr(s.Cond)
		rw.stmts(s.Body)
	case *syntax.IfStmt:
		s.Cond = rw.expr(s.Cond)
		rw.stmts(s.True)
		rw.stmts(s.False)
	case *syntax.ReturnStmt:
		if s.Result != nil {
			s.Result = rw.expr(s.Result)
		}
	}
}

// target goes through what is assigned to, which must stay what it is.
func (rw rewriter) target(e syntax.Expr) {
	switch e := e.(type) {
	case *syntax.IndexExpr:
		e.X, e.Y = rw.expr(e.X), rw.key(e.Y)
		if literal(e.Y) == nil {
			e.X = call(syntax.Start(e.X), opInto, e.X)
		}
	case *syntax.DotExpr:
		e.X = rw.expr(e.X)
	case *syntax.ParenExpr:
		rw.target(e.X)
	case *syntax.TupleExpr:
		for _, x := range e.List {
			rw.target(x)
		}
	case *syntax.ListExpr:
		for _, x := range e.List {
			rw.target(x)
		}
	}
}

func (rw rewriter) params(list []syntax.Expr) {
	for _, p := range list {
		if d, ok := p.(*syntax.BinaryExpr); ok {
			d.Y = rw.expr(d.Y)
		}
	}
}

func (rw rewriter) exprs(list []syntax.Expr) {
	for i := range list {
		list[i] = rw.expr(list[i])
	}
}

func (rw rewriter) expr(e syntax.Expr) syntax.Expr {
	switch e := e.(type) {
	case *syntax.BinaryExpr:
		e.X, e.Y = rw.expr(e.X), rw.expr(e.Y)
		switch {
		case guarded(e.Op, e.X, e.Y):
			return call(e.OpPos, e.Op.String(), e.X, e.Y)
		case walks(e.Op, e.X, e.Y):
			return call(e.OpPos, walkName(e.Op), e.X, e.Y)
		}
	case *syntax.CallExpr:
		return rw.call(e)
	case *syntax.Comprehension:
		rw.comprehension(e)
		return call(e.Lbrack, opEnd, e)
	case *syntax.CondExpr:
		e.Cond, e.True, e.False = rw.expr(e.Cond), rw.expr(e.True), rw.expr(e.False)
	case *syntax.DictEntry:
		e.Key, e.Value = rw.key(e.Key), rw.expr(e.Value)
	case *syntax.DictExpr:
		rw.exprs(e.List)
	case *syntax.DotExpr:
		e.X = rw.expr(e.X)
		if isGuardedMethod(e.Name.Name) || isRunAttribute(e.Name.Name) {
			return call(e.Dot, opAttr, e.X, &syntax.Literal{Token: syntax.STRING, TokenPos: e.NamePos, Value: e.Name.Name})
		}
	case *syntax.IndexExpr:
		e.X, e.Y = rw.expr(e.X), rw.key(e.Y)
	case *syntax.LambdaExpr:
		rw.params(e.Params)
		e.Body = rw.expr(e.Body)
	case *syntax.ListExpr:
		rw.exprs(e.List)
	case *syntax.ParenExpr:
		e.X = rw.expr(e.X)
	case *syntax.SliceExpr:
		return rw.slice(e)
	case *syntax.TupleExpr:
		rw.exprs(e.List)
	case *syntax.UnaryExpr:
		if e.X != nil {
			e.X = rw.expr(e.X)
		}
	}
	return e
}

// key lets a key be looked at before it is hashed, but for a literal.
func (rw rewriter) key(e syntax.Expr) syntax.Expr {
	if literal(e) != nil {
		return e
	}
	return call(syntax.Start(e), opKey, rw.expr(e))
}

// call rewrites a call: the arguments, and x.join(…) and the like into a call
// of the function that guards the method, which is as fast as the method's own.
func (rw rewriter) call(e *syntax.CallExpr) syntax.Expr {
	if dot, ok := e.Fn.(*syntax.DotExpr); ok && isGuardedMethod(dot.Name.Name) {
		e.Fn = ident(dot.Dot, opAttr+dot.Name.Name)
		e.Args = append([]syntax.Expr{dot.X}, e.Args...)
	}
	if _, ok := e.Fn.(*syntax.Ident); !ok {
		e.Fn = rw.expr(e.Fn)
	}
	for i, a := range e.Args {
		switch a := a.(type) {
		case *syntax.BinaryExpr:
			if a.Op == syntax.EQ {
				a.Y = rw.expr(a.Y)
				continue
			}
		case *syntax.UnaryExpr:
			if a.Op == syntax.STAR || a.Op == syntax.STARSTAR {
				a.X = call(a.OpPos, opSpread, rw.expr(a.X))
				continue
			}
		}
		e.Args[i] = rw.expr(a)
	}
	return e
}

func (rw rewriter) slice(e *syntax.SliceExpr) syntax.Expr {
	e.X = rw.expr(e.X)
	for _, p := range []*syntax.Expr{&e.Lo, &e.Hi, &e.Step} {
		if *p != nil {
			*p = rw.expr(*p)
		}
	}
	return call(e.Lbrack, opSlice, e)
}

// comprehension lets the elements be seen while the list or dict is being made.
func (rw rewriter) comprehension(e *syntax.Comprehension) {
	if entry, ok := e.Body.(*syntax.DictEntry); ok {
		entry.Key = call(entry.Colon, opKeepKey, rw.key(entry.Key))
		entry.Value = call(entry.Colon, opKeep, rw.expr(entry.Value))
	} else {
		e.Body = call(syntax.Start(e.Body), opKeep, rw.expr(e.Body))
	}
	for i, c := range e.Clauses {
		switch c := c.(type) {
		case *syntax.ForClause:
			rw.target(c.Vars)
			c.X = rw.expr(c.X)
			if i == 0 {
				c.X = call(c.For, opBegin, c.X)
			}
		case *syntax.IfClause:
			c.Cond = rw.expr(c.Cond)
		}
	}
}

// guarded reports whether an operation can make much at once. Operations with a
// literal number cannot, but for x * 2, where x may be a string.
func guarded(op syntax.Token, x, y syntax.Expr) bool {
	switch op {
	case syntax.PLUS, syntax.MINUS, syntax.PIPE, syntax.AMP, syntax.CIRCUMFLEX:
		return !isNumber(x) && !isNumber(y)
	case syntax.PERCENT:
		return !isNumber(x) && !isNumber(y)
	case syntax.STAR:
		return !isFloat(x) && !isFloat(y) && (!isNumber(x) || !isNumber(y))
	case syntax.LTLT:
		return true
	}
	return false
}

// walks reports whether a comparison can go through much: with a literal it
// cannot, nor can a search in a list or tuple of literals.
func walks(op syntax.Token, x, y syntax.Expr) bool {
	switch op {
	case syntax.EQL, syntax.NEQ, syntax.LT, syntax.LE, syntax.GT, syntax.GE:
		return !constant(x) && !constant(y)
	case syntax.IN, syntax.NOT_IN:
		switch y := bareExpr(y).(type) {
		case *syntax.ListExpr:
			return slices.ContainsFunc(y.List, func(e syntax.Expr) bool { return !constant(e) })
		case *syntax.TupleExpr:
			return slices.ContainsFunc(y.List, func(e syntax.Expr) bool { return !constant(e) })
		}
		return true
	}
	return false
}

// walkName is the name of the function that stands for a comparison.
func walkName(op syntax.Token) string {
	if op == syntax.IN || op == syntax.NOT_IN {
		return op.String() + " " // no other name can be this
	}
	return op.String()
}

// constant reports whether an expression is a literal, or True, False or None.
func constant(e syntax.Expr) bool {
	if x, ok := bareExpr(e).(*syntax.Ident); ok {
		return x.Name == "None" || x.Name == "True" || x.Name == "False"
	}
	return literal(e) != nil
}

func literal(e syntax.Expr) *syntax.Literal {
	switch e := e.(type) {
	case *syntax.Literal:
		return e
	case *syntax.ParenExpr:
		return literal(e.X)
	case *syntax.UnaryExpr:
		if e.Op == syntax.MINUS || e.Op == syntax.PLUS {
			return literal(e.X)
		}
	}
	return nil
}

func isNumber(e syntax.Expr) bool {
	l := literal(e)
	return l != nil && (l.Token == syntax.INT || l.Token == syntax.FLOAT)
}

func isFloat(e syntax.Expr) bool {
	l := literal(e)
	return l != nil && l.Token == syntax.FLOAT
}
