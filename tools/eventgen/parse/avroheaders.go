package parse

import (
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// avroScalars are the Avro types of headers, with the names that JSON Schema has for them.
var avroScalars = map[string]string{"string": "string", "int": "integer", "long": "integer", "float": "number", "double": "number", "boolean": "boolean"}

// avroHeaders reads headers whose schema is an Avro record: one header for each field. They are
// written as text, like headers with a JSON Schema, because neither AsyncAPI nor Kafka defines
// another form. So the type of a field must have exactly one form as text.
func (p *parser) avroHeaders(m *Message, n *source.Node) {
	if n.Get("type").Str() != "record" {
		p.diags.ErrorHint(n.Pos, "write a record with a field for each header", "the headers of message %s are not a record", m.Name)
		return
	}
	o := &Object{Pos: n.Pos, Title: p.text(n, "name"), Doc: p.text(n, "doc"), Closed: true}
	for _, f := range p.list(n, "fields") {
		f = p.Deref(f)
		name := p.text(f, "name")
		if name == "" {
			p.diags.Errorf(position(f, n), "a header of message %s has no name", m.Name)
			continue
		}
		if prop, ok := p.avroHeader(f); ok {
			prop.Name, prop.Doc = name, p.text(f, "doc")
			o.Props = append(o.Props, prop)
			continue
		}
		p.diags.ErrorHint(position(f.Get("type"), f), "use a string, an enum, a number, a boolean or a UUID, or a union of one of them and null; or write the headers as JSON Schema",
			"header %s of message %s has an Avro type that cannot be written as text in one way", name, m.Name)
	}
	m.Headers = o
}

func position(n, or *source.Node) diag.Pos {
	if n == nil {
		return or.Pos
	}
	return n.Pos
}

// avroHeader reads the type of a field. It returns false if a header cannot hold its values.
func (p *parser) avroHeader(f *source.Node) (prop Prop, ok bool) {
	t := p.Deref(f.Get("type"))
	prop.Required = true
	if t.Is(source.Seq) {
		var kinds []*source.Node
		for _, branch := range t.Items {
			if branch.Str() != "null" {
				kinds = append(kinds, branch)
			}
		}
		if len(kinds) != 1 {
			return prop, false
		}
		prop.Required = len(t.Items) == 1
		t = p.Deref(kinds[0])
	}
	kind, logical := t.Str(), ""
	if t.Is(source.Map) {
		kind, logical = t.Get("type").Str(), t.Get("logicalType").Str()
	}
	if kind == "enum" {
		for _, s := range p.list(t, "symbols") {
			prop.Enum = append(prop.Enum, s.Value)
		}
		kind = "string"
	}
	switch {
	case logical == "uuid" && kind == "string":
		prop.Format = "uuid"
	case logical != "":
		return prop, false
	}
	prop.Type, prop.Pos = avroScalars[kind], position(t, f)
	return prop, prop.Type != ""
}
