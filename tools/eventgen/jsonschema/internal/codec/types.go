package codec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/shape"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// readFunc returns the expression of a func(*Reader, Value) T.
func (g *generator) readFunc(s *shape.Shape) string {
	switch s.Form {
	case shape.Never:
		return "(*jsonvalue.Reader).Never"
	case shape.Null:
		return "(*jsonvalue.Reader).Null"
	case shape.Basic:
		if s.Scalar.Method == "Text" {
			return "jsonvalue.ReadText[" + s.Scalar.GoType + "]"
		}
		return "(*jsonvalue.Reader)." + s.Scalar.Method
	case shape.Nullable, shape.List, shape.Map:
		return "func(r *jsonvalue.Reader, v jsonvalue.Value) " + shape.GoType(s, "") + " {\nreturn " + g.read(s, "v") + "\n}"
	case shape.Declared:
		switch s.Decl.Form {
		case shape.TextEnum:
			return "jsonvalue.ReadText[" + s.Decl.Name + "]"
		case shape.IntEnum:
			return "jsonvalue.ReadInteger[" + s.Decl.Name + "]"
		}
		return "read" + s.Decl.Name
	}
	return "(*jsonvalue.Reader).Any"
}

// read returns the expression of the Go value of v.
func (g *generator) read(s *shape.Shape, v string) string {
	switch s.Form {
	case shape.Nullable:
		if shape.Nilable(s.Elem) {
			return "jsonvalue.ReadNilable(r, " + v + ", " + g.readFunc(s.Elem) + ")"
		}
		return "jsonvalue.ReadNullable(r, " + v + ", " + g.readFunc(s.Elem) + ")"
	case shape.List:
		return "jsonvalue.ReadList(r, " + v + ", " + g.readFunc(s.Elem) + ")"
	case shape.Map:
		return "jsonvalue.ReadMap(r, " + v + ", " + g.readFunc(s.Elem) + ")"
	}
	f := g.readFunc(s)
	if method, ok := strings.CutPrefix(f, "(*jsonvalue.Reader)."); ok {
		return "r." + method + "(" + v + ")"
	}
	return f + "(r, " + v + ")"
}

func (g *generator) readField(f *shape.Field, v string) string {
	switch {
	case !f.Optional || f.Shape.Form != shape.Nullable && shape.Nilable(f.Shape):
		return g.read(f.Shape, v)
	case f.Shape.Form == shape.Nullable:
		return "jsonvalue.Some(" + g.read(f.Shape, v) + ")"
	}
	return "jsonvalue.ReadPointer(r, " + v + ", " + g.readFunc(f.Shape) + ")"
}

func (g *generator) decl(d *shape.Decl) {
	switch d.Form {
	case shape.Struct:
		g.structure(d)
	case shape.Tuple:
		g.tuple(d)
	case shape.Union:
		g.union(d)
	case shape.Wrapper:
		g.wrapper(d)
	default:
		g.enum(d)
	}
	star := ""
	if d.HasCodec() {
		star = "*"
	}
	for _, u := range d.Implement {
		g.p("\nfunc (%s%s) is%s() {}", star, d.Name, u.Name)
	}
}

// tag returns the tag of a field, or "" if the name cannot be written in a tag.
func tag(name string, optional string) string {
	if strings.ContainsAny(name, "`\"\\,") || name == "" {
		return ""
	}
	return "`json:" + strconv.Quote(name+optional) + "`"
}

func (g *generator) fieldDecl(f *shape.Field, t string) {
	g.p("%s%s %s", gofile.FieldComment(f.GoName, f.Wish, f.Doc), f.GoName, t)
}

