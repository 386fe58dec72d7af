package model

import (
	"cmp"
	"path"

	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// root is the Go type of a schema, whatever language that is in. Of one that is nil there is no
// payload.
type root struct {
	avro *avro.Root
	json *jsonschema.Root
	raw  string // the format of a payload that is bytes
	node *source.Node
}

// field is a field of a payload.
type field struct {
	Name, GoName, GoType string
	Kind                 string         // array, map, union, enum, any and so on
	Dispensable          bool           // the zero value of Go says that there is none
	inside               func() []field // those of an object; nil for all else
	closed               bool           // of headers: an object that refuses what it does not name
}

func avroFields(list []avro.Field) []field {
	out := make([]field, len(list))
	for i, f := range list {
		out[i] = field{Name: f.Name, GoName: f.GoName, GoType: f.GoType, Kind: f.Kind, Dispensable: f.Nullable}
		if f.Kind == "record" {
			out[i].inside = func() []field { return avroFields(f.Fields()) }
		}
	}
	return out
}

func jsonFields(list []jsonschema.Field) []field {
	out := make([]field, len(list))
	for i, f := range list {
		out[i] = field{Name: f.Name, GoName: f.GoName, GoType: f.GoType, Kind: f.Kind, Dispensable: f.Optional || f.Nullable, closed: f.Closed}
		if f.Kind == "object" {
			out[i].inside = func() []field { return jsonFields(f.Fields()) }
		}
	}
	return out
}

func (r *root) name() string {
	switch {
	case r == nil:
		return ""
	case r.avro != nil:
		return r.avro.Name
	case r.json != nil:
		return r.json.Name()
	}
	return r.raw
}

func (r *root) doc() string {
	switch {
	case r == nil:
	case r.avro != nil:
		return r.avro.Doc()
	case r.json != nil:
		return r.json.Doc()
	}
	return ""
}

func (r *root) fields() []field {
	switch {
	case r == nil:
		return nil
	case r.avro != nil:
		return avroFields(r.avro.Fields())
	case r.json != nil:
		return jsonFields(r.json.Fields())
	}
	return nil
}

func (r *root) field(name string) (field, bool) {
	for _, f := range r.fields() {
		if f.Name == name && f.GoName != "" {
			return f, true
		}
	}
	return field{}, false
}

func (r *root) checkExample(n *source.Node) diag.List {
	switch {
	case r == nil:
		return nil
	case r.avro != nil:
		return r.avro.CheckExample(n)
	case r.json != nil:
		return r.json.CheckExample(n)
	}
	return nil
}

// addRoots hands the schemas of a document to the sets of their languages.
func (b *builder) addRoots(d *parse.Document) {
	for _, c := range d.Channels {
		for _, m := range c.Messages {
			b.addMessage(m.Message)
		}
	}
	for _, m := range d.Messages {
		b.addMessage(m)
	}
	if len(d.Channels) > 0 {
		return
	}
	for _, s := range d.Schemas { // a document that is a library for others
		b.addRoot(s.Payload, goname.Exported(s.Name))
	}
}

func (b *builder) addMessage(m *parse.Message) {
	name := goname.Exported(m.Name)
	b.addRoot(m.Payload, name)
	if k := m.Key; k != nil && (k.Scalar == nil || k.Scalar.Type != "string" && k.Scalar.Type != "integer") {
		b.addRoot(k.Payload, name+"Key")
	}
	if m.HeaderRef != nil && b.heads[m.HeaderRef] == nil {
		b.heads[m.HeaderRef] = &root{json: b.json.AddRoot(m.HeaderRef, goname.Exported(cmp.Or(m.HeaderName, m.Name+"Headers"))), node: b.files.Deref(m.HeaderRef)}
	}
}

func (b *builder) addRoot(p *parse.Payload, hint string) {
	if p == nil || b.roots[p] != nil {
		return
	}
	r := &root{node: p.Schema}
	switch p.Format {
	case parse.Avro:
		r.avro = b.avro.AddRoot(p.Schema, hint)
	case parse.JSONSchema:
		r.json = b.json.AddRoot(p.Ref, hint)
	default:
		r.raw = p.Name
	}
	b.roots[p] = r
}

// jsonPackage is the name of the package of JSON types: payload, unless a package is called so
// already.
func (b *builder) jsonPackage(docs []*parse.Document) string {
	taken := map[string]bool{}
	for _, d := range docs {
		for _, side := range b.config.Role.sides(d) {
			taken[b.packageName(d, side)] = true
		}
	}
	for _, r := range b.roots {
		if r.avro != nil {
			taken[r.avro.Go(avro.Config{}).Package] = true
		}
	}
	if taken["payload"] {
		return "jsonpayload"
	}
	return "payload"
}

// JSONConfig says where the types of JSON Schemas go.
func (m *Model) JSONConfig() jsonschema.Config {
	return jsonschema.Config{ImportPath: m.importPath, Package: m.jsonPackage}
}

// goType gives the type of a payload as the bus package writes it. No package of types is called
// like one that generated code imports.
func (p *pkgBuilder) goType(r *root) (qualified, pkg string) {
	switch {
	case r == nil:
		return "bus.Empty", "bus"
	case r.raw != "":
		return "[]byte", ""
	case r.avro != nil:
		t := r.avro.Go(avro.Config{ImportPath: p.config.ImportPath})
		p.out.Imports[t.Package] = t.ImportPath
		return t.Package + "." + t.Name, t.Package
	}
	t := r.json.Go(p.jsonConfig)
	p.out.Imports[t.Package] = t.ImportPath
	return t.Package + "." + t.Name, t.Package
}

// codec prints what makes the codec of a payload of that type.
func (p *pkgBuilder) codec(r *root, goType string) string {
	switch {
	case r == nil:
		return "bus.NoPayload()"
	case r.raw != "":
		return "bus.Raw(" + quote(r.raw) + ")"
	case r.avro != nil:
		return "bus.Avro[" + goType + "]()"
	}
	return "bus.JSON[" + goType + "]()"
}

// literal prints an example as a Go expression; false when it is none, which was told.
func (p *pkgBuilder) literal(r *root, n *source.Node) (string, bool) {
	var expr string
	var imports []string
	var faults diag.List
	switch {
	case r.avro != nil:
		expr, imports, faults = r.avro.Literal(avro.Config{ImportPath: p.config.ImportPath}, n)
	case r.json != nil:
		expr, imports, faults = r.json.Literal(p.jsonConfig, n)
	default:
		return "", false
	}
	for _, i := range imports {
		p.out.Imports[path.Base(i)] = i
	}
	return expr, !faults.HasErrors()
}

// textOf prints how a field of m that is always there is read as text; empty when it cannot be.
func textOf(f field, m string) string {
	at := m + "." + f.GoName
	switch f.GoType {
	case "string":
		return at
	case "int64", "int32", "int":
		return "bus.Decimal(" + at + ")"
	case "uuid.UUID", "avrobin.UUID":
		return at + ".String()"
	}
	return ""
}
