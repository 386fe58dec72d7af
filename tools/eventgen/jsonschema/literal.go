package jsonschema

import (
	"encoding/base64"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Literal is n as a Go expression of the payload's type, for a package other than that of the
// types, and what it imports. Defaults of what n leaves out are in it, as if it had been read.
func (r *Root) Literal(c Config, n *source.Node) (expr string, imports []string, faults diag.List) {
	if faults = r.CheckExample(n); faults.HasErrors() {
		return "", nil, faults
	}
	l := &literals{loader: &r.set.loader, own: c.pkg() + ".", faults: &faults}
	expr = l.decl(r.decl, n)
	return expr, gofile.Imports(expr, map[string]string{c.pkg(): path.Join(c.ImportPath, c.pkg())}), faults
}

// literals prints values that are as their schema wants them.
type literals struct {
	*loader
	own    string // the package of the types, with a dot
	faults *diag.List
}

func (l *literals) value(s *shape, n *source.Node) string {
	switch s.form {
	case isAny:
		return "jsonvalue.MustAny(" + gofile.Literal(string(n.JSON())) + ")"
	case isScalar:
		return l.scalar(s.scalar, n)
	case isNullable:
		switch {
		case n.Is(source.Null):
			return "nil"
		case nilable(s.elem):
			return l.value(s.elem, n)
		}
		return l.pointer(s.elem, n)
	case isList:
		return l.list(s.elem, n.Items)
	case isDict:
		return l.dict(s.elem, n.Pairs)
	case isDecl:
		return l.decl(s.decl, n)
	}
	return "struct{}{}"
}

// pointer is the address of a value.
func (l *literals) pointer(s *shape, n *source.Node) string {
	expr := l.value(s, n)
	if s.form == isDecl && s.decl.hasCodec() {
		return "&" + expr
	}
	of := ""
	if s.form == isScalar && s.scalar != textScalar && s.scalar != boolScalar && !strings.Contains(expr, "(") || s.form == isDict || s.form == isList || s.form == isNull {
		of = "[" + goType(s, l.own) + "]" // Go does not infer it
	}
	return "jsonvalue.Ptr" + of + "(" + expr + ")"
}

// item is a value in a list or a map, which give its type.
func (l *literals) item(s *shape, n *source.Node) string {
	expr := l.value(s, n)
	if s.form == isDecl && s.decl.hasCodec() {
		return strings.TrimPrefix(expr, l.own+s.decl.name)
	}
	return expr
}

func (l *literals) list(elem *shape, items []*source.Node) string {
	var b strings.Builder
	b.WriteString("[]" + goType(elem, l.own) + "{")
	for i, it := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(l.item(elem, it))
	}
	return b.String() + "}"
}

func (l *literals) dict(elem *shape, pairs []source.Pair) string {
	var b strings.Builder
	b.WriteString("map[string]" + goType(elem, l.own) + "{")
	for i, p := range pairs {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(p.Key.Value) + ": " + l.item(elem, p.Value))
	}
	return b.String() + "}"
}

func (l *literals) scalar(s scalar, n *source.Node) string {
	switch s.goType {
	case "int64", "int32":
		r := jsonvalue.Literal(n.Value)
		return strconv.FormatInt(new(jsonvalue.Reader).Int64(r), 10)
	case "bool", "float64", "float32":
		return n.Value
	case "[]byte":
		b, err := base64.StdEncoding.DecodeString(n.Value)
		if err != nil {
			l.faults.Errorf(n.Pos, "%q is not base64: %v", n.Value, err)
		}
		return fmt.Sprintf("%#v", b)
	case "time.Time":
		return l.time(n)
	case "jsonvalue.Date":
		d, err := jsonvalue.ParseDate(n.Value)
		if err != nil {
			l.faults.Errorf(n.Pos, "%q is no date", n.Value)
		}
		return fmt.Sprintf("jsonvalue.Date{Year: %d, Month: %d, Day: %d}", d.Year, d.Month, d.Day)
	case "uuid.UUID":
		return "uuid.MustParse(" + strconv.Quote(n.Value) + ")"
	}
	return strconv.Quote(n.Value)
}

