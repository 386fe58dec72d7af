package parse

import (
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Settings sets what the documents leave out, from a file beside them:
//
//	package: shopbus
//	framing: confluent
//	channels:
//	  orders: {topic: shop.orders.v1}
//	messages:
//	  OrderPlaced:
//	    framing: none
//	    key: orderRef
//	    headers: {event: placed}
//	operations:
//	  onOrders: {dispatch: in-order}
//
// A framing has the values of schemaIdPayloadEncoding; the one at the top is for every message that
// says nothing. A key is the field of the payload that is the key, or a schema. Headers have one
// value each and distinguish messages; dispatch is x-dispatch. What is set for a channel, a message
// or an operation replaces what the document says. The package is that of the only document.
func Settings(root *source.Node, docs []*Document, files *reference.Files, diags *diag.List) {
	if root == nil {
		return
	}
	if !root.Is(source.Map) {
		diags.ErrorHint(root.Pos, "write package: NAME, or messages: {NAME: {framing: confluent}}", "the config must be an object, not %s", root.Kind)
		return
	}
	s := &settings{parser{Files: files, diags: diags}, docs}
	for _, p := range root.Pairs {
		switch {
		case p.Key.Value == "package" && len(docs) != 1:
			diags.ErrorHint(p.Key.Pos, "write info.x-go-package in each", "package is for one document, and there are %d", len(docs))
		case p.Key.Value == "package":
			docs[0].GoPackage, docs[0].PackagePos = p.Value.Str(), p.Value.Pos
		case p.Key.Value == "framing" && p.Value.Is(source.String):
			frame(p.Value, docs)
		case p.Key.Value == "channels" && p.Value.Is(source.Map):
			s.channels(p.Value)
		case p.Key.Value == "messages" && p.Value.Is(source.Map):
			s.messages(p.Value)
		case p.Key.Value == "operations" && p.Value.Is(source.Map):
			s.operations(p.Value)
		default:
			diags.ErrorHint(p.Key.Pos, diag.OneOf("keys", p.Key.Value, []string{"package", "framing", "channels", "messages", "operations"}), "the config has no key %q, or it is no object", p.Key.Value)
		}
	}
}

// frame sets the framing of every message for which the document does not say it.
func frame(framing *source.Node, docs []*Document) {
	for _, d := range docs {
		for _, c := range d.Channels {
			for _, m := range c.Messages {
				if m.Encoding == "" && m.Payload != nil && m.Payload.Format != Raw {
					m.Encoding, m.EncodingPos = framing.Value, framing.Pos
				}
			}
		}
	}
}

// settings applies a config.
type settings struct {
	parser
	docs []*Document
}

// set applies the keys of one channel, message or operation. It adds a fault if no document has
// one of that name, for a key that does not exist, and if there is no key at all.
func (s *settings) set(what string, of source.Pair, names []string, found bool, example string, keys map[string]func(*source.Node)) {
	name := of.Key.Value
	if !found {
		slices.Sort(names)
		s.diags.ErrorHint(of.Key.Pos, diag.OneOf(what+"s", name, slices.Compact(names)), "no document has the %s %q", what, name)
	}
	if !of.Value.Is(source.Map) || len(of.Value.Pairs) == 0 {
		s.diags.ErrorHint(of.Value.Pos, "write "+example, "the config of %s %s sets nothing", what, name)
		return
	}
	for _, p := range of.Value.Pairs {
		set := keys[p.Key.Value]
		if set == nil {
			known := make([]string, 0, len(keys))
			for key := range keys {
				known = append(known, key)
			}
			slices.Sort(known)
			s.diags.ErrorHint(p.Key.Pos, diag.OneOf("keys", p.Key.Value, known), "the config of %s %s has no key %q", what, name, p.Key.Value)
			continue
		}
		set(p.Value)
	}
}

// textOf returns a text that is not empty, or adds a fault.
func (s *settings) textOf(what string, n *source.Node) (string, bool) {
	if !n.Is(source.String) || strings.TrimSpace(n.Value) == "" {
		s.diags.Errorf(n.Pos, "%s in the config must be text", what)
		return "", false
	}
	return n.Value, true
}

func (s *settings) channels(list *source.Node) {
	for _, of := range list.Pairs {
		var names []string
		var found []*Channel
		for _, d := range s.docs {
			for _, c := range d.Channels {
				if names = append(names, c.Name); c.Name == of.Key.Value {
					found = append(found, c)
				}
			}
		}
		s.set("channel", of, names, len(found) > 0, "topic: NAME", map[string]func(*source.Node){
			"topic": func(n *source.Node) {
				topic, ok := s.textOf("a topic", n)
				for _, c := range found {
					if ok {
						c.Kafka.Topic = topic
					}
				}
			},
		})
	}
}

func (s *settings) messages(list *source.Node) {
	for _, of := range list.Pairs {
		var names []string
		var found []*Message
		for _, d := range s.docs {
			for _, c := range d.Channels {
				for _, m := range c.Messages {
					if names = append(names, m.Message.Name); m.Message.Name == of.Key.Value && !slices.Contains(found, m.Message) {
						found = append(found, m.Message)
					}
				}
			}
		}
		each := func(set func(*Message, *source.Node)) func(*source.Node) {
			return func(n *source.Node) {
				for _, m := range found {
					set(m, n)
				}
			}
		}
		s.set("message", of, names, len(found) > 0, "framing: confluent, apicurio-new, avro-single-object or none, key: FIELD, or headers: {NAME: VALUE}", map[string]func(*source.Node){
			"framing": each(s.framing), "key": each(s.keyOf), "headers": each(s.headersOf),
		})
	}
}

func (s *settings) framing(m *Message, n *source.Node) {
	if framing, ok := s.textOf("a framing", n); ok {
		m.Encoding, m.EncodingPos = framing, n.Pos
	}
}

// keyOf sets the key of a message: a field of its payload, or a schema.
func (s *settings) keyOf(m *Message, n *source.Node) {
	if !n.Is(source.Map) {
		field, ok := s.textOf("a key", n)
		if !ok {
			return
		}
		word := func(v string) *source.Node { return &source.Node{Pos: n.Pos, Kind: source.String, Value: v} }
		n = &source.Node{Pos: n.Pos, Kind: source.Map, Pairs: []source.Pair{
			{Key: word("type"), Value: word("string")}, {Key: word("x-key-field"), Value: word(field)},
		}}
	}
	m.Key = s.key(n)
	m.Broken = m.Broken || m.Key == nil
}

// headersOf sets headers of a message that have one value each.
func (s *settings) headersOf(m *Message, n *source.Node) {
	if !n.Is(source.Map) {
		s.diags.ErrorHint(n.Pos, "write headers: {NAME: VALUE}", "the headers of message %s in the config must be an object, not %s", m.Name, n.Kind)
		return
	}
	if m.HeaderRef != nil {
		s.diags.ErrorHint(n.Pos, "set them with an overlay", "the headers of message %s have a schema that is more than properties with text or numbers", m.Name)
		return
	}
	o := &Object{Pos: n.Pos}
	if m.Headers != nil { // those of a name may be shared
		of := *m.Headers
		of.Name, of.Props = "", slices.Clone(of.Props)
		o = &of
	}
	for _, p := range n.Pairs {
		value, ok := s.textOf("header "+p.Key.Value, p.Value)
		if !ok {
			continue
		}
		o.Props = slices.DeleteFunc(o.Props, func(h Prop) bool { return h.Name == p.Key.Value })
		o.Props = append(o.Props, Prop{Name: p.Key.Value, Required: true, Scalar: Scalar{Pos: p.Value.Pos, Type: "string", Const: value}})
	}
	m.Headers = o
}

func (s *settings) operations(list *source.Node) {
	for _, of := range list.Pairs {
		var names []string
		var found []*Operation
		for _, d := range s.docs {
			for _, o := range d.Operations {
				if names = append(names, o.Name); o.Name == of.Key.Value {
					found = append(found, o)
				}
			}
		}
		s.set("operation", of, names, len(found) > 0, "dispatch: in-order", map[string]func(*source.Node){
			"dispatch": func(n *source.Node) {
				if n.Str() != "in-order" {
					s.diags.ErrorHint(n.Pos, "the only value is in-order", "the dispatch %q of operation %s is not known", n.Value, of.Key.Value)
				}
				for _, o := range found {
					o.InOrder = true
				}
			},
		})
	}
}
