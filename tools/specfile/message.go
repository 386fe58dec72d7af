package specfile

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Message is a message of an AsyncAPI document together with its traits.
type Message struct {
	Name string
	Value
}

// Lookup returns the value at a path of member names. The message itself takes precedence, then its
// traits, the last one first.
func (m Message) Lookup(path ...string) Value {
	if v := m.Get(path...); v.Ok() {
		return v
	}
	traits := m.Get("traits").Items()
	for i := len(traits) - 1; i >= 0; i-- {
		if v := traits[i].Get(path...); v.Ok() {
			return v
		}
	}
	return Value{}
}

// Payload returns the schema of the payload and its format. The format is "" if the payload is a
// plain schema.
func (m Message) Payload() (schema Value, format string) {
	p := m.Lookup("payload")
	if f := p.Get("schemaFormat"); f.Ok() {
		return p.Get("schema"), f.Str()
	}
	return p, ""
}

// Messages returns the messages of a channel under the names that they have in the channel.
func Messages(channel Value) []Message {
	var out []Message
	for _, m := range channel.Get("messages").Members() {
		out = append(out, Message(m))
	}
	return out
}

// IsAvro reports whether a schema format is Avro.
func IsAvro(format string) bool {
	return strings.HasPrefix(strings.ToLower(strings.ReplaceAll(format, " ", "")), "application/vnd.apache.avro")
}

// AvroText returns an Avro schema as one self-contained text: a type that is declared in another
// file of the directory is inserted where it is first used.
func AvroText(schema Value) (string, error) {
	in := inliner{set: schema.set, dir: filepath.Dir(schema.File), done: map[string]bool{}}
	out, err := in.schema(schema.Node, "")
	if err != nil {
		return "", fmt.Errorf("%s: %w", schema.File, err)
	}
	text, err := json.Marshal(out)
	return string(text), err
}

var primitives = map[string]bool{"null": true, "boolean": true, "int": true, "long": true, "float": true, "double": true, "bytes": true, "string": true}

// inliner walks a schema in the order of its text, in which Avro resolves names.
type inliner struct {
	set  *Set
	dir  string
	done map[string]bool // full names declared so far
}

func (in *inliner) schema(n *source.Node, namespace string) (any, error) {
	switch {
	case n.Is(source.String):
		return in.name(n.Value, namespace)
	case n.Is(source.Seq):
		out := make([]any, len(n.Items))
		for i, it := range n.Items {
			s, err := in.schema(it, namespace)
			if err != nil {
				return nil, err
			}
			out[i] = s
		}
		return out, nil
	case n.Is(source.Map):
		return in.object(n, namespace)
	}
	return nil, fmt.Errorf("%s: not an Avro schema", n.Pos)
}

func (in *inliner) name(name, namespace string) (any, error) {
	if primitives[name] {
		return name, nil
	}
	full := name
	if !strings.Contains(name, ".") && namespace != "" {
		full = namespace + "." + name
	}
	if in.done[full] {
		return full, nil
	}
	file := filepath.Join(in.dir, full[strings.LastIndex(full, ".")+1:]+".avsc")
	v, err := in.set.Open(file)
	if err != nil {
		return nil, fmt.Errorf("type %s is not declared: %w", full, err)
	}
	return in.schema(v.Node, "")
}

func (in *inliner) object(n *source.Node, namespace string) (any, error) {
	if name := n.Get("name").Str(); name != "" && n.Get("type").Is(source.String) {
		switch n.Get("type").Value {
		case "record", "error", "enum", "fixed":
			if i := strings.LastIndex(name, "."); i >= 0 {
				namespace, name = name[:i], name[i+1:]
			} else if ns := n.Get("namespace"); ns != nil {
				namespace = ns.Str()
			}
			full := name
			if namespace != "" {
				full = namespace + "." + name
			}
			in.done[full] = true
		}
	}
	out := ordered{}
	for _, p := range n.Pairs {
		var v any = json.RawMessage(p.Value.JSON())
		var err error
		switch p.Key.Value {
		case "type":
			if !isKind(p.Value.Str()) {
				v, err = in.schema(p.Value, namespace)
			}
		case "items", "values":
			v, err = in.schema(p.Value, namespace)
		case "fields":
			v, err = in.fields(p.Value, namespace)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, entry{p.Key.Value, v})
	}
	return out, nil
}

func (in *inliner) fields(n *source.Node, namespace string) (any, error) {
	out := []any{} // a record may have none
	for _, f := range n.Items {
		field := ordered{}
		for _, p := range f.Pairs {
			var v any = json.RawMessage(p.Value.JSON())
			if p.Key.Value == "type" {
				var err error
				if v, err = in.schema(p.Value, namespace); err != nil {
					return nil, err
				}
			}
			field = append(field, entry{p.Key.Value, v})
		}
		out = append(out, field)
	}
	return out, nil
}

func isKind(s string) bool {
	switch s {
	case "record", "error", "enum", "fixed", "array", "map":
		return true
	}
	return false
}

// ordered is a JSON object that keeps the order of its members.
type ordered []entry

type entry struct {
	key   string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o ordered) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	b.WriteByte('{')
	for i, e := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		k, err := json.Marshal(e.key)
		if err != nil {
			return nil, err
		}
		v, err := json.Marshal(e.value)
		if err != nil {
			return nil, err
		}
		b.Write(k)
		b.WriteByte(':')
		b.Write(v)
	}
	b.WriteByte('}')
	return []byte(b.String()), nil
}
