package avro

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

// Config says where the Go goes.
type Config struct {
	ImportPath string // of the folder that holds the packages
	// returns the hash of a source, for doc.go; nil if there is none
	Sum func(source string) string
}

func (c Config) goType(d *typeDecl) GoType {
	return GoType{ImportPath: path.Join(c.ImportPath, d.pkg.name), Package: d.pkg.name, Name: d.name}
}

// Emit returns the files, by path below the folder of ImportPath, and the Go type of every named
// type that has one.
func (s *Set) Emit(c Config) (files map[string][]byte, names map[string]GoType, err error) {
	files, names = map[string][]byte{}, map[string]GoType{}
	for _, p := range s.packages.packages {
		var sources []string
		for _, d := range p.decls {
			g := &generator{layout: s.packages, config: c, pkg: p, imports: map[string]string{}}
			g.decl(d)
			name := p.name + "/" + d.file + ".go"
			f := gofile.File{Package: p.name, Sources: d.sources(), Imports: g.imports, Body: g.body.String()}
			if files[name], err = f.Print(); err != nil {
				return nil, nil, fmt.Errorf("generated %s: %w", name, err)
			}
			sources = append(sources, d.sources()...)
			if !d.wrapper {
				names[d.typ.Name] = c.goType(d)
			}
		}
		if len(p.decls) > 0 {
			if files[p.name+"/doc.go"], err = gofile.Doc(p.name, p.doc(), "avrobin.Generation3", sources, c.Sum).Print(); err != nil {
				return nil, nil, fmt.Errorf("generated %s/doc.go: %w", p.name, err)
			}
		}
	}
	return files, names, nil
}

func (p *pkg) doc() string {
	spaces := make([]string, len(p.namespaces))
	for i, ns := range p.namespaces {
		spaces[i] = ns
		if ns == "" {
			spaces[i] = "without a name"
		}
	}
	what := "namespace " + spaces[0]
	if len(spaces) > 1 {
		what = "namespaces " + strings.Join(spaces, ", ") + ", which depend on each other"
	}
	return fmt.Sprintf("Package %s holds the types of the Avro %s and their codecs.", p.name, what)
}

// generator prints one file.
type generator struct {
	layout  *layout
	config  Config
	pkg     *pkg
	imports map[string]string // of generated packages, by name; nil if nobody asks
	body    bytes.Buffer
	depth   int             // of loops, for the names of their variables
	ints    map[string]bool // that the function being printed needs
}

func (g *generator) p(format string, args ...any) { fmt.Fprintf(&g.body, format+"\n", args...) }

func (g *generator) decl(d *typeDecl) {
	switch {
	case d.wrapper:
		g.wrapper(d)
	case d.typ.Kind == schema.Record:
		g.record(d)
	case d.typ.Kind == schema.Enum:
		g.enum(d)
	default:
		g.fixed(d)
	}
	for _, u := range d.implement {
		star := ""
		if d.typ.Kind == schema.Record {
			star = "*"
		}
		g.p("\nfunc (%s%s) is%s() {}", star, d.name, u.name)
	}
	for _, u := range d.unions {
		g.union(u)
	}
}

func (g *generator) fixed(d *typeDecl) {
	g.p("%s", gofile.TypeComment(d.name, d.wish, "the Avro fixed "+d.typ.Name, d.typ.Doc))
	g.p("type %s [%d]byte", d.name, d.typ.Size)
	g.p("\n// String returns the bytes in hexadecimal.\nfunc (x %s) String() string { return hex.EncodeToString(x[:]) }", d.name)
	g.p("\n// WriteAvro appends the bytes.\nfunc (x %s) WriteAvro(w *avrobin.Writer, b []byte) []byte { return w.Fixed(b, x[:]) }", d.name)
	g.p("\n// ReadAvro reads the bytes.\nfunc (x *%s) ReadAvro(r *avrobin.Reader, p int) int { return r.Fixed(p, x[:]) }", d.name)
}