func (g *generator) structure(d *shape.Decl) {
	g.typeComment(d, "a JSON object")
	g.p("type %s struct {", d.Name)
	for _, f := range d.Fields {
		if f.Constant == nil {
			optional := ""
			if f.Optional {
				optional = ",omitzero"
			}
			g.fieldDecl(f, f.GoType("")+" "+tag(f.Name, optional))
		}
	}
	for _, f := range d.Patterns {
		g.fieldDecl(&f.Field, "map[string]"+shape.GoType(f.Shape, "")+" `json:\"-\"`")
	}
	if d.Extra != nil {
		g.fieldDecl(d.Extra, "map[string]"+shape.GoType(d.Extra.Shape, "")+" `json:\"-\"`")
	}
	g.p("}")
	g.codec(d)
	g.p("func read%s(r *jsonvalue.Reader, v jsonvalue.Value) (x %s) {", d.Name, d.Name)
	g.readMembers(d)
	g.p("return x\n}\n")
	g.p("func write%s(w *jsonvalue.Writer, x %s) {\n%s}", d.Name, d.Name, g.certain(func() string { return g.writeObject(d) }))
}

func (g *generator) readMembers(d *shape.Decl) {
	reads := slices.ContainsFunc(d.Fields, func(f *shape.Field) bool { return f.Constant == nil })
	if !reads && len(d.Patterns) == 0 && d.Extra == nil {
		return // a field with one value is not read
	}
	g.p("for name, m := range v.Members() {\nswitch string(name) {")
	for _, f := range d.Fields {
		if f.Constant != nil {
			g.p("case %q: // It has one value only.", f.Name)
			continue
		}
		g.p("case %q:\nx.%s = %s", f.Name, f.GoName, g.readField(f, "m"))
	}
	if len(d.Patterns) > 0 || d.Extra != nil {
		g.p("default:")
		if len(d.Patterns) > 0 {
			g.p("switch {")
			for _, f := range d.Patterns {
				g.p("case %s.Match(name):\nx.%s = jsonvalue.Put(x.%s, name, %s)", g.pattern(f.Pattern.Value), f.GoName, f.GoName, g.read(f.Shape, "m"))
			}
			if d.Extra != nil {
				g.p("default:")
			}
		}
		if d.Extra != nil {
			g.p("x.%s = jsonvalue.Put(x.%s, name, %s)", d.Extra.GoName, d.Extra.GoName, g.read(d.Extra.Shape, "m"))
		}
		if len(d.Patterns) > 0 {
			g.p("}")
		}
	}
	g.p("}\n}")
	for _, f := range d.Fields {
		if f.Default != nil {
			cond, _ := f.Present("x." + f.GoName)
			cond = strings.Replace(cond, " != nil", " == nil", 1)
			if strings.HasSuffix(cond, ".Set") {
				cond = "!" + cond
			}
			g.p("if %s {\nx.%s = %s\n}", cond, f.GoName, g.readField(f, g.literal(f.Default)))
		}
	}
}

// codec prints the methods that every struct has.
func (g *generator) codec(d *shape.Decl) {
	check := g.needs(d)
	g.p("\n// DecodeJSON decodes data, which must hold one value and nothing else, into x. It returns an error,\n// and leaves x as it was, if the value does not conform to the schema.\nfunc (x *%s) DecodeJSON(data []byte) error {", d.Name)
	g.p("return jsonvalue.DecodeInto(x, data, %s, read%s)\n}\n", check, d.Name)
	g.p("// AppendJSON appends the JSON of x to dst. It returns an error if x does not conform to the schema.\nfunc (x *%s) AppendJSON(dst []byte) ([]byte, error) {", d.Name)
	g.p("return jsonvalue.Append(dst, *x, write%s, %s)\n}\n", d.Name, check)
	g.p("// Validate returns an error if x does not conform to the schema.\nfunc (x *%s) Validate() error {\nreturn jsonvalue.Validate(*x, write%s, %s)\n}\n", d.Name, d.Name, check)
	g.p("// MarshalJSON implements json.Marshaler.\nfunc (x %s) MarshalJSON() ([]byte, error) { return x.AppendJSON(nil) }\n", d.Name)
	g.p("// UnmarshalJSON implements json.Unmarshaler.\nfunc (x *%s) UnmarshalJSON(data []byte) error { return x.DecodeJSON(data) }\n", d.Name)
	if d.Payload != nil {
		g.p("// JSONType describes the schema of the type.\nfunc (*%s) JSONType() *jsonvalue.Type { return &typeOf%s }\n", d.Name, d.Name)
		g.p("var typeOf%s = jsonvalue.Type{Name: %q, Schema: SchemaOf%s}\n", d.Name, d.Name, d.Name)
		g.p("// SchemaOf%s is the schema of %s with the definitions of all schemas that it refers to.\nconst SchemaOf%s = %s\n", d.Name, d.Name, d.Name, gofile.Literal(string(g.loader.Text(d.Payload).JSON())))
	}
}

