package codec

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/layout"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// validate prints the checks of v, if it needs any. The name is the Go expression of its path.
func (g *generator) validate(v, name string, t *schema.Type) {
	switch {
	case t.Logical == schema.Decimal:
		g.check(fmt.Sprintf("%s.Fits(%d, %d)", v, t.Precision, t.Scale), name)
		return
	case layout.LogicalTypes[t.Logical] == "time.Time":
		g.check("avrobin.CheckTime("+v+")", name)
		return
	case layout.LogicalTypes[t.Logical] == "TimeOfDay":
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

// checked reports whether a value of t can be invalid, so that its Validate has to be called.
func checked(t *schema.Type, seen map[*schema.Type]bool) bool {
	switch {
	case seen[t]:
		return false
	case t.Logical != "":
		return t.Logical == schema.Decimal || layout.LogicalTypes[t.Logical] == "time.Time" || layout.LogicalTypes[t.Logical] == "TimeOfDay"
	case t.Kind == schema.Enum:
		return true
	case t.Kind == schema.Union && len(t.Branches) > 1:
		if _, _, ok := t.Nullable(); !ok {
			return true
		}
	}
	seen[t] = true
	for _, p := range layout.Parts(t) {
		if checked(p, seen) {
			return true
		}
	}
	return false
}

func (g *generator) check(expr, name string) {
	g.p("if err := %s; err != nil {\nreturn avrobin.At(err, %s)\n}", expr, name)
}

// quietly returns what f prints.
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
	case ok && layout.Nilable(other):
		g.validate(v, name, other)
	case ok:
		target := v
		if other.Logical != "" && layout.LogicalTypes[other.Logical] == "time.Time" {
			target = "*" + v
		}
		if inner := g.quietly(func() { g.validate(target, name, other) }); inner != "" {
			g.p("if %s != nil {\n%s}", v, inner)
		}
	case g.Layout.Unions[t] != nil:
		g.check(fmt.Sprintf("validate%s(%s)", g.Layout.Unions[t].Name, v), name)
	case len(t.Branches) == 1:
		g.validate(v, name, t.Branches[0])
	}
}

func (g *generator) unionValidate(u *layout.Union) {
	null := u.Type.HasNull() >= 0
	g.p("\nfunc validate%s(u %s) error {", u.Name, u.Name)
	var cases string
	for _, b := range u.Branches {
		inner := ""
		record := b.Wrapper == "" && b.Type.Kind == schema.Record
		switch {
		case b.Type.Kind == schema.Null:
		case b.Wrapper != "":
			inner = g.quietly(func() { g.validate("c.Value", fmt.Sprintf("%q", b.Type.BranchName()), b.Type) })
		case b.Type.Kind != schema.Fixed:
			inner = "return c.Validate()\n"
		}
		if record {
			inner = "if c == nil {\nreturn avrobin.ErrUnset\n}\n" + inner
		}
		if inner != "" {
			cases += fmt.Sprintf("case %s:\n%s", g.BranchGo(b), inner)
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
