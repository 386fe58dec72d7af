package avro

import (
	"fmt"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// scalarMethods are the methods of Writer and Reader that carry a whole value.
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

// scalar is the method for t and its further arguments; "" when t is no scalar.
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

// readExpr is an expression that reads a value, when one call does.
func (g *generator) readExpr(t *schema.Type) (string, bool) {
	if u := g.layout.unions[t]; u != nil {
		return "read" + u.name + "(r)", true
	}
	if t.Kind == schema.Array && t.Items.Kind == schema.String && t.Items.Logical == "" {
		return "r.Strings()", true
	}
	method, args := scalar(t)
	return fmt.Sprintf("r.%s(%s)", method, args), method != ""
}

// loopVar gives the variables of nested loops different names.
func (g *generator) loopVar(name string) string {
	if g.depth > 1 {
		return fmt.Sprintf("%s%d", name, g.depth)
	}
	return name
}

// write prints the statements that write v, which can be addressed.
func (g *generator) write(v string, t *schema.Type) {
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
	g.p("b = w.Block(b, len(%s))\nfor _, %s := range %s.Keys(w, %s) {\nb = w.String(b, %s)", v, k, g.use(runtimePath), v, k)
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
		case nilable(other), other.Kind.Named() && other.Logical == "":
			g.write(v, other)
		default:
			g.write("*"+v, other)
		}
		g.p("}")
	case g.layout.unions[t] != nil:
		g.p("b = write%s(w, b, %s)", g.layout.unions[t].name, v)
	default:
		g.p("b = w.Long(b, 0)")
		g.write(v, t.Branches[0])
	}
}

