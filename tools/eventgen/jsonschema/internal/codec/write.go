package codec

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/schema"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/shape"
)

// certain returns the statements that body returns. If the code that they are in cannot know that
// what it writes conforms to its schema, they begin with w.Recheck and expect nothing themselves.
func (g *generator) certain(body func() string) string {
	doubt, silent := g.doubt, g.silent
	defer func() { g.doubt, g.silent = doubt, silent }()
	g.doubt = false
	out := body()
	if g.doubt && !silent {
		g.silent = true
		out = "w.Recheck()\n" + body()
	}
	return out
}

// writeFunc returns the expression of a func(*Writer, T) for values that shall conform to schemas.
func (g *generator) writeFunc(s *shape.Shape, want []*schema.Schema) string {
	literal := "func(w *jsonvalue.Writer, x " + shape.GoType(s, "") + ") {\n" + g.write(s, want, "x") + "\n}"
	if s.Form == shape.Nullable || s.Form == shape.List || s.Form == shape.Map || len(g.expected(s, want, "x")) > 0 {
		return literal
	}
	return writerOf(s)
}

// writerOf returns the name of the function that writes a value.
func writerOf(s *shape.Shape) string {
	switch s.Form {
	case shape.Never:
		return "(*jsonvalue.Writer).Never"
	case shape.Null:
		return "(*jsonvalue.Writer).Null"
	case shape.Basic:
		if s.Scalar.Method == "Text" {
			return "jsonvalue.WriteText[" + s.Scalar.GoType + "]"
		}
		return "(*jsonvalue.Writer)." + s.Scalar.Method
	case shape.Declared:
		switch s.Decl.Form {
		case shape.TextEnum:
			return "jsonvalue.WriteText[" + s.Decl.Name + "]"
		case shape.IntEnum:
			return "jsonvalue.WriteInteger[" + s.Decl.Name + "]"
		}
		return "write" + s.Decl.Name
	}
	return "(*jsonvalue.Writer).Any"
}

// write returns the statements that write x, which shall conform to schemas.
func (g *generator) write(s *shape.Shape, want []*schema.Schema, x string) string {
	if s.Form == shape.Nullable {
		return g.writeNullable(s, want, x)
	}
	out := ""
	switch s.Form {
	case shape.List:
		out = "jsonvalue.WriteList(w, " + x + ", " + g.writeFunc(s.Elem, parts(want, (*schema.Schema).EveryItem)) + ")"
	case shape.Map:
		out = "jsonvalue.WriteMap(w, " + x + ", " + g.writeFunc(s.Elem, parts(want, (*schema.Schema).EveryMember)) + ")"
	default:
		f, _, _ := strings.Cut(writerOf(s), "[") // Go infers the type
		if method, ok := strings.CutPrefix(f, "(*jsonvalue.Writer)."); ok {
			out = "w." + method + "(" + x + ")"
		} else {
			out = f + "(w, " + x + ")"
		}
	}
	return out + g.expect(g.expected(s, want, x))
}

// expect returns the statement that the conditions are expected, if there are any.
func (g *generator) expect(conditions []string) string {
	if len(conditions) == 0 || g.silent {
		return ""
	}
	return "\nw.Expect(" + strings.Join(conditions, " && ") + ")"
}

func (g *generator) writeNullable(s *shape.Shape, want []*schema.Schema, x string) string {
	after := ""
	for _, w := range want {
		if !w.AcceptsNull() {
			after = g.expect([]string{x + " != nil"})
		}
	}
	if shape.Nilable(s.Elem) {
		return "if " + x + " == nil {\nw.Null(struct{}{})\n} else {\n" + g.write(s.Elem, want, x) + "\n}" + after
	}
	return "jsonvalue.WriteNullable(w, " + x + ", " + g.writeFunc(s.Elem, want) + ")" + after
}

// parts returns the schemas of the parts of a value that conforms to all of want.
func parts(want []*schema.Schema, of func(*schema.Schema) *schema.Schema) []*schema.Schema {
	var out []*schema.Schema
	for _, w := range want {
		for _, s := range w.Unnulled().All() {
			if part := of(s); part != nil {
				out = append(out, part)
			}
		}
	}
	return out
}

// wanted returns the schemas that a value which conforms to all parts conforms to.
func (g *generator) wanted(parts []shape.Part) []*schema.Schema {
	var out []*schema.Schema
	for _, p := range parts {
		switch {
		case p.Schema == nil: // the Go type has these kinds only
		case p.Skip != "":
			g.doubt = true
		default:
			out = append(out, p.Schema)
		}
	}
	return out
}

// writeObject returns the statements that write a struct x.
func (g *generator) writeObject(d *shape.Decl) string {
	want := g.expectedMembers(d)
	var b strings.Builder
	b.WriteString("if !w.Open() {\nreturn\n}\n")
	for _, f := range d.Fields {
		b.WriteString(g.writeMember(f, want[f.Name]) + "\n")
	}
	for _, f := range d.Patterns {
		fmt.Fprintf(&b, "jsonvalue.WriteMembers(w, x.%s, %s)\n", f.GoName, g.writeFunc(f.Shape, nil))
	}
	if d.Extra != nil {
		fmt.Fprintf(&b, "jsonvalue.WriteMembers(w, x.%s, %s)\n", d.Extra.GoName, g.writeFunc(d.Extra.Shape, nil))
	}
	return b.String() + "w.Close()\n"
}

