package parse

import (
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Versions is x-versions of a message: every version of the schema of its payload that was ever
// written, the present one included.
type Versions struct {
	Pos  diag.Pos       // of the list, or of the reference to it
	List []*source.Node // schemas, with references followed
	// File is the file that holds the list and nothing else. It is empty if the list is part of the
	// document or of another file.
	File string
}

// versions reads x-versions. It returns nil if the message has none, or after reporting why it
// cannot be read.
func (p *parser) versions(m *Message, n *source.Node) *Versions {
	at := n.Get("x-versions")
	if at == nil {
		return nil
	}
	if m.Payload == nil || m.Payload.Format != Avro {
		if !m.Broken {
			p.diags.ErrorHint(at.Pos, "write the payload as Avro, or remove x-versions", "x-versions of message %s, whose payload is not Avro", m.Name)
		}
		return nil
	}
	v := &Versions{Pos: at.Pos}
	if reference.Is(at) {
		v.Pos = at.Get("$ref").Pos
		if v.File = p.wholeFile(at.Get("$ref")); v.File != "" && !p.Exists(v.File) {
			return v
		}
		if at = p.Deref(at); at == nil {
			return nil
		}
	}
	if !at.Is(source.Seq) {
		p.diags.ErrorHint(at.Pos, "write a list of Avro schemas, or a $ref to a file that holds one", "x-versions of message %s must be a list, not %s", m.Name, at.Kind)
		return nil
	}
	for _, it := range at.Items {
		if it = p.Deref(it); it != nil {
			v.List = append(v.List, it)
		}
	}
	return v
}

// wholeFile returns the local file that a reference names, or "" if it names a part of a file or a
// URL.
func (p *parser) wholeFile(ref *source.Node) string {
	file, pointer, _ := strings.Cut(ref.Value, "#")
	if file == "" || pointer != "" {
		return ""
	}
	if at := p.Resolve(ref.File(), file); !strings.Contains(at, "://") {
		return at
	}
	return ""
}
