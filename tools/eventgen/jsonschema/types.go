package jsonschema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// goType is how a type is written in its own package; qualifier is put before the types declared
// there.
func goType(s *shape, qualifier string) string {
	switch s.form {
	case isNever:
		return "jsonvalue.Never"
	case isNull:
		return "struct{}"
	case isScalar:
		return s.scalar.goType
	case isNullable:
		if nilable(s.elem) {
			return goType(s.elem, qualifier)
		}
		return "*" + goType(s.elem, qualifier)
	case isList:
		return "[]" + goType(s.elem, qualifier)
	case isDict:
		return "map[string]" + goType(s.elem, qualifier)
	case isDecl:
		return qualifier + s.decl.name
	}
	return "jsonvalue.Any"
}

// nilable tells whether nil of the Go type can stand for null, or for what is absent.
func nilable(s *shape) bool {
	switch s.form {
	case isList, isDict:
		return true
	case isScalar:
		return s.scalar == bytesScalar
	case isDecl:
		return s.decl.form == isUnion
	}
	return false
}

// goType is the type of a field.
func (f *field) goType(qualifier string) string {
	t := goType(f.shape, qualifier)
	switch {
	case !f.optional:
		return t
	case f.shape.form == isNullable:
		return "jsonvalue.Optional[" + t + "]"
	case nilable(f.shape):
		return t
	}
	return "*" + t
}

// readFunc is an expression for a func(*Reader, Value) T.
func (g *generator) readFunc(s *shape) string {
	switch s.form {
	case isNever:
		return "(*jsonvalue.Reader).Never"
	case isNull:
		return "(*jsonvalue.Reader).Null"
	case isScalar:
		if s.scalar.method == "Text" {
			return "jsonvalue.ReadText[" + s.scalar.goType + "]"
		}
		return "(*jsonvalue.Reader)." + s.scalar.method
	case isNullable, isList, isDict:
		return "func(r *jsonvalue.Reader, v jsonvalue.Value) " + goType(s, "") + " {\nreturn " + g.read(s, "v") + "\n}"
	case isDecl:
		switch s.decl.form {
		case isTextEnum:
			return "jsonvalue.ReadText[" + s.decl.name + "]"
		case isIntEnum:
			return "jsonvalue.ReadInteger[" + s.decl.name + "]"
		}
		return "read" + s.decl.name
	}
	return "(*jsonvalue.Reader).Any"
}

// read is an expression for the Go value of v.
func (g *generator) read(s *shape, v string) string {
	switch s.form {
	case isNullable:
		if nilable(s.elem) {
			return "jsonvalue.ReadNilable(r, " + v + ", " + g.readFunc(s.elem) + ")"
		}
		return "jsonvalue.ReadNullable(r, " + v + ", " + g.readFunc(s.elem) + ")"
	case isList:
		return "jsonvalue.ReadList(r, " + v + ", " + g.readFunc(s.elem) + ")"
	case isDict:
		return "jsonvalue.ReadMap(r, " + v + ", " + g.readFunc(s.elem) + ")"
	}
	f := g.readFunc(s)
	if method, ok := strings.CutPrefix(f, "(*jsonvalue.Reader)."); ok {
		return "r." + method + "(" + v + ")"
	}
	return f + "(r, " + v + ")"
}

func (g *generator) readField(f *field, v string) string {
	switch {
	case !f.optional || f.shape.form != isNullable && nilable(f.shape):
		return g.read(f.shape, v)
	case f.shape.form == isNullable:
		return "jsonvalue.Some(" + g.read(f.shape, v) + ")"
	}
	return "jsonvalue.ReadPointer(r, " + v + ", " + g.readFunc(f.shape) + ")"
}

