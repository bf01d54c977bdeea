package script

import "go.starlark.net/syntax"

func arguments(list []syntax.Expr) []argument {
	var all []argument
	for _, e := range list {
		all = append(all, argument{"", at(syntax.Start(e)), literalOf(e)})
	}
	return all
}

func bareExpr(e syntax.Expr) syntax.Expr {
	for {
		p, ok := e.(*syntax.ParenExpr)
		if !ok {
			return e
		}
		e = p.X
	}
}

func referenceOf(e syntax.Expr) (reference, bool) {
	switch e := bareExpr(e).(type) {
	case *syntax.Ident:
		return reference{ident: e}, true
	case *syntax.DotExpr:
		ref, ok := referenceOf(e.X)
		ref.fields = append(ref.fields[:len(ref.fields):len(ref.fields)], e.Name.Name)
		return ref, ok
	case *syntax.CallExpr:
		if len(e.Args) == 0 {
			ref, ok := referenceOf(e.Fn)
			ref.fields = append(ref.fields[:len(ref.fields):len(ref.fields)], called)
			return ref, ok
		}
	}
	return reference{}, false
}

// literalOf returns the value of a literal; nil of anything else.
func literalOf(e syntax.Expr) any {
	switch e := bareExpr(e).(type) {
	case *syntax.Literal:
		switch e.Value.(type) {
		case string:
			if e.Token == syntax.STRING {
				return e.Value
			}
		case int64, float64:
			return e.Value
		}
	case *syntax.Ident:
		switch e.Name {
		case "True":
			return true
		case "False":
			return false
		}
	case *syntax.UnaryExpr:
		if e.Op == syntax.MINUS {
			switch x := literalOf(e.X).(type) {
			case int64:
				return -x
			case float64:
				return -x
			}
		}
	}
	return nil
}
