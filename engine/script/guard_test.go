package script

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
)

// TestGuardsChangeNothing evaluates the bodies of functions with the guards and
// without, and compares results and errors.
func TestGuardsChangeNothing(t *testing.T) {
	t.Parallel()
	bodies := strings.Split(strings.TrimSpace(`
return 1 + 2, 1.5 + n, n + 2.5, "a" + s, b"a" + b"b", [1] + l, (1,) + (n,), n - 1, n - n, 5 * n, n * n, n * 1.5, s * 3, 3 * s, l * n, (n,) * 2, b"x" * n
return n % 2, n % n, "%s %d %r %%" % (s, n, l), "%s" % s, "%(a)s" % {"a": n}, n // 2, n / 2, -n, +n, ~n, n << 3, n >> 1, n | 6, n & 6, n ^ 6
return {"a": 1} | {"b": n}, set([1, 2]) | set([3]), set([1, 2]) & set([2]), set([1, 2]) - set([2]), set([1, 2]) ^ set([2, 3])
return s + n
return n + s
return l + (1,)
return n % 0
return n % (n - n)
return s * s
return l * 1.5
return n << 600
return n << -1
return None + 1
return "%d" % s
return "%s %s" % s
return s - s
return {} | l
return l[1:], l[:-1], l[::2], l[::-1], s[1:], s[::-1], (1, 2, 3)[0:2], b"abc"[1:], range(10)[::3], l[n:], l[100:]
return l[::0]
return l["a":]
return [x for x in l], [x + y for x in l for y in l if x != y], {x: [x] for x in l}, [(x, y) for x, y in {"a": 1}.items()], [[y for y in range(x)] for x in l]
return [x for x in n]
return [x for x, y in l]
return [x for x in l for l in [[x]]]
return [[].append(x) for x in l], [f(x) for f in (lambda x: x * n, lambda x: x + x) for x in l]
return list("ab".elems()), list({"a": 1}), list(range(3)), list(), tuple(l), tuple("é".codepoints()), dict(a=1), dict([("a", 1)], b=2), dict(), set(l), set(), bytes([1, 2]), bytes("é"), list(l)
return list(n)
return list(1, 2)
return dict(n)
return dict([1])
return set([[]])
return sorted([3, 1, 2]), sorted([3, 1, 2], reverse=True), sorted(["bb", "a", "ccc"], key=len), sorted(["bb", "a", "cc", "d"], key=len, reverse=True), sorted({"b": 1, "a": 2}), sorted([]), sorted("cab".elems())
return sorted([1, "a"])
return sorted(n)
return sorted([1, 2], key=lambda x: x + "a")
return sorted([1], foo=1)
return reversed(l), enumerate(l), enumerate(l, 5), zip(l, "ab".elems()), zip(), zip([1, 2], [3]), any([0, n]), all([1, 0]), any([]), min(l), max(l), min(3, 1), max(l, key=lambda x: -x), min(["b", "a"])
return zip("abc".codepoints(), range(1000000000)), zip(range(1000000000), "ab".codepoint_ords()), zip("é".codepoints(), b"abc".elems()), zip("a".codepoints(), n)
return zip(n, "a".codepoints())
return list(b"ab".elems()), sorted("cab".codepoints()), reversed("ab".codepoint_ords()), enumerate("ab".codepoints()), max("ab".codepoints()), all(b"".elems()), max(*"ab".codepoint_ords())
return [].extend("ab".codepoints()), set("aab".codepoints()), set([1]).union(b"ab".elems()), "-".join("ab".codepoints()), [0] + list("".codepoints())
return str("a".elems()), str("é".codepoint_ords()), repr(b"a".elems()), "%s" % [range(3)]
return {(1, n): 2}[(1, n)], {n: 1}[n], (1, n) in {(1, 3): 1}, n in l, 1 not in l, l[n - 3], {struct(a=n): 1}[struct(a=3)], {(x, n): x for x in l}, s[n], (n + 1 in l)
return {(1, n): 2}[(n, 1)]
return {n: 1, n: 2}
return {l: 1}
return l[s]
return l in {}
x = {}; x[(n,)] = 1; x[(n,)] += 2; x[n] = 5; x[n, n] = 6; return x
x = {}; x[l] = 1
x = {}; x[(n, n)] += 1
x = l; x[n] = 1
return dir(struct(a=1)), len(dir(s)), dir(n), struct(a=1) + struct(b=n)
return dir()
return min([])
return any(n)
return str(l), str(s), str(None), repr(s), repr((1,)), str({"a": [1]}), str(1.0), str(set([1])), int("12"), int("ff", 16), int(3.7), int("0x1f", 0), str(struct(a=1, b=[2]))
return int("x")
return int([])
return getattr(struct(a=1), "a"), getattr(s, "upper")(), getattr(l, "nope", 5), getattr(l, "extend")([9]), hasattr(s, "join")
return getattr(s, "nope")
return s.nope
return s.joi([])
return struct(items=[1], join="j").items + [struct(items=[1], join="j").join], struct(update=lambda a, b=2: (a, b)).update(1, b=3)
return s.join(["1", "2"]), s.join(("x",)), s.join([]), s.replace("e", "12"), s.replace("", "-"), s.replace("e", "", 1), s.split(), "a,b,c".split(","), "a,b,c".split(",", 1), "a b".rsplit(" ", 1), "a\nb\n".splitlines(), "a\nb".splitlines(True)
return s.upper(), s.lower(), s.title(), s.capitalize(), "{} {}".format(1, s), "{a} {0}".format(n, a=2), "{{}}".format(), s.find("e"), s.count("e"), s.strip("t"), s.partition("e")
return s.join([1])
return s.join(n)
return s.replace("a")
return s.replace(1, 2)
return s.split("")
return s.split(1)
return "{}".format()
return "{0}{a}".format(1)
return s.upper(1)
return {"a": 1}.items(), {"a": 1}.keys(), {"a": 1}.values(), {"a": 1}.update({"b": 2}), {"a": 1}.update(b=1), {"a": 1}.get("x", 2), {"a": 1}.pop("a"), {"a": 1}.setdefault("b", n)
return {"a": 1}.items(1)
return {"a": 1}.pop("b")
return set(l).union([9]), set(l).difference(l), set(l).intersection([1]), set(l).symmetric_difference([1, 9]), set(l).issubset(l), set(l).issuperset([1]), set(l).update([7])
return set(l).union(n)
return l.extend([1]), l.insert(0, 5), l.remove(5), l.index(2), l.pop(), l.pop(0), l
return l.pop(9)
return l.remove(99)
return l.index(99)
return l.extend(n)
return l.insert("a", 1)
return max(*l), "{}{}".format(*[1, 2]), dict(**{"a": 1}), struct(**dict(x=1)).x
return max(*n)
return dict(**l)
return (lambda *a, **k: (a, k))(*l, **{"z": n})
x = n; x += 1; x -= n; x *= 3; x //= 2; x %= 4; x |= 8; x &= 12; x ^= 1; x <<= 2; x >>= 1; return x
x = 1.5; x += n; x /= n; x *= 2.0; x -= x; return x
x = s; x += s; x *= 2; return x, x % ()
x = "%s-%s"; x %= (n, s); return x
x = [1]; y = x; x += [2]; x += (3,); x += range(2); x += {"k": 1}; x *= 2; return x, y
x = (1,); y = x; x += (2,); return x, y
x = {"a": 1}; y = x; x |= {"b": 2}; return x, y
x = set([1]); y = x; x |= set([2]); x &= set([2]); x -= set(); x ^= set([5]); return x, y
x = [1]; x += x; return x
x = [1]; x += n
x = [1]; x |= l
x = n; x += s
x = n; x <<= s
x = n; x <<= 600
x = l; x += s
x = {"a": [1]}; x["a"] += [2]; x["b"] = 1; x["b"] += n; return x
x = [0, 1]; i = [0]; x[i.pop()] += 5; return x, i
x = {}; x["a"] += 1
x = struct(a=1); x.a += 1
for e in l: l += [e]
y = [e for e in l if l.append(e)]
x = y; y = 1
x += 1
return n if l + [1] else s, not (l + l), l + l and s + s, l == l + [], l * 2 in [l + l], "a" in s + "a", n in l + [n]
return (lambda a, b=n + n: a * b)(n), (lambda: [x * n for x in l])()
return n == n, n != s, l == [1, 2], l != l, l < [1, 3], (n,) <= (n, n), s >= s, s > "a" + s, n < 2.5 + n, 1.0 * n == n, {"a": l} == {"a": [1, n - 1]}, struct(a=l) == struct(a=[1, 2]), struct(a=1) != struct(b=n), None == l, True == n
return set([1, 2]) == set([2, 1]), set(l) < set([1, 2, n]), set(l) >= set(l), set(l) != set(), b"a" < bytes(s), range(n) == range(n), len == len, f == f, f != len, {} == {}, {"a": 1} == {"b": n}, [l] == [[1, 2]]
return l < n
return n < s
return {} < {"a": n}
return struct(a=1) < struct(a=n)
return f < f
return None < None
x = [1]; x.append(x); return x == x
x = [1]; y = [1]; x.append(y); y.append(x); return x == y
x = [1]; y = [1]; x.append(x); y.append(y); return x < y
x = []; x.append(x); return x in [x]
x = []; x.append(x); return [x].index(x)
x = []; x.append(x); y = []; y.append(y); return sorted([x, y])
x = []; x.append(x); y = []; y.append(y); return max(x, y)
return 1 in n
return n in s
return l in {}
return l not in set([1])
return s in s + s, "es" in s, "" in s, s not in "x" + s[1:], b"a" in bytes("ba"), 98 in bytes("ba"), l in [l], l not in (l, 1), n in range(5), n in set([3]), (n,) in {(3,): 1}, {} in [{}], "x" in {"x": l}, s in [c for c in "test".elems()]
return s in bytes(s)
return n in bytes("a")
return 500 in bytes("a")
return max(l), min(l), max(s, "a"), max([[1], [n]]), min([(n, 1), (1, n)]), max(l, key=lambda x: -x), min(*l), max("b", "a", key=len), max({"a": 1, "b": 2}), max([1, 1.0]), min([1.0, 1])
return max()
return max([])
return min(n)
return max([1, "a"])
return max(l, kye=len)
return max(l, key=n)
return max(l, key=lambda x: x + "a")
return sorted([[n], [1, 2], [1]]), sorted([(1, "b"), (1, "a")], reverse=True), sorted([n, "a"], key=lambda x: [1])
return l.index(2, 1), l.index(1, -2, 5), s.index("s"), s.index("t", 1), s.rindex("t"), s.find("t", 1, 2), s.rfind("t", 0, 3), s.find("x"), s.find("t", -1), s.find("t", 99), s.count("t"), s.count("t", 1), s.count("")
return l.index(1, 1)
return l.index()
return s.index("x")
return s.find(n)
return s.find("a", "b")
return s.find()
return s.index("t", 1, 2)
return s.strip("t"), s.lstrip("te"), s.rstrip("t"), s.partition("es"), s.rpartition("t"), s.startswith(("x", "te")), s.endswith("st", 1), s.startswith(()), s.removeprefix("te"), s.removesuffix("st"), s.isalpha(), s.isdigit(), s.isalnum(), s.isspace(), s.islower(), s.isupper(), s.istitle()
return s.startswith(n)
return s.startswith(("a", n))
return s.partition("")
return s.removeprefix()
return s.isalpha(1)
return hash(s) == hash("test"), float("1.5"), float(n), ord("a"), int("0x1f", 16), int(2.5)
return float(s)
return hash(n)
return ord(s)
x = {(1, n): 1}; return x.get((1, 3)), x.get((1, 4), n), x.setdefault((2,), s), x.pop((1, 3)), x.pop((9,), None), x
return {}.get(l)
return {}.setdefault([], 1)
return {}.pop({})
x = set([(1,)]); x.add((2, n)); x.discard((1,)); x.discard((7,)); x.remove((2, 3)); return x
return set().remove((1, n))
return set().add([])
return set([(1, n), (1, 3)]), dict([((1, n), 1), [(1, 3), 2]]), dict({(1,): n}), set([1]).union([(n,)]), dict([("a", 1)]) | dict([("b", n)]), set([(1, 2)]) & set([(1, n - 1)]), set([1]) ^ set([n]), set([1, n]) - set([n])
return dict([(l, 1)])
return dict([1, 2])
return set([1, []])
x = {1: 2}; x.update([(n, 1)]); x.update({(1,): 2}, b=3); return x
`), "\n")
	tools := starlark.StringDict{"struct": starlark.NewBuiltin("struct", starlarkstruct.Make)}
	f := newPlant().front(t, Options{})
	for _, body := range bodies {
		src := "def f(n, s, l):\n    " + body + "\n"
		native, err := starlark.ExecFileOptions(options(), &starlark.Thread{}, "x.star", src, tools)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		x := execution{library: newLibrary(f, map[string][]byte{"x.star": []byte(src)}), unit: &unit{entry: "x.star"}, modules: map[string]starlark.StringDict{}}
		guarded := x.module("x.star")
		if guarded == nil {
			t.Fatalf("%s: %v", body, x.unit.faults)
		}
		call := func(fn starlark.Value) string {
			t := &starlark.Thread{}
			f.limit(context.Background(), t)
			args := starlark.Tuple{starlark.MakeInt(3), starlark.String("test"), starlark.NewList([]starlark.Value{starlark.MakeInt(1), starlark.MakeInt(2)})}
			v, err := starlark.Call(t, fn, args, nil)
			if err != nil {
				fr, _ := innermost(err)
				return err.Error() + " at line " + fr.Pos.String()
			}
			return v.String()
		}
		if want, got := call(native["f"]), call(guarded["f"]); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", body, got, want)
		}
	}
}

