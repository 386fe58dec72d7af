package codec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/layout"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// scalarMethods are the methods of Writer and Reader for a whole value.
var scalarMethods = map[schema.Kind]string{
	schema.Boolean: "Boolean", schema.Int: "Int", schema.Long: "Long", schema.Float: "Float", schema.Double: "Double",
	schema.Bytes: "Bytes", schema.String: "String",
}

var logicalMethods = map[schema.Logical]string{
	schema.BigDecimal: "BigDecimal", schema.UUID: "UUID", schema.Date: "Date", schema.TimeMillis: "TimeMillis", schema.TimeMicros: "TimeMicros",
	schema.TimestampMillis: "TimestampMillis", schema.TimestampMicros: "TimestampMicros", schema.TimestampNanos: "TimestampNanos",
	schema.LocalTimestampMillis: "LocalTimestampMillis", schema.LocalTimestampMicros: "LocalTimestampMicros",
	schema.LocalTimestampNanos: "LocalTimestampNanos", schema.Duration: "Duration",
}

// scalar returns the method of Writer and Reader for t and its further arguments. The method is ""
// if t is not a scalar.
func scalar(t *schema.Type) (method, args string) {
	switch {
	case t.Logical == schema.Decimal && t.Kind == schema.Fixed:
		return "DecimalFixed", fmt.Sprintf("%d, %d, %d", t.Size, t.Precision, t.Scale)
	case t.Logical == schema.Decimal:
		return "Decimal", fmt.Sprintf("%d, %d", t.Precision, t.Scale)
	case t.Logical == schema.UUID && t.Kind == schema.Fixed:
		return "UUIDFixed", ""
	case t.Logical != "":
		return logicalMethods[t.Logical], ""
	}
	return scalarMethods[t.Kind], ""
}

// readExpr returns an expression that reads a value and returns it with the position after it. It
// returns false if that takes more than one call.
func (g *generator) readExpr(t *schema.Type) (string, bool) {
	if u := g.Layout.Unions[t]; u != nil {
		return "read" + u.Name + "(r, p)", true
	}
	if t.Kind == schema.Array && t.Items.Kind == schema.String && t.Items.Logical == "" {
		return "r.Strings(p)", true
	}
	method, args := scalar(t)
	if args != "" {
		args = ", " + args
	}
	return fmt.Sprintf("r.%s(p%s)", method, args), method != ""
}

// reading prints the statements that f prints, after the declaration of the variables they need.
func (g *generator) reading(f func()) {
	g.ints = map[string]bool{}
	text := g.quietly(f)
	if len(g.ints) > 0 {
		g.p("var %s int", strings.Join(slices.Sorted(maps.Keys(g.ints)), ", "))
	}
	g.body.WriteString(text)
}

// count returns the name of a variable that the function needs.
func (g *generator) count(name string) string {
	g.ints[name] = true
	return name
}

// loopVar returns the name of a variable of a loop. Nested loops have different ones.
func (g *generator) loopVar(name string) string {
	if g.depth > 1 {
		return fmt.Sprintf("%s%d", name, g.depth)
	}
	return name
}

// write prints the statements that write v, which is addressable.
func (g *generator) write(v string, t *schema.Type) {
	if t.Kind == schema.Int && t.Logical == "" {
		g.p("b = w.Long(b, int64(%s))", v)
		return
	}
	if method, args := scalar(t); method != "" {
		if args != "" {
			args = ", " + args
		}
		g.p("b = w.%s(b, %s%s)", method, v, args)
		return
	}
	switch t.Kind {
	case schema.Record, schema.Enum, schema.Fixed:
		g.p("b = %s.WriteAvro(w, b)", v)
	case schema.Array:
		g.depth++
		i := g.loopVar("i")
		g.p("b = w.Block(b, len(%s))", v)
		if items := g.quietly(func() { g.write(v+"["+i+"]", t.Items) }); items != "" {
			g.p("for %s := range %s {\n%s}", i, v, items)
		}
		g.p("b = w.End(b)")
		g.depth--
	case schema.Map:
		g.writeMap(v, t)
	case schema.Union:
		g.writeUnion(v, t)
	}
}

