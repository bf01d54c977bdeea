package script

import "go.starlark.net/syntax"

// factsOf takes the facts of a file.
func factsOf(stmts []syntax.Stmt) *facts {
	c := &collector{facts: &facts{safe: make(map[place]map[string]place)}}
	c.stmts(stmts)
	return c.facts
}

// collector goes through a tree.
type collector struct {
	*facts
	within place
	depth  int   // of functions
	above  place // the def that the decorator at hand stands above
}

func (c *collector) stmts(list []syntax.Stmt) {
	var def *syntax.DefStmt
	for _, s := range list {
		c.above = place{}
		switch s := s.(type) {
		case *syntax.DefStmt:
			def = s
		case *syntax.AssignStmt:
			if x, ok := s.LHS.(*syntax.Ident); ok && def != nil && x.NamePos == def.Name.NamePos { // what the builder makes of a decorator
				c.above = at(def.Def)
			}
		}
		c.stmt(s)
	}
}

func (c *collector) stmt(s syntax.Stmt) {
	switch s := s.(type) {
	case *syntax.AssignStmt:
		c.expr(s.RHS, false)
		x, named := s.LHS.(*syntax.Ident)
		if !named || s.Op != syntax.EQ {
			if named {
				c.reads = append(c.reads, x)
			}
			c.target(s.LHS)
			return
		}
		st := store{ident: x}
		switch rhs := bareExpr(s.RHS).(type) {
		case *syntax.CallExpr:
			st.call = c.lastCall(rhs)
		}
		if ref, ok := referenceOf(s.RHS); ok {
			st.ref = &ref
		}
		c.stores = append(c.stores, st)
	case *syntax.DefStmt:
		c.stores = append(c.stores, store{ident: s.Name})
		c.function(at(s.Def), s.Params, func() { c.stmts(s.Body) })
	case *syntax.ExprStmt:
		c.expr(s.X, false)
		if call, ok := bareExpr(s.X).(*syntax.CallExpr); ok {
			if f := c.lastCall(call); f != nil {
				f.dropped = true
			}
		}
	case *syntax.ForStmt:
		c.target(s.Vars)
		c.expr(s.X, false)
		c.stmts(s.Body)
	case *syntax.WhileStmt:
		c.expr(s.Cond, true)
		c.stmts(s.Body)
	case *syntax.IfStmt:
		c.expr(s.Cond, true)
		c.stmts(s.True)
		c.stmts(s.False)
	case *syntax.ReturnStmt:
		if s.Result != nil {
			c.expr(s.Result, false)
		}
	}
}

// function goes through a function's parameters and body.
func (c *collector) function(pos place, params []syntax.Expr, body func()) {
	outer := c.within
	for _, p := range params {
		switch p := p.(type) {
		case *syntax.Ident:
			c.stores = append(c.stores, store{ident: p})
		case *syntax.BinaryExpr:
			c.target(p.X)
			c.expr(p.Y, false)
		case *syntax.UnaryExpr:
			if p.X != nil {
				c.target(p.X)
			}
		}
	}
	if c.depth++; c.depth == 1 {
		c.within = pos
	}
	body()
	c.depth--
	c.within = outer
}

// target goes through what is assigned to.
func (c *collector) target(e syntax.Expr) {
	switch e := e.(type) {
	case *syntax.Ident:
		c.stores = append(c.stores, store{ident: e})
	case *syntax.ParenExpr:
		c.target(e.X)
	case *syntax.TupleExpr:
		for _, x := range e.List {
			c.target(x)
		}
	case *syntax.ListExpr:
		for _, x := range e.List {
			c.target(x)
		}
	default:
		c.expr(e, false)
	}
}

// expr goes through an expression. truth says that nothing of it counts but
// whether it is true.
func (c *collector) expr(e syntax.Expr, truth bool) {
	switch e := e.(type) {
	case nil:
	case *syntax.Ident:
		c.reads = append(c.reads, e)
		if truth {
			c.tested = append(c.tested, operand{ident: e, at: at(e.NamePos)})
		}
	case *syntax.CallExpr:
		f := c.call(e)
		if truth && f != nil {
			c.tested = append(c.tested, operand{call: f, at: f.at})
		}
	case *syntax.DotExpr:
		c.expr(e.X, false)
		if ref, ok := referenceOf(e.X); ok {
			c.fields = append(c.fields, fieldFact{ref, e.Name.Name, at(e.Name.NamePos), c.within})
		}
	case *syntax.ParenExpr:
		c.expr(e.X, truth)
	case *syntax.UnaryExpr:
		c.expr(e.X, e.Op == syntax.NOT)
	case *syntax.BinaryExpr:
		c.binary(e, truth)
	case *syntax.CondExpr:
		c.expr(e.Cond, true)
		c.expr(e.True, truth)
		c.expr(e.False, truth)
	case *syntax.LambdaExpr:
		c.function(at(e.Lambda), e.Params, func() { c.expr(e.Body, false) })
	case *syntax.Comprehension:
		for _, cl := range e.Clauses {
			switch cl := cl.(type) {
			case *syntax.ForClause:
				c.target(cl.Vars)
				c.expr(cl.X, false)
			case *syntax.IfClause:
				c.expr(cl.Cond, true)
			}
		}
		c.expr(e.Body, false)
	default:
		for _, x := range children(e) {
			c.expr(x, false)
		}
	}
}

