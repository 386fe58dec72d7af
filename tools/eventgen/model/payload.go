package model

import (
	"cmp"
	"path"

	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/payload"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// addRoots adds the schemas of a document to the sets of their languages.
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
		b.heads[m.HeaderRef] = &payload.Root{JSON: b.json.AddRoot(m.HeaderRef, goname.Exported(cmp.Or(m.HeaderName, m.Name+"Headers"))), Node: b.files.Deref(m.HeaderRef)}
	}
}

func (b *builder) addRoot(p *parse.Payload, hint string) {
	if p == nil || b.roots[p] != nil {
		return
	}
	r := &payload.Root{Node: p.Schema}
	switch p.Format {
	case parse.Avro:
		r.Avro = b.avro.AddRoot(p.Schema, hint)
	case parse.JSONSchema:
		r.JSON = b.json.AddRootIn(p.Name, p.Ref, hint)
	default:
		r.Raw = p.Name
	}
	b.roots[p] = r
}

// jsonPackage returns the name of the package of JSON types: payload, unless another package has
// that name.
func (b *builder) jsonPackage(docs []*parse.Document) string {
	taken := map[string]bool{}
	for _, d := range docs {
		for _, side := range b.config.Role.sides(d) {
			taken[b.packageName(d, side)] = true
		}
	}
	for _, r := range b.roots {
		if r.Avro != nil {
			taken[r.Avro.Go(avro.Config{}).Package] = true
		}
	}
	if taken["payload"] {
		return "jsonpayload"
	}
	return "payload"
}

// JSONConfig returns where the types of JSON Schemas go.
func (m *Model) JSONConfig() jsonschema.Config {
	return jsonschema.Config{ImportPath: m.importPath, Package: m.jsonPackage}
}

// goType returns the Go type of a payload, qualified by its package. No package of types has the
// name of a package that generated code imports.
func (p *pkgBuilder) goType(r *payload.Root) (qualified, pkg string) {
	switch {
	case r == nil:
		return "bus.Empty", "bus"
	case r.Raw != "":
		return "[]byte", ""
	case r.Avro != nil:
		t := r.Avro.Go(avro.Config{ImportPath: p.config.ImportPath})
		p.out.Imports[t.Package] = t.ImportPath
		return t.Package + "." + t.Name, t.Package
	}
	t := r.JSON.Go(p.jsonConfig)
	p.out.Imports[t.Package] = t.ImportPath
	return t.Package + "." + t.Name, t.Package
}

// codec returns the Go of the codec of a payload.
func (p *pkgBuilder) codec(r *payload.Root, goType string) string {
	switch {
	case r == nil:
		return "bus.NoPayload()"
	case r.Raw != "":
		return "bus.Raw(" + quote(r.Raw) + ")"
	case r.Avro != nil:
		return "bus.Avro[" + goType + "]()"
	}
	return "bus.JSON[" + goType + "]()"
}

// literal returns the Go of an example, or false if the example has faults.
func (p *pkgBuilder) literal(r *payload.Root, n *source.Node) (string, bool) {
	var expr string
	var imports []string
	var faults diag.List
	switch {
	case r.Avro != nil:
		expr, imports, faults = r.Avro.Literal(avro.Config{ImportPath: p.config.ImportPath}, n)
	case r.JSON != nil:
		expr, imports, faults = r.JSON.Literal(p.jsonConfig, n)
	default:
		return "", false
	}
	for _, i := range imports {
		p.out.Imports[path.Base(i)] = i
	}
	return expr, !faults.HasErrors()
}