// read prints the statements that read into v, overwriting what it holds.
func (g *generator) read(v string, t *schema.Type) {
	if expr, ok := g.readExpr(t); ok {
		g.p("%s = %s", v, expr)
		return
	}
	switch t.Kind {
	case schema.Record, schema.Enum, schema.Fixed:
		g.p("%s.ReadAvro(r)", v)
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
	n = g.loopVar("n")
	g.p("for %s := r.Block(%d); %s > 0; %s = r.Block(%d) {", n, least, n, n, least)
	return n
}

func (g *generator) readArray(v string, t *schema.Type) {
	n := g.blocks(t.Items.MinBytes())
	g.p("%s = %s.Grow(r, %s, %s)\nfor ; %s > 0 && r.OK(); %s-- {", v, g.use(runtimePath), v, n, n, n)
	if expr, ok := g.readExpr(t.Items); ok {
		g.p("%s = append(%s, %s)", v, v, expr)
	} else {
		item := g.loopVar("v")
		g.p("var %s %s", item, g.goType(t.Items))
		switch t.Items.Kind {
		case schema.Record: // read in place: records are large
			g.body.Truncate(g.body.Len() - len(fmt.Sprintf("var %s %s\n", item, g.goType(t.Items))))
			g.p("%s = append(%s, %s{})\n%s[len(%s)-1].ReadAvro(r)", v, v, g.goType(t.Items), v, v)
		default:
			g.read(item, t.Items)
			g.p("%s = append(%s, %s)", v, v, item)
		}
	}
	g.p("}\n}")
	g.depth--
}

func (g *generator) readMap(v string, t *schema.Type) {
	n := g.blocks(1 + t.Items.MinBytes())
	g.p("%s = %s.GrowMap(r, %s, %s)\nfor ; %s > 0 && r.OK(); %s-- {", v, g.use(runtimePath), v, n, n, n)
	k, item := g.loopVar("k"), g.loopVar("v")
	g.p("%s := r.String()", k)
	if expr, ok := g.readExpr(t.Items); ok {
		g.p("%s[%s] = %s", v, k, expr)
	} else {
		g.p("var %s %s", item, g.goType(t.Items))
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
		g.p("%s = nil\nif r.Branch(2) == %d {", v, 1-null)
		g.readPresent(v, other)
		g.p("}")
	case len(t.Branches) == 1:
		g.p("r.Branch(1)")
		g.read(v, t.Branches[0])
	}
}

// readPresent reads what is not null into v, which is nil.
func (g *generator) readPresent(v string, t *schema.Type) {
	switch {
	case nilable(t) && t.Kind == schema.Array:
		g.p("%s = %s{}", v, g.goType(t))
		g.readArray(v, t)
	case nilable(t) && t.Kind == schema.Map:
		g.p("%s = %s{}", v, g.goType(t))
		g.readMap(v, t)
	case t.Kind == schema.Bytes && t.Logical == "":
		g.p("%s = r.Bytes()", v)
	default:
		if expr, ok := g.readExpr(t); ok {
			g.p("%s = %s.Ptr(%s)", v, g.use(runtimePath), expr)
			return
		}
		g.p("%s = new(%s)\n%s.ReadAvro(r)", v, g.goType(t), v)
	}
}

// union prints a sealed interface, the structs of its branches that have no type of their own, and its two functions.
func (g *generator) union(u *unionDecl) {
	bin := g.use(runtimePath)
	g.p("\n// %s is one of %s.", u.name, g.branchList(u))
	if u.typ.HasNull() >= 0 {
		g.p("// nil is null.")
	}
	g.p("type %s interface{ is%s() }\n", u.name, u.name)
	for _, b := range u.branches {
		if b.wrapper != "" {
			g.p("// %s is the branch %s of %s.\ntype %s struct{ Value %s }\n", b.wrapper, b.typ.BranchName(), u.name, b.wrapper, g.goType(b.typ))
			g.p("func (%s) is%s() {}\n", b.wrapper, u.name)
		}
	}
	g.p("func write%s(w *%s.Writer, b []byte, u %s) []byte {\nswitch c := u.(type) {", u.name, bin, u.name)
	for i, b := range u.branches {
		if b.typ.Kind == schema.Null {
			g.p("case nil:\nb = w.Long(b, %d)", i)
			continue
		}
		g.p("case %s:", g.branchGo(b))
		if b.wrapper == "" && b.typ.Kind == schema.Record {
			g.p("if c == nil {\nw.Unset(%q)\nreturn b\n}", u.name)
		}
		g.p("b = w.Long(b, %d)", i)
		if b.wrapper != "" {
			g.write("c.Value", b.typ)
		} else {
			g.p("b = c.WriteAvro(w, b)")
		}
	}
	if u.typ.HasNull() < 0 {
		g.p("default:\nw.Unset(%q)", u.name)
	}
	g.p("}\nreturn b\n}\n")
	g.p("func read%s(r *%s.Reader) %s {\nswitch r.Branch(%d) {", u.name, bin, u.name, len(u.branches))
	for i, b := range u.branches {
		g.readBranch(i, b)
	}
	g.p("}\nreturn nil\n}")
	g.unionValidate(u)
}

func (g *generator) readBranch(i int, b branchDecl) {
	switch {
	case b.typ.Kind == schema.Null:
	case b.wrapper != "":
		g.p("case %d:\nvar c %s", i, b.wrapper)
		g.read("c.Value", b.typ)
		g.p("return c")
	case b.typ.Kind == schema.Record:
		g.p("case %d:\nc := new(%s)\nc.ReadAvro(r)\nreturn c", i, g.goType(b.typ))
	default:
		g.p("case %d:\nvar c %s\nc.ReadAvro(r)\nreturn c", i, g.goType(b.typ))
	}
}

// branchGo is the Go type that implements the interface.
func (g *generator) branchGo(b branchDecl) string {
	switch {
	case b.wrapper != "":
		return b.wrapper
	case b.typ.Kind == schema.Record:
		return "*" + g.goType(b.typ)
	}
	return g.goType(b.typ)
}

func (g *generator) branchList(u *unionDecl) string {
	var out string
	for _, b := range u.branches {
		if b.typ.Kind == schema.Null {
			continue
		}
		if out != "" {
			out += ", "
		}
		out += g.branchGo(b)
	}
	return out
}