// children are the parts of an expression that has nothing special about it.
func children(e syntax.Expr) []syntax.Expr {
	switch e := e.(type) {
	case *syntax.DictEntry:
		return []syntax.Expr{e.Key, e.Value}
	case *syntax.DictExpr:
		return e.List
	case *syntax.IndexExpr:
		return []syntax.Expr{e.X, e.Y}
	case *syntax.ListExpr:
		return e.List
	case *syntax.SliceExpr:
		var parts []syntax.Expr
		for _, x := range []syntax.Expr{e.X, e.Lo, e.Hi, e.Step} {
			if x != nil {
				parts = append(parts, x)
			}
		}
		return parts
	case *syntax.TupleExpr:
		return e.List
	}
	return nil
}

func (c *collector) binary(e *syntax.BinaryExpr, truth bool) {
	switch e.Op {
	case syntax.AND, syntax.OR:
		_, guard := bareExpr(e.X).(*syntax.Ident) // res and res["ok"]
		c.expr(e.X, !(guard && e.Op == syntax.AND))
		c.expr(e.Y, truth)
		return
	case syntax.EQL, syntax.NEQ, syntax.IN, syntax.NOT_IN:
		c.comparison(e)
	}
	c.expr(e.X, false)
	c.expr(e.Y, false)
}

func (c *collector) comparison(e *syntax.BinaryExpr) {
	x, y := bareExpr(e.X), bareExpr(e.Y)
	if _, ok := x.(*syntax.Literal); ok && (e.Op == syntax.EQL || e.Op == syntax.NEQ) {
		x, y = y, x
	}
	var with []argument
	switch y := y.(type) {
	case *syntax.ListExpr:
		with = arguments(y.List)
	case *syntax.TupleExpr:
		with = arguments(y.List)
	default:
		if e.Op == syntax.IN || e.Op == syntax.NOT_IN {
			return
		}
		with = arguments([]syntax.Expr{y})
	}
	c.compared = append(c.compared, comparison{c.operand(x), with, e.Op, at(e.OpPos)})
}

// operand says what an expression stands for. A call in it is found in the facts
// later, by its place.
func (c *collector) operand(e syntax.Expr) operand {
	switch e := bareExpr(e).(type) {
	case *syntax.Ident:
		return operand{ident: e, at: at(e.NamePos)}
	case *syntax.IndexExpr:
		if key, ok := literalOf(e.Y).(string); ok {
			x := c.operand(e.X)
			x.key = key
			return x
		}
	case *syntax.CallExpr:
		if dot, ok := e.Fn.(*syntax.DotExpr); ok && dot.Name.Name == "get" && len(e.Args) > 0 {
			if key, ok := literalOf(e.Args[0]).(string); ok {
				x := c.operand(dot.X)
				x.key = key
				return x
			}
		}
		return operand{at: at(e.Lparen)}
	}
	return operand{}
}

// call takes a call; nil where what is called is no reference.
func (c *collector) call(e *syntax.CallExpr) *callFact {
	c.expr(e.Fn, false)
	f := &callFact{at: at(e.Lparen), within: c.within}
	for _, a := range e.Args {
		switch a := a.(type) {
		case *syntax.BinaryExpr:
			if name, ok := a.X.(*syntax.Ident); ok && a.Op == syntax.EQ {
				c.expr(a.Y, false)
				if d, ok := a.Y.(*syntax.DictExpr); ok && name.Name == "safe_state" {
					c.safeState(c.above, d)
				}
				f.named = append(f.named, argument{name.Name, at(name.NamePos), literalOf(a.Y)})
				continue
			}
		case *syntax.UnaryExpr:
			if a.Op == syntax.STAR || a.Op == syntax.STARSTAR {
				c.expr(a.X, false)
				f.spread = true
				continue
			}
		}
		c.expr(a, false)
		f.ordered = append(f.ordered, argument{"", at(syntax.Start(a)), literalOf(a)})
	}
	var ok bool
	if f.fn, ok = referenceOf(e.Fn); !ok {
		return nil
	}
	c.calls = append(c.calls, f)
	return f
}

// lastCall returns the fact of a call that has just been gone through.
func (c *collector) lastCall(e *syntax.CallExpr) *callFact {
	if n := len(c.calls); n > 0 && c.calls[n-1].at == at(e.Lparen) {
		return c.calls[n-1]
	}
	return nil
}

// safeState notes where the keys of a safe state stand.
func (c *collector) safeState(def place, d *syntax.DictExpr) {
	keys := c.safe[def]
	if keys == nil {
		keys = make(map[string]place)
		c.safe[def] = keys
	}
	for _, e := range d.List {
		if entry, ok := e.(*syntax.DictEntry); ok {
			if key, ok := literalOf(entry.Key).(string); ok {
				keys[key] = at(syntax.Start(entry.Key))
			}
		}
	}
}
