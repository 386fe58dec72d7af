package codec

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/gofile"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/schema"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/shape"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Literal returns a value as an expression of a declared type. It is for other packages than pkg,
// which declares the type.
func Literal(l *schema.Loader, d *shape.Decl, pkg string, n *source.Node, faults *diag.List) string {
	return (&literals{Loader: l, own: pkg + ".", faults: faults}).decl(d, n)
}

// literals prints values that conform to their schemas.
type literals struct {
	*schema.Loader
	own    string // the package of the types, with a dot
	faults *diag.List
}

func (l *literals) value(s *shape.Shape, n *source.Node) string {
	switch s.Form {
	case shape.Any:
		return "jsonvalue.MustAny(" + gofile.Literal(string(n.JSON())) + ")"
	case shape.Basic:
		return l.scalar(s.Scalar, n)
	case shape.Nullable:
		switch {
		case n.Is(source.Null):
			return "nil"
		case shape.Nilable(s.Elem):
			return l.value(s.Elem, n)
		}
		return l.pointer(s.Elem, n)
	case shape.List:
		return l.list(s.Elem, n.Items)
	case shape.Map:
		return l.dict(s.Elem, n.Pairs)
	case shape.Declared:
		return l.decl(s.Decl, n)
	}
	return "struct{}{}"
}

// pointer returns an expression of a pointer to a value.
func (l *literals) pointer(s *shape.Shape, n *source.Node) string {
	expr := l.value(s, n)
	if s.Form == shape.Declared && s.Decl.HasCodec() {
		return "&" + expr
	}
	of := ""
	if s.Form == shape.Basic && s.Scalar != shape.TextScalar && s.Scalar != shape.BoolScalar && !strings.Contains(expr, "(") && !(s.Scalar.GoType == "float64" && strings.ContainsAny(expr, ".eE")) || s.Form == shape.Map || s.Form == shape.List || s.Form == shape.Null {
		of = "[" + shape.GoType(s, l.own) + "]" // Go does not infer the type
	}
	return "jsonvalue.Ptr" + of + "(" + expr + ")"
}

// item returns a value inside a list or a map, whose type makes its own redundant.
func (l *literals) item(s *shape.Shape, n *source.Node) string {
	expr := l.value(s, n)
	if s.Form == shape.Declared && s.Decl.HasCodec() {
		return strings.TrimPrefix(expr, l.own+s.Decl.Name)
	}
	return expr
}

func (l *literals) list(elem *shape.Shape, items []*source.Node) string {
	var b strings.Builder
	b.WriteString("[]" + shape.GoType(elem, l.own) + "{")
	for i, it := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(l.item(elem, it))
	}
	return b.String() + "}"
}

func (l *literals) dict(elem *shape.Shape, pairs []source.Pair) string {
	var b strings.Builder
	b.WriteString("map[string]" + shape.GoType(elem, l.own) + "{")
	for i, p := range pairs {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(p.Key.Value) + ": " + l.item(elem, p.Value))
	}
	return b.String() + "}"
}

func (l *literals) scalar(s shape.Scalar, n *source.Node) string {
	switch s.GoType {
	case "int64", "int32":
		r := jsonvalue.Literal(n.Value)
		return strconv.FormatInt(new(jsonvalue.Reader).Int64(r), 10)
	case "bool", "float64":
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
			l.faults.Errorf(n.Pos, "%q is not a date", n.Value)
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
		l.faults.Errorf(n.Pos, "%q is not a time: %v", n.Value, err)
	}
	zone := "time.UTC"
	if _, offset := at.Zone(); offset != 0 {
		zone = fmt.Sprintf("time.FixedZone(\"\", %d)", offset)
	}
	return fmt.Sprintf("time.Date(%d, %d, %d, %d, %d, %d, %d, %s)", at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), zone)
}

