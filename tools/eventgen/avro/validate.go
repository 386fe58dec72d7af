package avro

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// validate prints the checks of v, if there are any; name is a Go expression for its place.
func (g *generator) validate(v, name string, t *schema.Type) {
	switch {
	case t.Logical == schema.Decimal:
		g.check(fmt.Sprintf("%s.Fits(%d, %d)", v, t.Precision, t.Scale), name)
		return
	case logicalGo[t.Logical] == "time.Time":
		g.check("avrobin.CheckTime("+v+")", name)
		return
	case logicalGo[t.Logical] == "TimeOfDay":
		g.check(v+".Validate()", name)
		return
	case t.Logical != "":
		return
	}
	switch t.Kind {
	case schema.Enum:
		g.check(v+".Validate()", name)
	case schema.Record:
		if checked(t, map[*schema.Type]bool{}) {
			g.check(v+".Validate()", name)
		}
	case schema.Array:
		g.validateItems(v, name, "i", t)
	case schema.Map:
		g.validateItems(v, name, "k", t)
	case schema.Union:
		g.validateUnion(v, name, t)
	}
}

// checked tells whether anything in a value of t can be wrong, so that calling its Validate is
// worth a line.
func checked(t *schema.Type, seen map[*schema.Type]bool) bool {
	switch {
	case seen[t]:
		return false
	case t.Logical != "":
		return t.Logical == schema.Decimal || logicalGo[t.Logical] == "time.Time" || logicalGo[t.Logical] == "TimeOfDay"
	case t.Kind == schema.Enum:
		return true
	case t.Kind == schema.Union && len(t.Branches) > 1:
		if _, _, ok := t.Nullable(); !ok {
			return true
		}
	}
	seen[t] = true
	for _, p := range parts(t) {
		if checked(p, seen) {
			return true
		}
	}
	return false
}

func (g *generator) check(expr, name string) {
	g.p("if err := %s; err != nil {\nreturn avrobin.At(err, %s)\n}", expr, name)
}

// quietly runs f and tells whether it printed anything; what it printed is returned, not kept.
func (g *generator) quietly(f func()) string {
	outer := g.body
	g.body = bytes.Buffer{}
	f()
	text := g.body.String()
	g.body = outer
	return text
}

func (g *generator) validateItems(v, name, key string, t *schema.Type) {
	g.depth++
	defer func() { g.depth-- }()
	key = g.loopVar(key)
	item := v + "[" + key + "]"
	setup := ""
	if t.Kind == schema.Map {
		value := g.loopVar("v")
		setup = fmt.Sprintf("%s := %s\n", value, item)
		item = value
	}
	inner := g.quietly(func() { g.validate(item, name+", "+key, t.Items) })
	if inner != "" {
		g.p("for %s := range %s {\n%s%s}", key, v, setup, inner)
	}
}

func (g *generator) validateUnion(v, name string, t *schema.Type) {
	other, _, ok := t.Nullable()
	switch {
	case ok && nilable(other):
		g.validate(v, name, other)
	case ok:
		target := v
		if other.Logical != "" && logicalGo[other.Logical] == "time.Time" {
			target = "*" + v
		}
		if inner := g.quietly(func() { g.validate(target, name, other) }); inner != "" {
			g.p("if %s != nil {\n%s}", v, inner)
		}
	case g.layout.unions[t] != nil:
		g.check(fmt.Sprintf("validate%s(%s)", g.layout.unions[t].name, v), name)
	case len(t.Branches) == 1:
		g.validate(v, name, t.Branches[0])
	}
}

func (g *generator) unionValidate(u *unionDecl) {
	null := u.typ.HasNull() >= 0
	g.p("\nfunc validate%s(u %s) error {", u.name, u.name)
	var cases string
	for _, b := range u.branches {
		inner := ""
		record := b.wrapper == "" && b.typ.Kind == schema.Record
		switch {
		case b.typ.Kind == schema.Null:
		case b.wrapper != "":
			inner = g.quietly(func() { g.validate("c.Value", fmt.Sprintf("%q", b.typ.BranchName()), b.typ) })
		case b.typ.Kind != schema.Fixed:
			inner = "return c.Validate()\n"
		}
		if record {
			inner = "if c == nil {\nreturn avrobin.ErrUnset\n}\n" + inner
		}
		if inner != "" {
			cases += fmt.Sprintf("case %s:\n%s", g.branchGo(b), inner)
		}
	}
	if !null {
		cases += "case nil:\nreturn avrobin.ErrUnset\n"
	}
	if cases != "" {
		c := ""
		if strings.Contains(cases, "c.") || strings.Contains(cases, "c ==") {
			c = "c := "
		}
		g.p("switch %su.(type) {\n%s}", c, cases)
	}
	g.p("return nil\n}")
}
