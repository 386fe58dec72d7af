package model

import (
	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// root is the schema of a payload, of either language: one of the two is set.
type root struct {
	avro *avro.Root
	json *jsonschema.Root
}

// payload gives a payload's schema; nil when it has none, or when that was refused.
func (b *builder) payload(p *parse.Payload) *root {
	switch {
	case b.avroRoots[p] != nil:
		return &root{avro: b.avroRoots[p]}
	case b.jsonRoots[p] != nil:
		return &root{json: b.jsonRoots[p]}
	}
	return nil
}

// addRoots hands the payload schemas of a document to the sets.
func (b *builder) addRoots(d *parse.Document) {
	for _, c := range d.Channels {
		for _, m := range c.Messages {
			switch p := m.Payload; {
			case p == nil:
			case p.Format == parse.Avro:
				b.avroRoots[p] = b.avro.AddRoot(p.Schema, avro.GoName(m.Message.Name))
			default:
				b.jsonRoots[p] = b.json.AddRoot(p.Ref, m.Message.Name)
			}
		}
	}
}

// jsonConfig says where the types of JSON Schemas go: to a package that no Avro namespace has.
func (b *builder) jsonConfig() jsonschema.Config {
	c := jsonschema.Config{ImportPath: b.config.ImportPath, Package: "payload"}
	for _, r := range b.avroRoots {
		if r.Go(avro.Config{}).Package == c.Package {
			c.Package = "jsonpayload"
		}
	}
	return c
}

func (r *root) doc() string {
	if r.avro != nil {
		return r.avro.Doc()
	}
	return r.json.Doc()
}

func (r *root) schemaText() string {
	if r.avro != nil {
		return r.avro.SchemaText()
	}
	return r.json.SchemaText()
}

// field gives the name of a property's field, and how its text is got from it; the text is empty when the property is no text that is always there.
func (r *root) field(name string) (goType, text string, ok bool) {
	if r.avro != nil {
		f, ok := r.avro.Field(name)
		if f.GoType == "string" {
			return f.GoType, f.GoName, ok
		}
		return f.GoType, "", ok
	}
	f, ok := r.json.Field(name)
	switch f.GoType {
	case "string":
		return f.GoType, f.GoName, ok
	case "uuid.UUID":
		return f.GoType, f.GoName + ".String()", ok
	}
	return f.GoType, "", ok
}

func (r *root) fieldNames() []string {
	var out []string
	if r.avro != nil {
		for _, f := range r.avro.Fields() {
			out = append(out, f.Name)
		}
		return out
	}
	for _, f := range r.json.Fields() {
		out = append(out, f.Name)
	}
	return out
}

func (r *root) checkExample(n *source.Node) diag.List {
	if r.avro != nil {
		return r.avro.CheckExample(n)
	}
	return r.json.CheckExample(n)
}

func (b *builder) literal(r *root, n *source.Node) (expr string, imports []string, faults diag.List) {
	if r.avro != nil {
		return r.avro.Literal(avro.Config{ImportPath: b.config.ImportPath}, n)
	}
	return r.json.Literal(b.jsonConfig(), n)
}

// goType gives the type of a payload as the bus package writes it. No package of such types is called like one that generated code imports.
func (p *pkgBuilder) goType(r *root) (qualified, pkg string) {
	var t avro.GoType
	if r.avro != nil {
		t = r.avro.Go(avro.Config{ImportPath: p.config.ImportPath})
	} else {
		t = avro.GoType(r.json.Go(p.jsonConfig()))
	}
	p.out.Imports[t.Package] = t.ImportPath
	return t.Package + "." + t.Name, t.Package
}