func (g *generator) writeMap(v string, t *schema.Type) {
	g.depth++
	k, item := g.loopVar("k"), g.loopVar("v")
	g.p("b = w.Block(b, len(%s))\nfor _, %s := range avrobin.Keys(w, %s) {\nb = w.String(b, %s)", v, k, v, k)
	if t.Items.Kind != schema.Null {
		g.p("%s := %s[%s]", item, v, k)
		g.write(item, t.Items)
	}
	g.p("}\nw.ReleaseKeys(len(%s))\nb = w.End(b)", v)
	g.depth--
}

func (g *generator) writeUnion(v string, t *schema.Type) {
	other, null, ok := t.Nullable()
	switch {
	case ok:
		g.p("if %s == nil {\nb = w.Long(b, %d)\n} else {\nb = w.Long(b, %d)", v, null, 1-null)
		switch {
		case layout.Nilable(other), other.Kind.Named() && other.Logical == "":
			g.write(v, other)
		default:
			g.write("*"+v, other)
		}
		g.p("}")
	case g.Layout.Unions[t] != nil:
		g.p("b = write%s(w, b, %s)", g.Layout.Unions[t].Name, v)
	default:
		g.p("b = w.Long(b, 0)")
		g.write(v, t.Branches[0])
	}
}

// read prints the statements that read into v, whatever its value was.
func (g *generator) read(v string, t *schema.Type) {
	if expr, ok := g.readExpr(t); ok {
		g.p("%s, p = %s", v, expr)
		return
	}
	switch t.Kind {
	case schema.Null:
		g.p("%s = %s{}", v, g.GoType(t))
	case schema.Record, schema.Enum, schema.Fixed:
		g.p("p = %s.ReadAvro(r, p)", v)
	case schema.Array:
		g.p("%s = nil", v)
		g.readArray(v, t)
	case schema.Map:
		g.p("%s = nil", v)
		g.readMap(v, t)
	case schema.Union:
		g.readUnion(v, t)
	}
}

func (g *generator) blocks(least int) (n string) {
	g.depth++
	n = g.count(g.loopVar("n"))
	g.p("for %s, p = r.Block(p, %d); %s > 0; %s, p = r.Block(p, %d) {", n, least, n, n, least)
	return n
}

func (g *generator) readArray(v string, t *schema.Type) {
	n := g.blocks(t.Items.MinBytes())
	items, j := g.loopVar("items"), g.loopVar("j")
	g.p("for %s > 0 && r.OK() {\n%s := avrobin.Extend(r, &%s, %s)", n, items, v, n)
	g.p("for %s := range %s {", j, items)
	g.read(items+"["+j+"]", t.Items)
	g.p("}\n%s -= len(%s)\n}\n}", n, items)
	g.depth--
}

func (g *generator) readMap(v string, t *schema.Type) {
	n := g.blocks(1 + t.Items.MinBytes())
	g.p("%s = avrobin.GrowMap(r, %s, %s)\nfor ; %s > 0 && r.OK(); %s-- {", v, v, n, n, n)
	k, item := g.loopVar("k"), g.loopVar("v")
	g.p("var %s string\n%s, p = r.String(p)", k, k)
	if expr, ok := g.readExpr(t.Items); ok {
		g.p("%s[%s], p = %s", v, k, expr)
	} else {
		g.p("var %s %s", item, g.GoType(t.Items))
		g.read(item, t.Items)
		g.p("%s[%s] = %s", v, k, item)
	}
	g.p("}\n}")
	g.depth--
}

func (g *generator) readUnion(v string, t *schema.Type) {
	other, null, ok := t.Nullable()
	switch {
	case ok:
		i := g.count("i")
		g.p("%s = nil\nif %s, p = r.Branch(p, 2); %s == %d {", v, i, i, 1-null)
		g.readPresent(v, other)
		g.p("}")
	case len(t.Branches) == 1:
		g.p("_, p = r.Branch(p, 1)")
		g.read(v, t.Branches[0])
	}
}