// writeFunc is an expression for a func(*Writer, T).
func (g *generator) writeFunc(s *shape) string {
	switch s.form {
	case isNever:
		return "(*jsonvalue.Writer).Never"
	case isNull:
		return "(*jsonvalue.Writer).Null"
	case isScalar:
		if s.scalar.method == "Text" {
			return "jsonvalue.WriteText[" + s.scalar.goType + "]"
		}
		return "(*jsonvalue.Writer)." + s.scalar.method
	case isNullable, isList, isDict:
		return "func(w *jsonvalue.Writer, x " + goType(s, "") + ") {\n" + g.write(s, "x") + "\n}"
	case isDecl:
		switch s.decl.form {
		case isTextEnum:
			return "jsonvalue.WriteText[" + s.decl.name + "]"
		case isIntEnum:
			return "jsonvalue.WriteInteger[" + s.decl.name + "]"
		}
		return "write" + s.decl.name
	}
	return "(*jsonvalue.Writer).Any"
}

// write are statements that write x.
func (g *generator) write(s *shape, x string) string {
	switch s.form {
	case isNullable:
		if nilable(s.elem) {
			return "if " + x + " == nil {\nw.Null(struct{}{})\n} else {\n" + g.write(s.elem, x) + "\n}"
		}
		return "jsonvalue.WriteNullable(w, " + x + ", " + g.writeFunc(s.elem) + ")"
	case isList:
		return "jsonvalue.WriteList(w, " + x + ", " + g.writeFunc(s.elem) + ")"
	case isDict:
		return "jsonvalue.WriteMap(w, " + x + ", " + g.writeFunc(s.elem) + ")"
	}
	f, _, _ := strings.Cut(g.writeFunc(s), "[") // Go infers it
	if method, ok := strings.CutPrefix(f, "(*jsonvalue.Writer)."); ok {
		return "w." + method + "(" + x + ")"
	}
	return f + "(w, " + x + ")"
}

// there is the condition under which an optional field is there, and the expression for its value.
func (f *field) there(x string) (cond, value string) {
	switch {
	case f.shape.form == isNullable:
		return x + ".Set", x + ".Value"
	case nilable(f.shape):
		return x + " != nil", x
	}
	return x + " != nil", "*" + x
}

func (g *generator) decl(d *decl) {
	switch d.form {
	case isStruct:
		g.structure(d)
	case isTuple:
		g.tuple(d)
	case isUnion:
		g.union(d)
	case isWrapper:
		g.wrapper(d)
	default:
		g.enum(d)
	}
	star := ""
	if d.hasCodec() {
		star = "*"
	}
	for _, u := range d.implement {
		g.p("\nfunc (%s%s) is%s() {}", star, d.name, u.name)
	}
}

func (d *decl) hasCodec() bool { return d.form == isStruct || d.form == isTuple || d.form == isWrapper }

// tag is a field's tag; a name that a tag cannot say has none.
func tag(name string, optional string) string {
	if strings.ContainsAny(name, "`\"\\,") || name == "" {
		return ""
	}
	return "`json:" + strconv.Quote(name+optional) + "`"
}

func (g *generator) fieldDecl(f *field, t string) {
	g.p("%s%s %s", gofile.FieldComment(f.goName, f.wish, f.doc), f.goName, t)
}

func (g *generator) structure(d *decl) {
	g.typeComment(d, "a JSON object")
	g.p("type %s struct {", d.name)
	for _, f := range d.fields {
		if f.constant == nil {
			optional := ""
			if f.optional {
				optional = ",omitzero"
			}
			g.fieldDecl(f, f.goType("")+" "+tag(f.name, optional))
		}
	}
	for _, f := range d.patterns {
		g.fieldDecl(&f.field, "map[string]"+goType(f.shape, "")+" `json:\"-\"`")
	}
	if d.extra != nil {
		g.fieldDecl(d.extra, "map[string]"+goType(d.extra.shape, "")+" `json:\"-\"`")
	}
	g.p("}")
	g.codec(d)
	g.p("func read%s(r *jsonvalue.Reader, v jsonvalue.Value) (x %s) {", d.name, d.name)
	g.readMembers(d)
	g.p("return x\n}\n")
	g.p("func write%s(w *jsonvalue.Writer, x %s) {\nif !w.Open() {\nreturn\n}", d.name, d.name)
	for _, f := range d.fields {
		g.writeMember(f)
	}
	for _, f := range d.patterns {
		g.p("jsonvalue.WriteMembers(w, x.%s, %s)", f.goName, g.writeFunc(f.shape))
	}
	if d.extra != nil {
		g.p("jsonvalue.WriteMembers(w, x.%s, %s)", d.extra.goName, g.writeFunc(d.extra.shape))
	}
	g.p("w.Close()\n}")
}

