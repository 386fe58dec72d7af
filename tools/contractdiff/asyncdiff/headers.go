package asyncdiff

import (
	"cmp"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/jsondiff"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// headers compares the headers of a message. Their schemas are judged as those of payloads are:
// what is sent is read by consumers of the former contract, and what is received was written by
// producers of it.
func (d *differ) headers(n *parse.Channel, m, k *parse.Message) {
	a, b := headerSchema(m), headerSchema(k)
	if (a == nil) != (b == nil) {
		d.changed(finding.Warning, "HEADERS_NOT_COMPARED", k.Pos, "", "the headers of message %s are described in another format", k.Name)
		return
	}
	user, role := use(n, k), d.role(n)
	was, is := d.former.headers(m), d.next.headers(k)
	for _, h := range was {
		if next, known := prop(is, h.Name); known {
			d.header(user, h, next, role)
		} else {
			d.headerGone(user, h, role)
		}
	}
	for _, h := range is {
		if _, known := prop(was, h.Name); known {
			continue
		}
		at := cmp.Or(h.Pos, k.Pos)
		if h.Required {
			d.part(finding.Semantic, "HEADER_MADE_REQUIRED", finding.New, at, user, "release the header as an optional one first", "the header %s is new and required", h.Name)
		} else {
			d.part(finding.Info, "HEADER_ADDED", finding.New, at, user, "", "the optional header %s is new", h.Name)
		}
	}
	if a == nil {
		return
	}
	for _, diff := range jsondiff.Compare(d.former.json(optional(a)), d.next.json(optional(b)), role) {
		diff.Message, diff.Hint = "headers: "+diff.Message, strings.ReplaceAll(diff.Hint, "property", "header")
		d.report(Kind, diff, user)
	}
}

// headerGone reports a header that only the former version has.
func (d *differ) headerGone(user string, h parse.Prop, role jsondiff.Role) {
	switch {
	case !h.Required:
		d.part(finding.Warning, "HEADER_REMOVED", finding.Old, h.Pos, user, "", "the optional header %s is gone", h.Name)
	case role&jsondiff.Sent == 0:
		d.part(finding.Warning, "HEADER_REMOVED", finding.Old, h.Pos, user, "", "the header %s is not read any more", h.Name)
	default:
		d.part(finding.Breaking, "HEADER_REMOVED", finding.Old, h.Pos, user, "keep the header until every consumer works without it", "the header %s is gone", h.Name)
	}
}

// header compares whether a header that both versions have is required. Headers that are described
// as Avro are compared here as a whole.
func (d *differ) header(user string, a, b parse.Prop, role jsondiff.Role) {
	switch {
	case !a.Required && b.Required:
		d.part(finding.Semantic, "HEADER_MADE_REQUIRED", finding.New, b.Pos, user, "make it required when every producer writes it", "the header %s is required now", b.Name)
	case a.Required && !b.Required && role&jsondiff.Sent == 0:
		d.part(finding.Warning, "HEADER_MADE_OPTIONAL", finding.New, b.Pos, user, "", "the header %s may be absent now", b.Name)
	case a.Required && !b.Required:
		d.part(finding.Breaking, "HEADER_MADE_OPTIONAL", finding.New, b.Pos, user, "keep writing it until every consumer works without it", "the header %s may be absent now", b.Name)
	}
	if !sameScalar(a.Scalar, b.Scalar) {
		d.part(finding.Breaking, "HEADER_SCHEMA_CHANGED", finding.New, b.Pos, user, "add a header of another name", "the schema of the header %s changed", b.Name)
	}
}

// sameScalar reports whether two Avro types of a header are the same. Those of JSON Schema have
// nothing to compare.
func sameScalar(x, y parse.Scalar) bool {
	return x.Type == y.Type && x.Format == y.Format && x.Const == y.Const && slices.Equal(x.Enum, y.Enum)
}

func prop(list []parse.Prop, name string) (parse.Prop, bool) {
	for _, p := range list {
		if p.Name == name {
			return p, true
		}
	}
	return parse.Prop{}, false
}

// headerSchema returns the JSON Schema of the headers of a message: any object if it declares none,
// and nil if it declares them as Avro.
func headerSchema(m *parse.Message) *source.Node {
	switch {
	case m.HeaderNode != nil:
		return m.HeaderNode
	case m.Headers != nil:
		return nil
	}
	text := func(value string) *source.Node {
		return &source.Node{Pos: m.Pos, Kind: source.String, Value: value}
	}
	return &source.Node{Pos: m.Pos, Kind: source.Map, Pairs: []source.Pair{{Key: text("type"), Value: text("object")}}}
}

// headers returns the headers of a message. Of JSON Schema they have no types here, which are
// compared as schemas.
func (d *Document) headers(m *parse.Message) (out []parse.Prop) {
	if m.HeaderNode == nil {
		if m.Headers != nil {
			out = m.Headers.Props
		}
		return out
	}
	required := m.HeaderNode.Get("required")
	for _, p := range members(m.HeaderNode.Get("properties")) {
		h := parse.Prop{Name: p.Key.Value, Scalar: parse.Scalar{Pos: p.Value.Pos}}
		if n := d.Reader.Deref(p.Value); n != nil {
			h.Pos = n.Pos
		}
		h.Required = required.Is(source.Seq) && slices.ContainsFunc(required.Items, func(n *source.Node) bool { return n.Value == h.Name })
		out = append(out, h)
	}
	return out
}

func members(n *source.Node) []source.Pair {
	if n == nil {
		return nil
	}
	return n.Pairs
}

// optional returns a schema of headers of which none is required.
func optional(n *source.Node) *source.Node {
	if n.Get("required") == nil {
		return n
	}
	return n.WithPairs(slices.DeleteFunc(slices.Clone(n.Pairs), func(p source.Pair) bool { return p.Key.Value == "required" }))
}