func (g *generator) tuple(d *shape.Decl) {
	g.typeComment(d, "a JSON array with a type for each position")
	g.p("type %s struct {", d.Name)
	for _, f := range d.Fields {
		g.fieldDecl(f, f.GoType(""))
	}
	if d.Extra != nil {
		g.fieldDecl(d.Extra, "[]"+shape.GoType(d.Extra.Shape, ""))
	}
	g.p("}")
	g.codec(d)
	g.p("func read%s(r *jsonvalue.Reader, v jsonvalue.Value) (x %s) {", d.Name, d.Name)
	if len(d.Fields) > 0 {
		g.p("for i, it := range v.Items() {\nswitch i {")
		for i, f := range d.Fields {
			g.p("case %d:\nx.%s = %s", i, f.GoName, g.readField(f, "it"))
		}
		g.p("}\n}")
	}
	if d.Extra != nil {
		g.p("x.Rest = jsonvalue.ReadRest(r, v, %d, %s)", len(d.Fields), g.readFunc(d.Extra.Shape))
	}
	g.p("return x\n}\n")
	g.p("func write%s(w *jsonvalue.Writer, x %s) {\n%s}", d.Name, d.Name, g.certain(func() string { return g.writeTuple(d) }))
}

func (g *generator) wrapper(d *shape.Decl) {
	g.typeComment(d, "a payload that is not a JSON object")
	g.p("type %s struct {\nValue %s `json:\"value\"`\n}", d.Name, shape.GoType(d.Value, ""))
	g.codec(d)
	g.p("func read%s(r *jsonvalue.Reader, v jsonvalue.Value) %s {\nreturn %s{Value: %s}\n}\n", d.Name, d.Name, d.Name, g.read(d.Value, "v"))
	g.p("func write%s(w *jsonvalue.Writer, x %s) {\n%s\n}", d.Name, d.Name, g.certain(func() string { return g.write(d.Value, g.wanted(d.Parts), "x.Value") }))
}

func (g *generator) enum(d *shape.Decl) {
	if d.Form == shape.ValueEnum {
		g.valueEnum(d)
		return
	}
	g.typeComment(d, "one of the values below")
	base := "string"
	if d.Form == shape.IntEnum {
		base = "int64"
	}
	g.p("type %s %s\n", d.Name, base)
	g.p("// The values of %s.\nconst (", d.Name)
	for _, v := range d.Values {
		if d.Form == shape.IntEnum {
			g.p("%s %s = %s", v.GoName, d.Name, v.Node.Value)
		} else {
			g.p("%s %s = %q", v.GoName, d.Name, v.Node.Value)
		}
	}
	g.p(")\n")
	g.p("// Valid reports whether x is one of the values.\nfunc (x %s) Valid() bool {\nswitch x {", d.Name)
	var names []string
	for _, v := range d.Values {
		names = append(names, v.GoName)
	}
	g.p("case %s:\nreturn true\n}\nreturn false\n}", strings.Join(names, ", "))
}