func (g *generator) readMembers(d *decl) {
	reads := slices.ContainsFunc(d.fields, func(f *field) bool { return f.constant == nil })
	if !reads && len(d.patterns) == 0 && d.extra == nil {
		return // what has one value only is not read
	}
	g.p("for name, m := range v.Members() {\nswitch string(name) {")
	for _, f := range d.fields {
		if f.constant != nil {
			g.p("case %q: // It has one value only.", f.name)
			continue
		}
		g.p("case %q:\nx.%s = %s", f.name, f.goName, g.readField(f, "m"))
	}
	if len(d.patterns) > 0 || d.extra != nil {
		g.p("default:")
		if len(d.patterns) > 0 {
			g.p("switch {")
			for _, f := range d.patterns {
				g.p("case %s.Match(name):\nx.%s = jsonvalue.Put(x.%s, name, %s)", g.pattern(f.pattern.Value), f.goName, f.goName, g.read(f.shape, "m"))
			}
			if d.extra != nil {
				g.p("default:")
			}
		}
		if d.extra != nil {
			g.p("x.%s = jsonvalue.Put(x.%s, name, %s)", d.extra.goName, d.extra.goName, g.read(d.extra.shape, "m"))
		}
		if len(d.patterns) > 0 {
			g.p("}")
		}
	}
	g.p("}\n}")
	for _, f := range d.fields {
		if f.fallback != nil {
			cond, _ := f.there("x." + f.goName)
			cond = strings.Replace(cond, " != nil", " == nil", 1)
			if strings.HasSuffix(cond, ".Set") {
				cond = "!" + cond
			}
			g.p("if %s {\nx.%s = %s\n}", cond, f.goName, g.readField(f, g.literal(f.fallback)))
		}
	}
}

func (g *generator) writeMember(f *field) {
	switch {
	case f.constant != nil:
		g.p("w.Member(%q)\nw.Literal(%s)\nw.Done()", f.name, gofile.Literal(string(f.constant.JSON())))
	case !f.optional:
		g.p("w.Member(%q)\n%s\nw.Done()", f.name, g.write(f.shape, "x."+f.goName))
	default:
		cond, value := f.there("x." + f.goName)
		s := f.shape
		g.p("if %s {\nw.Member(%q)\n%s\nw.Done()\n}", cond, f.name, g.write(s, value))
	}
}

// codec prints what every struct has.
func (g *generator) codec(d *decl) {
	check := g.needs(d)
	g.p("\n// DecodeJSON decodes data, which must hold one value and nothing else, into x. It returns an error,\n// and leaves x as it was, if the value does not conform to the schema.\nfunc (x *%s) DecodeJSON(data []byte) error {", d.name)
	g.p("out, err := jsonvalue.Decode(data, %s, read%s)\nif err == nil {\n*x = out\n}\nreturn err\n}\n", check, d.name)
	g.p("// AppendJSON appends the JSON of x to dst. It returns an error if x does not conform to the schema.\nfunc (x *%s) AppendJSON(dst []byte) ([]byte, error) {", d.name)
	g.p("return jsonvalue.Append(dst, *x, write%s, %s)\n}\n", d.name, check)
	g.p("// Validate returns an error if x does not conform to the schema.\nfunc (x *%s) Validate() error {\nreturn jsonvalue.Validate(*x, write%s, %s)\n}\n", d.name, d.name, check)
	g.p("// MarshalJSON implements json.Marshaler.\nfunc (x %s) MarshalJSON() ([]byte, error) { return x.AppendJSON(nil) }\n", d.name)
	g.p("// UnmarshalJSON implements json.Unmarshaler.\nfunc (x *%s) UnmarshalJSON(data []byte) error { return x.DecodeJSON(data) }\n", d.name)
	if d.root != nil {
		g.p("// JSONType describes the schema of the type.\nfunc (*%s) JSONType() *jsonvalue.Type { return &typeOf%s }\n", d.name, d.name)
		g.p("var typeOf%s = jsonvalue.Type{Name: %q, Schema: SchemaOf%s}\n", d.name, d.name, d.name)
		g.p("// SchemaOf%s is the schema of %s with the definitions of all schemas that it refers to.\nconst SchemaOf%s = %s\n", d.name, d.name, d.name, gofile.Literal(d.root.SchemaText()))
	}
}

