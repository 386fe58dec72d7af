// Package payload describes the schema of a payload as generated code sees it, whatever language it
// is written in: its name, its fields, and the way from a payload to a place in it.
//
// Package model imports it.
package payload

import (
	"cmp"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/avro"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/jsonschema"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Root is the schema of a payload. Exactly one of Avro, JSON and Raw is set. The methods of a nil
// Root are those of a message without payload.
type Root struct {
	Avro *avro.Root
	JSON *jsonschema.Root
	Raw  string // the format of a payload that is bytes
	Node *source.Node
}

// Name returns the name of the schema.
func (r *Root) Name() string {
	switch {
	case r == nil:
		return ""
	case r.Avro != nil:
		return r.Avro.Name
	case r.JSON != nil:
		return r.JSON.Name()
	}
	return r.Raw
}

// Record returns the name of the schema in a registry: the full name of a record in Avro, the title
// of a JSON Schema.
func (r *Root) Record() string {
	if r != nil && r.JSON != nil {
		return cmp.Or(r.Node.Get("title").Str(), r.JSON.Name())
	}
	return r.Name()
}

// SchemaText returns the schema as it is registered.
func (r *Root) SchemaText() string {
	switch {
	case r == nil:
	case r.Avro != nil:
		return r.Avro.SchemaText()
	case r.JSON != nil:
		return r.JSON.SchemaText()
	}
	return ""
}

// Doc returns the description in the schema.
func (r *Root) Doc() string {
	switch {
	case r == nil:
	case r.Avro != nil:
		return r.Avro.Doc()
	case r.JSON != nil:
		return r.JSON.Doc()
	}
	return ""
}

// CheckExample returns the faults of an example.
func (r *Root) CheckExample(n *source.Node) diag.List {
	switch {
	case r == nil:
	case r.Avro != nil:
		return r.Avro.CheckExample(n)
	case r.JSON != nil:
		return r.JSON.CheckExample(n)
	}
	return nil
}

// Fields returns the fields of a record or an object.
func (r *Root) Fields() []Field {
	switch {
	case r == nil:
	case r.Avro != nil:
		return avroFields(r.Avro.Fields())
	case r.JSON != nil:
		return jsonFields(r.JSON.Fields())
	}
	return nil
}

// Field returns the field of that name that has a place in Go.
func (r *Root) Field(name string) (Field, bool) {
	for _, f := range r.Fields() {
		if f.Name == name && f.GoName != "" {
			return f, true
		}
	}
	return Field{}, false
}

// Field is a field of a payload.
type Field struct {
	Name, GoName, GoType string
	Kind                 string         // array, map, union, enum, any and so on
	Dispensable          bool           // the zero value of Go means that there is none
	Inside               func() []Field // those of an object; nil for anything else
	Closed               bool           // of headers: an object that refuses what it does not name
	Text                 bool           // it is text on the wire, also if it is a time in Go
}

func avroFields(list []avro.Field) []Field {
	out := make([]Field, len(list))
	for i, f := range list {
		out[i] = Field{Name: f.Name, GoName: f.GoName, GoType: f.GoType, Kind: f.Kind, Dispensable: f.Nullable}
		if f.Kind == "record" {
			out[i].Inside = func() []Field { return avroFields(f.Fields()) }
		}
	}
	return out
}

func jsonFields(list []jsonschema.Field) []Field {
	out := make([]Field, len(list))
	for i, f := range list {
		out[i] = Field{Name: f.Name, GoName: f.GoName, GoType: f.GoType, Kind: f.Kind, Dispensable: f.Optional || f.Nullable, Closed: f.Closed, Text: isText(f)}
		if f.Kind == "object" {
			out[i].Inside = func() []Field { return jsonFields(f.Fields()) }
		}
	}
	return out
}

// isText reports whether a field is a string that is text or a time in Go.
func isText(f jsonschema.Field) bool {
	return f.Kind == "string" && slices.Contains([]string{"", "date-time", "date", "time", "duration", "uuid"}, f.Format)
}

// Names returns the names of fields.
func Names(fields []Field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.Name
	}
	return out
}

// Index returns the index of the field of that name, or -1.
func Index(fields []Field, name string) int {
	return slices.IndexFunc(fields, func(f Field) bool { return f.Name == name })
}

// Base returns the type of the value without what makes it optional.
func (f Field) Base() string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(f.GoType, "jsonvalue.Optional["), "*"), "]")
}

// Readable reports whether values of the field are text, or can be converted to text and back.
func (f Field) Readable() bool {
	return f.Text || slices.Contains([]string{"string", "int64", "int32", "int", "uuid.UUID", "avrobin.UUID"}, f.Base())
}

// AsText returns the Go of the field of m as text, if it is always set and has such a form;
// otherwise it returns "".
func (f Field) AsText(m string) string {
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