func (l *literals) decl(d *shape.Decl, n *source.Node) string {
	name := l.own + d.Name
	switch d.Form {
	case shape.Wrapper:
		return name + "{Value: " + l.value(d.Value, n) + "}"
	case shape.Union:
		return l.union(d, n)
	case shape.Tuple:
		return name + l.tuple(d, n)
	case shape.Struct:
		return name + l.structure(d, n)
	}
	for _, v := range d.Values {
		if source.Equal(v.Node, n) {
			return l.own + v.GoName
		}
	}
	return ""
}

func (l *literals) field(f *shape.Field, n *source.Node) string {
	expr := ""
	switch {
	case !f.Optional || f.Shape.Form != shape.Nullable && shape.Nilable(f.Shape):
		expr = l.value(f.Shape, n)
	case f.Shape.Form == shape.Nullable:
		expr = fmt.Sprintf("jsonvalue.Some[%s](%s)", shape.GoType(f.Shape, l.own), l.value(f.Shape, n))
	default:
		expr = l.pointer(f.Shape, n)
	}
	return f.GoName + ": " + expr + ",\n"
}

func (l *literals) structure(d *shape.Decl, n *source.Node) string {
	var b strings.Builder
	known := map[string]bool{}
	for _, f := range d.Fields {
		known[f.Name] = true
		v := n.Get(f.Name)
		if v == nil {
			v = f.Default
		}
		if v != nil && f.Constant == nil {
			b.WriteString(l.field(f, v))
		}
	}
	rest := slices.DeleteFunc(slices.Clone(n.Pairs), func(p source.Pair) bool { return known[p.Key.Value] })
	for _, f := range d.Patterns {
		var matching []source.Pair
		matching, rest = f.Split(rest)
		if len(matching) > 0 {
			b.WriteString(f.GoName + ": " + l.dict(f.Shape, matching) + ",\n")
		}
	}
	if d.Extra != nil && len(rest) > 0 {
		b.WriteString(d.Extra.GoName + ": " + l.dict(d.Extra.Shape, rest) + ",\n")
	}
	if b.Len() == 0 {
		return "{}"
	}
	return "{\n" + b.String() + "}"
}

func (l *literals) tuple(d *shape.Decl, n *source.Node) string {
	var b strings.Builder
	for i, f := range d.Fields {
		if i < len(n.Items) {
			b.WriteString(l.field(f, n.Items[i]))
		}
	}
	if d.Extra != nil && len(n.Items) > len(d.Fields) {
		b.WriteString(d.Extra.GoName + ": " + l.list(d.Extra.Shape, n.Items[len(d.Fields):]) + ",\n")
	}
	return "{\n" + b.String() + "}"
}

func (l *literals) union(d *shape.Decl, n *source.Node) string {
	var of *shape.Branch
	most := -1
	for _, b := range d.Branches {
		if d.Tagged != "" && !slices.Contains(b.Tags, n.Get(d.Tagged).Str()) || !l.fits(b, n) {
			continue
		}
		known := 0
		if d.ByMembers() {
			known = len(slices.DeleteFunc(n.Keys(), func(name string) bool { return !slices.Contains(b.Names(), name) }))
		}
		if known > most {
			of, most = b, known
		}
	}
	if of == nil {
		l.faults.Errorf(n.Pos, "the example is none of the types of %s", d.Name)
		return ""
	}
	switch expr := l.value(of.Shape, n); {
	case of.Wrapper != "":
		return l.own + of.Wrapper + "{Value: " + expr + "}"
	case of.Shape.Decl.HasCodec():
		return "&" + expr
	default:
		return expr
	}
}

// fits reports whether a value belongs to a branch.
func (l *literals) fits(b *shape.Branch, n *source.Node) bool {
	if b.Kinds != 0 {
		return schema.KindOf(n)&b.Kinds != 0
	}
	for _, parts := range append([][]shape.Part{b.Parts}, b.Also...) {
		var faults diag.List
		for _, p := range parts {
			l.Validate(p.Schema.Final(), n, "", &faults)
		}
		if !faults.HasErrors() {
			return true
		}
	}
	return false
}