func (g *generator) tuple(d *decl) {
	g.typeComment(d, "a JSON array with a type for each position")
	g.p("type %s struct {", d.name)
	for _, f := range d.fields {
		g.fieldDecl(f, f.goType(""))
	}
	if d.extra != nil {
		g.fieldDecl(d.extra, "[]"+goType(d.extra.shape, ""))
	}
	g.p("}")
	g.codec(d)
	g.p("func read%s(r *jsonvalue.Reader, v jsonvalue.Value) (x %s) {", d.name, d.name)
	if len(d.fields) > 0 {
		g.p("for i, it := range v.Items() {\nswitch i {")
		for i, f := range d.fields {
			g.p("case %d:\nx.%s = %s", i, f.goName, g.readField(f, "it"))
		}
		g.p("}\n}")
	}
	if d.extra != nil {
		g.p("x.Rest = jsonvalue.ReadRest(r, v, %d, %s)", len(d.fields), g.readFunc(d.extra.shape))
	}
	g.p("return x\n}\n")
	g.p("func write%s(w *jsonvalue.Writer, x %s) {\nif !w.OpenList() {\nreturn\n}", d.name, d.name)
	gaps := 0
	for _, f := range d.fields {
		if f.optional {
			cond, value := f.there("x." + f.goName)
			g.p("if %s {\n%s", cond, g.write(f.shape, value))
			gaps++
			continue
		}
		g.p("%s", g.write(f.shape, "x."+f.goName))
	}
	if d.extra != nil {
		g.p("for _, it := range x.Rest {\n%s\n}", g.write(d.extra.shape, "it"))
	}
	for range gaps {
		g.p("}") // what is behind an item that is left out is left out too
	}
	g.p("w.CloseList()\n}")
}

func (g *generator) wrapper(d *decl) {
	g.typeComment(d, "a payload that is not a JSON object")
	g.p("type %s struct {\nValue %s `json:\"value\"`\n}", d.name, goType(d.value, ""))
	g.codec(d)
	g.p("func read%s(r *jsonvalue.Reader, v jsonvalue.Value) %s {\nreturn %s{Value: %s}\n}\n", d.name, d.name, d.name, g.read(d.value, "v"))
	g.p("func write%s(w *jsonvalue.Writer, x %s) {\n%s\n}", d.name, d.name, g.write(d.value, "x.Value"))
}

func (g *generator) enum(d *decl) {
	if d.form == isValueEnum {
		g.valueEnum(d)
		return
	}
	g.typeComment(d, "one of the values below")
	base := "string"
	if d.form == isIntEnum {
		base = "int64"
	}
	g.p("type %s %s\n", d.name, base)
	g.p("// The values of %s.\nconst (", d.name)
	for _, v := range d.values {
		if d.form == isIntEnum {
			g.p("%s %s = %s", v.goName, d.name, v.node.Value)
		} else {
			g.p("%s %s = %q", v.goName, d.name, v.node.Value)
		}
	}
	g.p(")\n")
	g.p("// Valid reports whether x is one of the values.\nfunc (x %s) Valid() bool {\nswitch x {", d.name)
	var names []string
	for _, v := range d.values {
		names = append(names, v.goName)
	}
	g.p("case %s:\nreturn true\n}\nreturn false\n}", strings.Join(names, ", "))
}