// readPresent prints the statements that read a value that is not null into v, which is nil.
func (g *generator) readPresent(v string, t *schema.Type) {
	switch {
	case layout.Nilable(t) && t.Kind == schema.Array:
		g.p("%s = %s{}", v, g.GoType(t))
		g.readArray(v, t)
	case layout.Nilable(t) && t.Kind == schema.Map:
		g.p("%s = %s{}", v, g.GoType(t))
		g.readMap(v, t)
	case layout.Nilable(t):
		g.read(v, t)
	default:
		if t.Kind == schema.Record {
			g.p("%s = avrobin.New[%s](r)", v, g.GoType(t))
		} else {
			g.p("%s = new(%s)", v, g.GoType(t))
		}
		if t.Kind.Named() && t.Logical == "" {
			g.read(v, t)
		} else {
			g.read("*"+v, t)
		}
	}
}

// union prints a sealed interface, the structs of the branches that have no type of their own, and
// its functions.
func (g *generator) union(u *layout.Union) {
	g.p("\n// %s is one of %s.", u.Name, g.branchList(u))
	if u.Type.HasNull() >= 0 {
		g.p("// A nil %s is null.", u.Name)
	}
	g.p("type %s interface{ is%s() }\n", u.Name, u.Name)
	for _, b := range u.Branches {
		if b.Wrapper != "" {
			g.p("// %s is the branch %s of the union %s.\ntype %s struct{ Value %s }\n", b.Wrapper, b.Type.BranchName(), u.Name, b.Wrapper, g.GoType(b.Type))
			g.p("func (%s) is%s() {}\n", b.Wrapper, u.Name)
		}
	}
	g.p("func write%s(w *avrobin.Writer, b []byte, u %s) []byte {\nswitch c := u.(type) {", u.Name, u.Name)
	for i, b := range u.Branches {
		if b.Type.Kind == schema.Null {
			g.p("case nil:\nb = w.Long(b, %d)", i)
			continue
		}
		g.p("case %s:", g.BranchGo(b))
		if b.Wrapper == "" && b.Type.Kind == schema.Record {
			g.p("if c == nil {\nw.Unset(%q)\nreturn b\n}", u.Name)
		}
		g.p("b = w.Long(b, %d)", i)
		if b.Wrapper != "" {
			g.write("c.Value", b.Type)
		} else {
			g.p("b = c.WriteAvro(w, b)")
		}
	}
	if u.Type.HasNull() < 0 {
		g.p("default:\nw.Unset(%q)", u.Name)
	}
	g.p("}\nreturn b\n}\n")
	g.p("func read%s(r *avrobin.Reader, p int) (%s, int) {", u.Name, u.Name)
	g.reading(func() {
		g.p("branch, p := r.Branch(p, %d)\nswitch branch {", len(u.Branches))
		for i, b := range u.Branches {
			g.readBranch(i, b)
		}
		g.p("}")
	})
	g.p("return nil, p\n}")
	g.unionValidate(u)
}

func (g *generator) readBranch(i int, b layout.Branch) {
	switch {
	case b.Type.Kind == schema.Null:
	case b.Wrapper != "":
		g.p("case %d:\nvar c %s", i, b.Wrapper)
		g.read("c.Value", b.Type)
		g.p("return c, p")
	case b.Type.Kind == schema.Record:
		g.p("case %d:\nc := avrobin.New[%s](r)\np = c.ReadAvro(r, p)\nreturn c, p", i, g.GoType(b.Type))
	default:
		g.p("case %d:\nvar c %s\np = c.ReadAvro(r, p)\nreturn c, p", i, g.GoType(b.Type))
	}
}

func (g *generator) branchList(u *layout.Union) string {
	var out string
	for _, b := range u.Branches {
		if b.Type.Kind == schema.Null {
			continue
		}
		if out != "" {
			out += ", "
		}
		out += g.BranchGo(b)
	}
	return out
}