func (g *generator) enum(d *typeDecl) {
	g.p("%s", gofile.TypeComment(d.name, d.wish, "the Avro enum "+d.typ.Name, d.typ.Doc))
	g.p("type %s string\n", d.name)
	if len(d.constants) > 0 {
		g.p("// The symbols of %s.\nconst (", d.name)
		for i, c := range d.constants {
			g.p("%s %s = %q", c, d.name, d.typ.Symbols[i])
		}
		g.p(")\n")
	}
	g.p("var %s = [...]string{", d.symbols)
	for _, s := range d.typ.Symbols {
		g.p("%q,", s)
	}
	g.p("}\n")
	g.p("// String returns the symbol.\nfunc (x %s) String() string { return string(x) }\n", d.name)
	g.p("// Valid reports whether x is one of the symbols.\nfunc (x %s) Valid() bool { return x.index() >= 0 }\n", d.name)
	g.p("func (x %s) index() int64 {\nswitch x {", d.name)
	for i, c := range d.constants {
		g.p("case %s: return %d", c, i)
	}
	g.p("}\nreturn -1\n}\n")
	g.enumValidate(d)
	g.p("// WriteAvro appends the index of the symbol.\nfunc (x %s) WriteAvro(w *avrobin.Writer, b []byte) []byte {", d.name)
	g.p("i := x.index()\nif i < 0 {\nw.Unknown(%q, string(x))\n}\nreturn w.Long(b, i)\n}\n", d.name)
	g.p("// ReadAvro reads the index of a symbol.\nfunc (x *%s) ReadAvro(r *avrobin.Reader, p int) int {", d.name)
	g.p("s, p := r.Symbol(p, %s[:])\n*x = %s(s)\nreturn p\n}", d.symbols, d.name)
}

func (g *generator) enumValidate(d *typeDecl) {
	i := slices.Index(d.typ.Symbols, d.typ.Default)
	if d.typ.Default == "UNKNOWN" && i >= 0 {
		g.p("// Validate returns an error if x is not a symbol, or is %s, which is never written:\n// a reader gets it in place of a symbol that it does not know.", d.constants[i])
		g.p("func (x %s) Validate() error { return avrobin.CheckSymbol(%q, string(x), x.Valid() && x != %s) }\n", d.name, d.name, d.constants[i])
		return
	}
	g.p("// Validate returns an error if x is not a symbol.")
	g.p("func (x %s) Validate() error { return avrobin.CheckSymbol(%q, string(x), x.Valid()) }\n", d.name, d.name)
}

func (g *generator) record(d *typeDecl) {
	g.p("%s", gofile.TypeComment(d.name, d.wish, "the Avro record "+d.typ.Name, d.typ.Doc))
	g.p("type %s struct {", d.name)
	for i, f := range d.typ.Fields {
		g.p("%s%s %s `json:%q`", gofile.FieldComment(d.fields[i], goname.Exported(f.Name), f.Doc), d.fields[i], g.goType(f.Type), f.Name)
	}
	g.p("}")
	g.codec(d, func() {
		for i, f := range d.typ.Fields {
			g.write("x."+d.fields[i], f.Type)
		}
	}, func() {
		for i, f := range d.typ.Fields {
			g.read("x."+d.fields[i], f.Type)
		}
	}, func() {
		for i, f := range d.typ.Fields {
			g.validate("x."+d.fields[i], strconv.Quote(f.Name), f.Type)
		}
	})
}

func (g *generator) wrapper(d *typeDecl) {
	g.p("%s", gofile.TypeComment(d.name, d.wish, "a payload that is not a record: an Avro "+d.typ.Kind.String(), d.typ.Doc))
	g.p("type %s struct {\nValue %s `json:\"value\"`\n}", d.name, g.goType(d.typ))
	g.codec(d, func() { g.write("x.Value", d.typ) }, func() { g.read("x.Value", d.typ) }, func() { g.validate("x.Value", `"value"`, d.typ) })
}