// TestCompareAsStarlark compares values of all kinds with each other, by each
// comparison, and sees what Starlark itself says.
func TestCompareAsStarlark(t *testing.T) {
	t.Parallel()
	f := newPlant().front(t, Options{})
	v, err := starlark.EvalOptions(options(), &starlark.Thread{}, "x.star", strings.ReplaceAll(`[
		None, True, False, 0, 1, -1, 2, 1 << 70, -(1 << 70), 0.0, 1.0, 1.5, float("nan"), float("inf"), "", "a", "ab", LONG, LONG + "a", b"", b"a",
		[], [1], [1, 2], [1, 3], [2], [1.0], ["a"], [[1], [2]], [[1], [3]], (), (1,), (1, 2), (1, "a"), ((1,), 2), [(1, [2])], [float("nan")],
		{}, {"a": 1}, {"a": 2}, {"b": 1}, {"a": 1, "b": 2}, {"b": 2, "a": 1}, {(1, 2): [1]}, {(1, 2): [1.0]}, {1: {2: {3: 4}}}, {1: {2: {3: 5}}},
		set(), set([1]), set([1, 2]), set([2, 1]), set([(1, 2)]), set(["a"]), struct(), struct(a = 1), struct(a = 2), struct(b = 1), struct(a = [1], b = {}),
		range(0), range(2), range(0, 4, 2), len, max, "ab".elems(), "ab".codepoints(), [LONG, 1], [LONG, 2], [[[[[[[[[[1]]]]]]]]]], [[[[[[[[[1]]]]]]]]],
	]`, "LONG", `("x" * 100)`), starlark.StringDict{"struct": starlark.NewBuiltin("struct", starlarkstruct.Make)})
	if err != nil {
		t.Fatal(err)
	}
	l := v.(*starlark.List)
	n := 0
	for i := range l.Len() {
		for j := range l.Len() {
			th := &starlark.Thread{}
			f.limit(t.Context(), th)
			for _, op := range comparisons {
				x, y := l.Index(i), l.Index(j)
				want, wantErr := starlark.Compare(op, x, y)
				got, gotErr := compareWalked(th, op, x, y)
				if want != got && wantErr == nil || fmt.Sprint(wantErr) != fmt.Sprint(gotErr) {
					t.Errorf("%v %s %v is %v, %v; want %v, %v", x, op, y, got, gotErr, want, wantErr)
				}
				n++
			}
		}
	}
	t.Logf("%d comparisons", n)
}