// valueEnum prints an enum whose values are lists and objects: they are numbered.
func (g *generator) valueEnum(d *decl) {
	all := &source.Node{Kind: source.Seq}
	g.typeComment(d, "one of the values below. Its zero value is none of them")
	g.p("type %s uint\n", d.name)
	g.p("// The values of %s.\nconst (", d.name)
	for i, v := range d.values {
		all.Items = append(all.Items, v.node)
		g.p("%s", gofile.Comment(v.goName+" is "+string(v.node.JSON())))
		g.p("%s %s = %d", v.goName, d.name, i+1)
	}
	g.p(")\n")
	table := g.literal(all)
	g.p("func read%s(r *jsonvalue.Reader, v jsonvalue.Value) %s { return %s(r.Number(v, %s)) }\n", d.name, d.name, d.name, table)
	g.p("func write%s(w *jsonvalue.Writer, x %s) { w.Number(uint(x), %s) }", d.name, d.name, table)
}

// member is how a branch stands in the interface.
func (b *branch) member() string {
	switch {
	case b.wrapper != "":
		return b.wrapper
	case b.shape.decl.hasCodec():
		return "*" + b.shape.decl.name
	}
	return b.shape.decl.name
}

func (g *generator) union(d *decl) {
	var members []string
	for _, b := range d.branches {
		members = append(members, b.member())
	}
	g.typeComment(d, "one of "+strings.Join(members, ", "))
	g.p("type %s interface{ is%s() }\n", d.name, d.name)
	for _, b := range d.branches {
		if b.wrapper != "" {
			g.p("// %s is one of the types of %s.\ntype %s struct{ Value %s }\n\nfunc (%s) is%s() {}\n", b.wrapper, d.name, b.wrapper, goType(b.shape, ""), b.wrapper, d.name)
		}
	}
	g.readUnion(d)
	g.p("func write%s(w *jsonvalue.Writer, u %s) {\nswitch x := u.(type) {", d.name, d.name)
	for _, b := range d.branches {
		switch {
		case b.wrapper != "":
			g.p("case %s:\n%s", b.wrapper, g.write(b.shape, "x.Value"))
		case b.shape.decl.hasCodec():
			g.p("case %s:\nif x == nil {\nw.Unset()\nreturn\n}\n%s", b.member(), g.write(b.shape, "*x"))
		default:
			g.p("case %s:\n%s", b.member(), g.write(b.shape, "x"))
		}
	}
	g.p("default:\nw.Unset()\n}\n}")
}

func (g *generator) readUnion(d *decl) {
	g.p("func read%s(r *jsonvalue.Reader, v jsonvalue.Value) %s {", d.name, d.name)
	byKind := d.branches[0].kinds != 0
	switch {
	case byKind:
		g.p("switch {")
	case d.tagged != "":
		var tags []string
		for _, b := range d.branches {
			tags = append(tags, strconv.Quote(b.tag))
		}
		g.p("switch r.ByTag(v, %q, %s) {", d.tagged, strings.Join(tags, ", "))
	default:
		g.p("switch r.Choose(v,")
		for _, b := range d.branches {
			if len(b.also) == 0 {
				g.p("%s,", g.checkParts(b.parts))
				continue
			}
			all := []string{g.checkParts(b.parts)}
			for _, a := range b.also {
				all = append(all, g.checkParts(a))
			}
			g.p("%s,", checkLiteral([]string{"c.AnyOf(v,\n" + strings.Join(all, ",\n") + ",\n)"}))
		}
		g.p(") {")
	}
	for i, b := range d.branches {
		cond := fmt.Sprint(i)
		if byKind {
			cond = "v.Is(" + kindExpr(b.kinds) + ")"
		}
		g.p("case %s:", cond)
		switch value := g.read(b.shape, "v"); {
		case b.wrapper != "":
			g.p("return %s{Value: %s}", b.wrapper, value)
		case b.shape.decl.hasCodec():
			g.p("x := %s\nreturn &x", value)
		default:
			g.p("return %s", value)
		}
	}
	g.p("}\nr.Fail(v, %q)\nreturn nil\n}\n", "has no form of "+d.name)
}
