package parse

import (
	"slices"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Settings sets what the documents leave out, from a file beside them:
//
//	package: shopbus
//	framing: confluent
//	messages:
//	  OrderPlaced:
//	    framing: none
//
// A framing has the values of schemaIdPayloadEncoding. That of a message replaces what the document
// says; the one at the top is for every message that says nothing. The package is that of the only
// document.
func Settings(root *source.Node, docs []*Document, diags *diag.List) {
	if root == nil {
		return
	}
	if !root.Is(source.Map) {
		diags.ErrorHint(root.Pos, "write package: NAME, or messages: {NAME: {framing: confluent}}", "the config must be an object, not %s", root.Kind)
		return
	}
	for _, p := range root.Pairs {
		switch {
		case p.Key.Value == "package" && len(docs) != 1:
			diags.ErrorHint(p.Key.Pos, "write info.x-go-package in each", "package is for one document, and there are %d", len(docs))
		case p.Key.Value == "package":
			docs[0].GoPackage, docs[0].PackagePos = p.Value.Str(), p.Value.Pos
		case p.Key.Value == "framing" && p.Value.Is(source.String):
			frame(p.Value, docs)
		case p.Key.Value == "messages" && p.Value.Is(source.Map):
			for _, m := range p.Value.Pairs {
				settings(m, docs, diags)
			}
		default:
			diags.ErrorHint(p.Key.Pos, diag.OneOf("keys", p.Key.Value, []string{"package", "framing", "messages"}), "the config has no key %q, or it is no object", p.Key.Value)
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

// settings sets what a document leaves out about a message.
func settings(of source.Pair, docs []*Document, diags *diag.List) {
	var names []string
	var found []*Message
	for _, d := range docs {
		for _, c := range d.Channels {
			for _, m := range c.Messages {
				names = append(names, m.Message.Name)
				if m.Message.Name == of.Key.Value {
					found = append(found, m.Message)
				}
			}
		}
	}
	if len(found) == 0 {
		diags.ErrorHint(of.Key.Pos, diag.OneOf("messages", of.Key.Value, slices.Compact(slices.Sorted(slices.Values(names)))), "no document has a message %q", of.Key.Value)
	}
	framing := of.Value.Get("framing")
	for _, p := range of.Value.Keys() {
		if p != "framing" {
			diags.ErrorHint(of.Value.Pos, "the only key is framing", "the config of message %s has no key %q", of.Key.Value, p)
		}
	}
	if !framing.Is(source.String) {
		diags.ErrorHint(of.Value.Pos, "write framing: confluent, apicurio-new, avro-single-object or none", "the config of message %s has no framing", of.Key.Value)
		return
	}
	for _, m := range found {
		m.Encoding, m.EncodingPos = framing.Value, framing.Pos
	}
}
