// Package codec prints the Go types that package layout has decided on, with their codecs.
//
// Package avro alone imports it.
package codec

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/layout"
	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// generator prints the file of a type.
type generator struct {
	*layout.Namer
	body  bytes.Buffer
	depth int             // of nested loops
	ints  map[string]bool // variables that the function being printed needs

	refuseUnknown bool // the default symbol UNKNOWN of an enum is not written
}

// File returns the file of a type.
func File(l *layout.Layout, importPath string, p *layout.Package, d *layout.Decl, refuseUnknown bool) gofile.File {
	g := &generator{Namer: layout.NewNamer(l, importPath, p), refuseUnknown: refuseUnknown}
	g.decl(d)
	return gofile.File{Package: p.Name, Sources: d.Sources(), Imports: g.Imports, Body: g.body.String()}
}

func (g *generator) p(format string, args ...any) { fmt.Fprintf(&g.body, format+"\n", args...) }

func (g *generator) decl(d *layout.Decl) {
	switch {
	case d.Wrapper:
		g.wrapper(d)
	case d.Type.Kind == schema.Record:
		g.record(d)
	case d.Type.Kind == schema.Enum:
		g.enum(d)
	default:
		g.fixed(d)
	}
	for _, u := range d.Implement {
		star := ""
		if d.Type.Kind == schema.Record {
			star = "*"
		}
		g.p("\nfunc (%s%s) is%s() {}", star, d.Name, u.Name)
	}
	for _, u := range d.Unions {
		g.union(u)
	}
}

func (g *generator) fixed(d *layout.Decl) {
	g.p("%s", gofile.TypeComment(d.Name, d.Wish, "the Avro fixed "+d.Type.Name, d.Type.Doc))
	g.p("type %s [%d]byte", d.Name, d.Type.Size)
	g.p("\n// String returns the bytes in hexadecimal.\nfunc (x %s) String() string { return hex.EncodeToString(x[:]) }", d.Name)
	g.p("\n// WriteAvro appends the bytes.\nfunc (x %s) WriteAvro(w *avrobin.Writer, b []byte) []byte { return w.Fixed(b, x[:]) }", d.Name)
	g.p("\n// ReadAvro reads the bytes.\nfunc (x *%s) ReadAvro(r *avrobin.Reader, p int) int { return r.Fixed(p, x[:]) }", d.Name)
}

func (g *generator) enum(d *layout.Decl) {
	g.p("%s", gofile.TypeComment(d.Name, d.Wish, "the Avro enum "+d.Type.Name, d.Type.Doc))
	g.p("type %s string\n", d.Name)
	if len(d.Constants) > 0 {
		g.p("// The symbols of %s.\nconst (", d.Name)
		for i, c := range d.Constants {
			g.p("%s %s = %q", c, d.Name, d.Type.Symbols[i])
		}
		g.p(")\n")
	}
	g.p("var %s = [...]string{", d.Symbols)
	for _, s := range d.Type.Symbols {
		g.p("%q,", s)
	}
	g.p("}\n")
	g.p("// String returns the symbol.\nfunc (x %s) String() string { return string(x) }\n", d.Name)
	g.p("// Valid reports whether x is one of the symbols.\nfunc (x %s) Valid() bool { return x.index() >= 0 }\n", d.Name)
	g.p("func (x %s) index() int64 {\nswitch x {", d.Name)
	for i, c := range d.Constants {
		g.p("case %s: return %d", c, i)
	}
	g.p("}\nreturn -1\n}\n")
	g.enumValidate(d)
	g.p("// WriteAvro appends the index of the symbol.\nfunc (x %s) WriteAvro(w *avrobin.Writer, b []byte) []byte {", d.Name)
	g.p("i := x.index()\nif i < 0 {\nw.Unknown(%q, string(x))\n}\nreturn w.Long(b, i)\n}\n", d.Name)
	g.p("// ReadAvro reads the index of a symbol.\nfunc (x *%s) ReadAvro(r *avrobin.Reader, p int) int {", d.Name)
	g.p("s, p := r.Symbol(p, %s[:])\n*x = %s(s)\nreturn p\n}", d.Symbols, d.Name)
}

func (g *generator) enumValidate(d *layout.Decl) {
	i := slices.Index(d.Type.Symbols, d.Type.Default)
	if g.refuseUnknown && d.Type.Default == "UNKNOWN" && i >= 0 {
		g.p("// Validate returns an error if x is not a symbol, or is %s, which is never written:\n// a reader gets it in place of a symbol that it does not know.", d.Constants[i])
		g.p("func (x %s) Validate() error { return avrobin.CheckSymbol(%q, string(x), x.Valid() && x != %s) }\n", d.Name, d.Name, d.Constants[i])
		return
	}
	g.p("// Validate returns an error if x is not a symbol.")
	g.p("func (x %s) Validate() error { return avrobin.CheckSymbol(%q, string(x), x.Valid()) }\n", d.Name, d.Name)
}