func (l *literals) time(n *source.Node) string {
	at, err := time.Parse(time.RFC3339Nano, strings.ToUpper(n.Value))
	if err != nil {
		l.faults.Errorf(n.Pos, "%q is no time: %v", n.Value, err)
	}
	zone := "time.UTC"
	if _, offset := at.Zone(); offset != 0 {
		zone = fmt.Sprintf("time.FixedZone(\"\", %d)", offset)
	}
	return fmt.Sprintf("time.Date(%d, %d, %d, %d, %d, %d, %d, %s)", at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), zone)
}

func (l *literals) decl(d *decl, n *source.Node) string {
	name := l.own + d.name
	switch d.form {
	case isWrapper:
		return name + "{Value: " + l.value(d.value, n) + "}"
	case isUnion:
		return l.union(d, n)
	case isTuple:
		return name + l.tuple(d, n)
	case isStruct:
		return name + l.structure(d, n)
	}
	for _, v := range d.values {
		if source.Equal(v.node, n) {
			return l.own + v.goName
		}
	}
	return ""
}

func (l *literals) field(f *field, n *source.Node) string {
	expr := ""
	switch {
	case !f.optional || f.shape.form != isNullable && nilable(f.shape):
		expr = l.value(f.shape, n)
	case f.shape.form == isNullable:
		expr = fmt.Sprintf("jsonvalue.Some[%s](%s)", goType(f.shape, l.own), l.value(f.shape, n))
	default:
		expr = l.pointer(f.shape, n)
	}
	return f.goName + ": " + expr + ",\n"
}

func (l *literals) structure(d *decl, n *source.Node) string {
	var b strings.Builder
	known := map[string]bool{}
	for _, f := range d.fields {
		known[f.name] = true
		v := n.Get(f.name)
		if v == nil {
			v = f.fallback
		}
		if v != nil && f.constant == nil {
			b.WriteString(l.field(f, v))
		}
	}
	rest := slices.DeleteFunc(slices.Clone(n.Pairs), func(p source.Pair) bool { return known[p.Key.Value] })
	for _, f := range d.patterns {
		var matching []source.Pair
		matching, rest = f.split(rest)
		if len(matching) > 0 {
			b.WriteString(f.goName + ": " + l.dict(f.shape, matching) + ",\n")
		}
	}
	if d.extra != nil && len(rest) > 0 {
		b.WriteString(d.extra.goName + ": " + l.dict(d.extra.shape, rest) + ",\n")
	}
	if b.Len() == 0 {
		return "{}"
	}
	return "{\n" + b.String() + "}"
}

func (l *literals) tuple(d *decl, n *source.Node) string {
	var b strings.Builder
	for i, f := range d.fields {
		if i < len(n.Items) {
			b.WriteString(l.field(f, n.Items[i]))
		}
	}
	if d.extra != nil && len(n.Items) > len(d.fields) {
		b.WriteString(d.extra.goName + ": " + l.list(d.extra.shape, n.Items[len(d.fields):]) + ",\n")
	}
	return "{\n" + b.String() + "}"
}

func (l *literals) union(d *decl, n *source.Node) string {
	for _, b := range d.branches {
		if d.tagged != "" && n.Get(d.tagged).Str() != b.tag || !l.fits(b, n) {
			continue
		}
		expr := l.value(b.shape, n)
		switch {
		case b.wrapper != "":
			return l.own + b.wrapper + "{Value: " + expr + "}"
		case b.shape.decl.hasCodec():
			return "&" + expr
		}
		return expr
	}
	l.faults.Errorf(n.Pos, "the example fits no form of %s", d.name)
	return ""
}

// fits tells whether a value is of a form.
func (l *literals) fits(b *branch, n *source.Node) bool {
	if b.kinds != 0 {
		return kindOf(n)&b.kinds != 0
	}
	for _, parts := range append([][]part{b.parts}, b.also...) {
		var faults diag.List
		for _, p := range parts {
			l.validate(p.schema.final(), n, "", &faults)
		}
		if !faults.HasErrors() {
			return true
		}
	}
	return false
}