// valueEnum prints an enum whose values are arrays and objects, which are numbered.
func (g *generator) valueEnum(d *shape.Decl) {
	all := &source.Node{Kind: source.Seq}
	g.typeComment(d, "one of the values below. Its zero value is none of them")
	g.p("type %s uint\n", d.Name)
	g.p("// The values of %s.\nconst (", d.Name)
	for i, v := range d.Values {
		all.Items = append(all.Items, v.Node)
		g.p("%s", gofile.Comment(v.GoName+" is "+string(v.Node.JSON())))
		g.p("%s %s = %d", v.GoName, d.Name, i+1)
	}
	g.p(")\n")
	table := g.literal(all)
	g.p("func read%s(r *jsonvalue.Reader, v jsonvalue.Value) %s { return %s(r.Number(v, %s)) }\n", d.Name, d.Name, d.Name, table)
	g.p("func write%s(w *jsonvalue.Writer, x %s) {\nw.Recheck()\nw.Number(uint(x), %s)\n}", d.Name, d.Name, table)
}

func (g *generator) union(d *shape.Decl) {
	var members []string
	for _, b := range d.Branches {
		members = append(members, b.Member())
	}
	g.typeComment(d, "one of "+strings.Join(members, ", "))
	g.p("type %s interface{ is%s() }\n", d.Name, d.Name)
	for _, b := range d.Branches {
		if b.Wrapper != "" {
			g.p("// %s is one of the types of %s.\ntype %s struct{ Value %s }\n\nfunc (%s) is%s() {}\n", b.Wrapper, d.Name, b.Wrapper, shape.GoType(b.Shape, ""), b.Wrapper, d.Name)
		}
	}
	g.readUnion(d)
	g.writeUnion(d)
}

func (g *generator) readUnion(d *shape.Decl) {
	g.p("func read%s(r *jsonvalue.Reader, v jsonvalue.Value) %s {", d.Name, d.Name)
	byKind := d.Branches[0].Kinds != 0
	switch {
	case byKind:
		g.p("switch {")
	case d.Tagged != "":
		var tags []string
		for _, b := range d.Branches {
			for _, tag := range b.Tags {
				tags = append(tags, strconv.Quote(tag))
			}
		}
		g.p("switch r.ByTag(v, %q, %s) {", d.Tagged, strings.Join(tags, ", "))
	default:
		choose := "Choose"
		if d.ByMembers() {
			choose = "ChooseMost"
		}
		g.p("switch r.%s(v,", choose)
		for _, b := range d.Branches {
			if choose == "ChooseMost" {
				g.form(b)
				continue
			}
			g.p("%s,", g.checkBranch(b))
		}
		g.p(") {")
	}
	next := 0 // the index of a tag
	for i, b := range d.Branches {
		cond := fmt.Sprint(i)
		switch {
		case byKind:
			cond = "v.Is(" + kindExpr(b.Kinds) + ")"
		case d.Tagged != "":
			var of []string
			for range b.Tags {
				of = append(of, fmt.Sprint(next))
				next++
			}
			cond = strings.Join(of, ", ")
		}
		g.p("case %s:", cond)
		switch value := g.read(b.Shape, "v"); {
		case b.Wrapper != "":
			g.p("return %s{Value: %s}", b.Wrapper, value)
		case b.Shape.Decl.HasCodec():
			g.p("return jsonvalue.ReadPointer(r, v, %s)", g.readFunc(b.Shape))
		default:
			g.p("return %s", value)
		}
	}
	g.p("}\nr.Fail(v, %q)\nreturn nil\n}\n", "has no form of "+d.Name)
}

// form prints one of the forms that a value can have at once.
func (g *generator) form(b *shape.Branch) {
	check := g.checkBranch(b)
	var names []string
	for _, name := range b.Names() {
		names = append(names, strconv.Quote(name))
	}
	g.p("jsonvalue.Form{Func: %s, Members: []string{%s}},", check, strings.Join(names, ", "))
}

// checkBranch returns the expression of the function that accepts the values of a branch.
func (g *generator) checkBranch(b *shape.Branch) string {
	if len(b.Also) == 0 {
		return g.checkParts(b.Parts)
	}
	all := []string{g.checkParts(b.Parts)}
	for _, a := range b.Also {
		all = append(all, g.checkParts(a))
	}
	return checkLiteral([]string{"c.AnyOf(v,\n" + strings.Join(all, ",\n") + ",\n)"})
}