// codec prints what every record and wrapper has.
func (g *generator) codec(d *typeDecl, write, read, validate func()) {
	g.p("\n// AppendAvro appends the Avro encoding of x to dst, without framing.\nfunc (x *%s) AppendAvro(dst []byte) ([]byte, error) {", d.name)
	g.p("var w avrobin.Writer\ndst = x.WriteAvro(&w, dst)\nreturn dst, w.Err()\n}\n")
	g.p("// DecodeAvro decodes data, which must hold one value and nothing else, into x.\nfunc (x *%s) DecodeAvro(data []byte) error {", d.name)
	begin := "Begin"
	if hasText(d.typ, nil) {
		begin = "BeginText"
	}
	g.p("var r avrobin.Reader\nreturn r.Done(x.ReadAvro(&r, r.%s(data)))\n}\n", begin)
	g.p("// Validate returns an error if x cannot be written: an enum is not one of its symbols, a time is\n// not set, or a union has no value.\nfunc (x *%s) Validate() error {", d.name)
	validate()
	g.p("return nil\n}\n")
	g.p("// WriteAvro appends the fields in the order of the schema.\nfunc (x *%s) WriteAvro(w *avrobin.Writer, b []byte) []byte {", d.name)
	if d.recursive {
		g.p("if !w.Enter() {\nreturn b\n}")
	}
	write()
	if d.recursive {
		g.p("w.Leave()")
	}
	g.p("return b\n}\n")
	g.p("// ReadAvro reads the fields in the order of the schema.\nfunc (x *%s) ReadAvro(r *avrobin.Reader, p int) int {", d.name)
	if d.recursive {
		g.p("if !r.Enter(p) {\nreturn p\n}")
	}
	g.reading(read)
	if d.recursive {
		g.p("r.Leave()")
	}
	g.p("return p\n}\n")
	g.p("// AvroType describes the schema of the type.\nfunc (*%s) AvroType() *avrobin.Type { return &typeOf%s }\n", d.name, d.name)
	g.p("var typeOf%s = avrobin.Type{Name: NameOf%s, Schema: SchemaOf%s, Fingerprint: FingerprintOf%s%s}\n", d.name, d.name, d.name, d.name, d.formerLiteral())
	name := ""
	if d.typ.Kind.Named() {
		name = d.typ.Name
	}
	g.p("// The schema of %s: its full name, the CRC-64-AVRO fingerprint of its canonical form, and its text with\n// the definitions of all types that it names.", d.name)
	g.p("const (\nNameOf%s = %q\nFingerprintOf%s uint64 = %#016x\nSchemaOf%s = %s\n)", d.name, name, d.name, d.typ.Fingerprint(), d.name, gofile.Literal(d.typ.Text()))
}

// hasText tells whether every value of t holds a string.
func hasText(t *schema.Type, inside []*schema.Type) bool {
	if t.Kind != schema.Record || slices.Contains(inside, t) {
		return t.Kind == schema.String && t.Logical == ""
	}
	inside = append(inside, t)
	return slices.ContainsFunc(t.Fields, func(f *schema.Field) bool { return hasText(f.Type, inside) })
}

// goType is how a type is written in Go inside the generator's package.
func (g *generator) goType(t *schema.Type) string {
	if name := logicalGo[t.Logical]; name != "" {
		if name == "time.Time" {
			return name
		}
		return "avrobin." + name
	}
	switch t.Kind {
	case schema.Null:
		return "avrobin.Null"
	case schema.Boolean:
		return "bool"
	case schema.Int:
		return "int32"
	case schema.Long:
		return "int64"
	case schema.Float:
		return "float32"
	case schema.Double:
		return "float64"
	case schema.Bytes:
		return "[]byte"
	case schema.String:
		return "string"
	case schema.Array:
		return "[]" + g.goType(t.Items)
	case schema.Map:
		return "map[string]" + g.goType(t.Items)
	case schema.Union:
		return g.unionGo(t)
	}
	d := g.layout.named[t]
	return g.qualified(d.pkg, d.name)
}

// qualified is a name of a package as it is written in the generator's package.
func (g *generator) qualified(p *pkg, name string) string {
	if p == g.pkg {
		return name
	}
	if g.imports != nil {
		g.imports[p.name] = path.Join(g.config.ImportPath, p.name)
	}
	return p.name + "." + name
}

func (g *generator) unionGo(t *schema.Type) string {
	if other, _, ok := t.Nullable(); ok {
		if nilable(other) {
			return g.goType(other)
		}
		return "*" + g.goType(other)
	}
	if u := g.layout.unions[t]; u != nil {
		return g.qualified(u.pkg, u.name)
	}
	return g.goType(t.Branches[0])
}

// nilable tells whether nil of the Go type can stand for null.
func nilable(t *schema.Type) bool {
	return t.Kind == schema.Array || t.Kind == schema.Map || t.Kind == schema.Bytes && t.Logical == ""
}

var logicalGo = map[schema.Logical]string{
	schema.Decimal: "Decimal", schema.BigDecimal: "Decimal", schema.UUID: "UUID", schema.Date: "Date",
	schema.TimeMillis: "TimeOfDay", schema.TimeMicros: "TimeOfDay",
	schema.TimestampMillis: "time.Time", schema.TimestampMicros: "time.Time", schema.TimestampNanos: "time.Time",
	schema.LocalTimestampMillis: "LocalDateTime", schema.LocalTimestampMicros: "LocalDateTime", schema.LocalTimestampNanos: "LocalDateTime",
	schema.Duration: "Duration",
}