func (g *generator) writeMember(f *shape.Field, want []*schema.Schema) string {
	begin := fmt.Sprintf("w.Member(%q)\n", f.Name)
	if strings.Trim(strconv.Quote(f.Name), "\"") != f.Name || strings.ContainsAny(f.Name, "\"\\") {
		begin = fmt.Sprintf("w.EscapedMember(%q)\n", f.Name)
	}
	if f.Constant != nil {
		for _, s := range want {
			g.doubt = g.doubt || !s.Lists(f.Constant)
		}
		return begin + "w.Literal(" + gofile.Literal(string(f.Constant.JSON())) + ")"
	}
	if !f.Optional {
		return begin + g.write(f.Shape, want, "x."+f.GoName)
	}
	cond, value := f.Present("x." + f.GoName)
	// Only if the member is present, it can make a check necessary.
	return "if " + cond + " {\n" + g.certain(func() string { return begin + g.write(f.Shape, want, value) }) + "\n}"
}

// writeTuple returns the statements that write a struct x as a list.
func (g *generator) writeTuple(d *shape.Decl) string {
	g.doubt = true
	var b strings.Builder
	b.WriteString("if !w.OpenList() {\nreturn\n}\n")
	gaps := 0
	for _, f := range d.Fields {
		cond, value := f.Present("x." + f.GoName)
		if !f.Optional {
			value = "x." + f.GoName
		} else {
			b.WriteString("if " + cond + " {\n")
			gaps++
		}
		b.WriteString("w.Item()\n" + g.write(f.Shape, nil, value) + "\n")
	}
	if d.Extra != nil {
		b.WriteString("for _, it := range x.Rest {\nw.Item()\n" + g.write(d.Extra.Shape, nil, "it") + "\n}\n")
	}
	// After an item that is left out, all others are left out.
	b.WriteString(strings.Repeat("}\n", gaps))
	return b.String() + "w.CloseList()\n"
}

func (g *generator) writeUnion(d *shape.Decl) {
	g.p("func write%s(w *jsonvalue.Writer, u %s) {\nswitch x := u.(type) {", d.Name, d.Name)
	for _, b := range d.Branches {
		g.p("case %s:", b.Member())
		g.p("%s", g.certain(func() string {
			want := g.expectedBranch(d, b)
			switch {
			case b.Wrapper != "":
				return g.writeTagged(d, b, "x.Value", g.write(b.Shape, want, "x.Value"))
			case b.Shape.Decl.HasCodec():
				return g.writeTagged(d, b, "x", "jsonvalue.WritePointer(w, x, "+g.writeFunc(b.Shape, want)+")")
			}
			return g.write(b.Shape, want, "x")
		}))
	}
	g.p("default:\nw.Unset()\n}\n}")
}

// writeTagged returns the statement write, which writes a value x as a branch of a union, with the
// statements that refuse the discriminator of another type and add one that a struct lacks.
func (g *generator) writeTagged(d *shape.Decl, b *shape.Branch, x, write string) string {
	if !b.AddsTag(d) {
		return refuseTag(d, b, x) + write
	}
	g.doubt = g.doubt || !b.Shape.Decl.Takes(d.Tagged)
	add := fmt.Sprintf("w.AddText(%q, %q)", d.Tagged, b.Tags[0])
	rest := b.Shape.Decl.Rest(d.Tagged)
	if rest == nil {
		return write + "\n" + add
	}
	// The member can be in a map.
	there, refuse := "tag", foreignTag(d, b, rest.Shape, []string{"ok"}, "tag")
	if refuse == "" {
		there = "_"
	}
	set := "if x == nil {\nw.Unset()\nreturn\n}\n"
	if b.Wrapper != "" {
		set = ""
	}
	return fmt.Sprintf("%s%s, ok := %s.%s[%q]\n%s%s\nif !ok {\n%s\n}", set, there, x, rest.GoName, d.Tagged, refuse, write, add)
}

// refuseTag returns the statement that refuses a value x with the discriminator of another type. It
// returns "" if the type has no field for it, or one whose text is not known.
func refuseTag(d *shape.Decl, b *shape.Branch, x string) string {
	if d.Tagged == "" || b.Shape.Form != shape.Declared || b.Shape.Decl.Form != shape.Struct {
		return ""
	}
	f := b.Shape.Decl.Field(d.Tagged)
	if f == nil || f.Constant != nil {
		return ""
	}
	var conditions []string
	if b.Wrapper == "" {
		conditions = append(conditions, x+" != nil")
	}
	value := x + "." + f.GoName
	if f.Optional {
		present, of := f.Present(value)
		conditions, value = append(conditions, present), of
	}
	return foreignTag(d, b, f.Shape, conditions, value)
}

// foreignTag returns the statement that refuses x, which exists under some conditions, if it is the
// discriminator of another type. It returns "" if the text of x is not known. A null is written,
// and the check of the text refuses it.
func foreignTag(d *shape.Decl, b *shape.Branch, s *shape.Shape, conditions []string, x string) string {
	if s.Form == shape.Nullable {
		conditions, x, s = append(conditions, x+" != nil"), "*"+x, s.Elem
	}
	switch {
	case s.Form == shape.Basic && (s.Scalar.Logical == "uuid" || s.Scalar.Logical == "date"):
		x = strings.TrimPrefix(x, "*") + ".String()"
	case s.Form == shape.Declared && s.Decl.Form == shape.TextEnum, s.Form == shape.Basic && s.Scalar.Method == "Text":
		x = "string(" + x + ")"
	case s.Form == shape.Any:
		x += ".Text()"
	case s.Form != shape.Basic || s.Scalar != shape.TextScalar:
		return ""
	}
	var tags []string
	for _, tag := range b.Tags {
		tags = append(tags, strconv.Quote(tag))
	}
	conditions = append(conditions, fmt.Sprintf("!w.Tag(%q, %s, %s)", d.Tagged, x, strings.Join(tags, ", ")))
	return "if " + strings.Join(conditions, " && ") + " {\nreturn\n}\n"
}