func (g *generator) record(d *layout.Decl) {
	g.p("%s", gofile.TypeComment(d.Name, d.Wish, "the Avro record "+d.Type.Name, d.Type.Doc))
	g.p("type %s struct {", d.Name)
	for i, f := range d.Type.Fields {
		g.p("%s%s %s `json:%q`", gofile.FieldComment(d.Fields[i], goname.Exported(f.Name), f.Doc), d.Fields[i], g.GoType(f.Type), f.Name)
	}
	g.p("}")
	g.codec(d, func() {
		for i, f := range d.Type.Fields {
			g.write("x."+d.Fields[i], f.Type)
		}
	}, func() {
		for i, f := range d.Type.Fields {
			g.read("x."+d.Fields[i], f.Type)
		}
	}, func() {
		for i, f := range d.Type.Fields {
			g.validate("x."+d.Fields[i], strconv.Quote(f.Name), f.Type)
		}
	})
}

func (g *generator) wrapper(d *layout.Decl) {
	g.p("%s", gofile.TypeComment(d.Name, d.Wish, "a payload that is not a record: an Avro "+d.Type.Kind.String(), d.Type.Doc))
	g.p("type %s struct {\nValue %s `json:\"value\"`\n}", d.Name, g.GoType(d.Type))
	g.codec(d, func() { g.write("x.Value", d.Type) }, func() { g.read("x.Value", d.Type) }, func() { g.validate("x.Value", `"value"`, d.Type) })
}

// codec prints the methods that every record and wrapper has.
func (g *generator) codec(d *layout.Decl, write, read, validate func()) {
	g.p("\n// AppendAvro appends the Avro encoding of x to dst, without framing.\nfunc (x *%s) AppendAvro(dst []byte) ([]byte, error) {", d.Name)
	g.p("var w avrobin.Writer\ndst = x.WriteAvro(&w, dst)\nreturn dst, w.Err()\n}\n")
	g.p("// DecodeAvro decodes data, which must hold one value and nothing else, into x.\nfunc (x *%s) DecodeAvro(data []byte) error {", d.Name)
	begin := "Begin"
	if hasText(d.Type, nil) {
		begin = "BeginText"
	}
	g.p("var r avrobin.Reader\nreturn r.Done(x.ReadAvro(&r, r.%s(data)))\n}\n", begin)
	g.p("// Validate returns an error if x cannot be written: an enum is not one of its symbols, a time is\n// not set, or a union has no value.\nfunc (x *%s) Validate() error {", d.Name)
	validate()
	g.p("return nil\n}\n")
	g.p("// WriteAvro appends the fields in the order of the schema.\nfunc (x *%s) WriteAvro(w *avrobin.Writer, b []byte) []byte {", d.Name)
	if d.Recursive {
		g.p("if !w.Enter() {\nreturn b\n}")
	}
	write()
	if d.Recursive {
		g.p("w.Leave()")
	}
	g.p("return b\n}\n")
	g.p("// ReadAvro reads the fields in the order of the schema.\nfunc (x *%s) ReadAvro(r *avrobin.Reader, p int) int {", d.Name)
	if d.Recursive {
		g.p("if !r.Enter(p) {\nreturn p\n}")
	}
	g.reading(read)
	if d.Recursive {
		g.p("r.Leave()")
	}
	g.p("return p\n}\n")
	g.p("// AvroType describes the schema of the type.\nfunc (*%s) AvroType() *avrobin.Type { return &typeOf%s }\n", d.Name, d.Name)
	g.p("var typeOf%s = avrobin.Type{Name: NameOf%s, Schema: SchemaOf%s, Fingerprint: FingerprintOf%s%s}\n", d.Name, d.Name, d.Name, d.Name, formerLiteral(d))
	name := ""
	if d.Type.Kind.Named() {
		name = d.Type.Name
	}
	g.p("// The schema of %s: its full name, the CRC-64-AVRO fingerprint of its canonical form, and its text with\n// the definitions of all types that it names.", d.Name)
	g.p("const (\nNameOf%s = %q\nFingerprintOf%s uint64 = %#016x\nSchemaOf%s = %s\n)", d.Name, name, d.Name, d.Type.Fingerprint(), d.Name, gofile.Literal(d.Type.Text()))
}

// hasText reports whether every value of t contains a string.
func hasText(t *schema.Type, inside []*schema.Type) bool {
	if t.Kind != schema.Record || slices.Contains(inside, t) {
		return t.Kind == schema.String && t.Logical == ""
	}
	inside = append(inside, t)
	return slices.ContainsFunc(t.Fields, func(f *schema.Field) bool { return hasText(f.Type, inside) })
}

// formerLiteral returns the former versions of a type as a field of an avrobin.Type literal, or ""
// if it has none.
func formerLiteral(d *layout.Decl) string {
	if len(d.Former) == 0 {
		return ""
	}
	out := ", Former: []avrobin.Former{\n"
	for _, f := range d.Former {
		out += fmt.Sprintf("{Fingerprint: %#016x, Schema: %s},\n", f.Fingerprint, gofile.Literal(f.Text))
	}
	return out + "}"
}
