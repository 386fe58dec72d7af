package asyncdiff

import (
	"cmp"
	"fmt"
	"mime"
	"strings"

	"github.com/deferpay/deferpay/tools/contractdiff/avrodiff"
	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/jsondiff"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// likeness returns a higher number the more two messages have in common, and 0 if they have
// nothing.
func likeness(a, b *parse.ChannelMessage) int {
	out := 0
	if a.Message.Name == b.Message.Name {
		out += 2
	}
	if a.Name == b.Name {
		out++
	}
	return out
}

// like returns the message of a channel that takes the place of a former one.
func like(m *parse.ChannelMessage, n *parse.Channel) *parse.ChannelMessage {
	var best *parse.ChannelMessage
	most := 0
	for _, k := range n.Messages {
		if l := likeness(m, k); l > most {
			best, most = k, l
		}
	}
	return best
}

func (d *differ) messages(c, n *parse.Channel) {
	met := map[*parse.ChannelMessage]bool{}
	for _, m := range c.Messages {
		k := like(m, n)
		if k == nil && len(c.Messages) == 1 && len(n.Messages) == 1 {
			k = n.Messages[0] // the only message was renamed
		}
		if k == nil {
			d.of(finding.Breaking, "MESSAGE_REMOVED", finding.Old, m.Pos, "keep the message until nobody relies on it", "message %s of %s is gone%s", m.Message.Name, label(c), d.users(topic(c)))
			continue
		}
		met[k] = true
		d.message(c, n, m, k)
	}
	for _, k := range n.Messages {
		if !met[k] {
			d.report(Kind, finding.Difference{Level: finding.Warning, ID: "MESSAGE_ADDED", Pos: k.Pos, Key: true, Message: fmt.Sprintf("message %s of %s is new", k.Message.Name, label(n)),
				Hint: d.hintOf(finding.Difference{Order: finding.ConsumersFirst}, n)})
		}
	}
}

// message compares two versions of a message.
func (d *differ) message(c, n *parse.Channel, m, k *parse.ChannelMessage) {
	name, user := k.Message.Name, use(n, k.Message)
	if m.Message.Name != name {
		d.of(finding.Info, "MESSAGE_RENAMED", finding.New, k.Pos, "", "message %s is called %s now", m.Message.Name, name)
	}
	if a, b := content(d.former, m.Message), content(d.next, k.Message); a != b {
		d.part(finding.Breaking, "CONTENT_TYPE_CHANGED", finding.New, k.Message.Pos, user, "add a message of another name", "the content type changed from %q to %q", a, b)
	}
	if a, b := d.former.framing(c, m.Message), d.next.framing(n, k.Message); a != b {
		d.part(finding.Semantic, "FRAMING_CHANGED", finding.New, cmp.Or(k.EncodingPos, k.Message.Pos), user, "add a topic with the new framing", "the framing changed from %s to %s", a, b)
	}
	if m.Lookup != k.Lookup {
		d.part(finding.Semantic, "LOOKUP_STRATEGY_CHANGED", finding.New, cmp.Or(k.LookupPos, k.Message.Pos), user, "register the schema under both subjects first", "the subject is found by %q instead of %q", k.Lookup, m.Lookup)
	}
	if a, b := location(m.Correlation), location(k.Correlation); a != b {
		d.part(finding.Semantic, "CORRELATION_CHANGED", finding.New, k.Message.Pos, user, "keep where the correlation id is", "the correlation id is at %q instead of %q", b, a)
	}
	d.parts(n, m.Message, k.Message)
}

func location(l *parse.Location) string {
	if l == nil {
		return ""
	}
	return l.Text
}

// content returns the media type of a message without parameters.
func content(d *Document, m *parse.Message) string {
	text := cmp.Or(m.ContentType, d.Content)
	if kind, _, err := mime.ParseMediaType(text); err == nil {
		return kind
	}
	return strings.ToLower(text)
}

func use(n *parse.Channel, m *parse.Message) string { return m.Name + " on " + label(n) }

func (d *differ) payload(n *parse.Channel, m, k *parse.Message) {
	a, b := m.Payload, k.Payload
	switch {
	case a == nil && b == nil:
	case a == nil:
		d.changed(finding.Warning, "PAYLOAD_ADDED", b.Schema.Pos, "", "message %s has a payload", k.Name)
	case b == nil:
		d.changed(finding.Breaking, "PAYLOAD_REMOVED", k.Pos, "keep the payload", "message %s has no payload any more", k.Name)
	default:
		d.schema(use(n, k), a, b, k, n, d.role(n))
	}
}

// schema compares two schemas of what is said to use them. The message is nil if it is none.
func (d *differ) schema(user string, a, b *parse.Payload, k *parse.Message, n *parse.Channel, role jsondiff.Role) {
	switch {
	case a.Format != b.Format:
		d.part(finding.Breaking, "PAYLOAD_FORMAT_CHANGED", finding.New, b.Schema.Pos, user, "add a message of another name", "the schema is written in another format")
	case a.Format == parse.Avro:
		former, next := d.former.avroType(a), d.next.avroType(b)
		versioned := k != nil && k.Versions != nil
		kept := versioned && d.next.kept(k, former)
		for _, diff := range avrodiff.Compare(former, next, d.mode) {
			if versioned && diff.Order == finding.ConsumersFirst {
				continue // a private log has no other readers
			}
			if kept && diff.Order != finding.ConsumersFirst {
				diff.Level, diff.Hint = finding.Info, ""
				diff.Message += "; the former version is kept in x-versions"
			}
			diff.Hint = d.hintOf(diff, n)
			d.report("avro", diff, user)
		}
	case a.Format == parse.JSONSchema:
		for _, diff := range jsondiff.Compare(d.former.json(a.Schema), d.next.json(b.Schema), role) {
			diff.Hint = d.hintOf(diff, n)
			d.report("jsonschema", diff, user)
		}
	case !source.Equal(a.Schema, b.Schema):
		d.part(finding.Warning, "PAYLOAD_NOT_COMPARED", finding.New, b.Schema.Pos, user, "compare the schemas with a tool for their format", "the schema changed, in a format that is not read: %s", b.Name)
	}
}

func (d *Document) json(n *source.Node) jsondiff.Schema {
	return jsondiff.Schema{Node: n, Deref: d.Reader.Deref}
}

const keyHint = "add a topic with the new key: records of one key stay in order, and may be compacted, by the former one"

func (d *differ) key(n *parse.Channel, m, k *parse.Message) {
	a, b := m.Key, k.Key
	switch {
	case a == nil && b == nil:
	case a == nil:
		d.part(finding.Semantic, "KEY_ADDED", finding.New, b.Schema.Pos, use(n, k), keyHint, "the message has a key, and had none")
	case b == nil:
		d.part(finding.Semantic, "KEY_REMOVED", finding.Old, a.Schema.Pos, use(n, k), keyHint, "the message has no key any more")
	case a.Format != b.Format:
		d.part(finding.Semantic, "KEY_SCHEMA_CHANGED", finding.New, b.Schema.Pos, use(n, k), keyHint, "the key is described in another format")
	default:
		if a.Field != b.Field {
			d.part(finding.Semantic, "KEY_FIELD_CHANGED", finding.New, b.Schema.Pos, use(n, k), keyHint, "the key is the field %q instead of %q", b.Field, a.Field)
		}
		if d.keySchemaChanged(a, b) {
			d.part(finding.Semantic, "KEY_SCHEMA_CHANGED", finding.New, b.Schema.Pos, use(n, k), keyHint, "the schema of the key changed")
		}
	}
}

func (d *differ) keySchemaChanged(a, b *parse.Key) bool {
	switch a.Format {
	case parse.Avro:
		x, y := d.former.avroType(a.Payload), d.next.avroType(b.Payload)
		return string(x.Canonical()) != string(y.Canonical()) || len(avrodiff.Compare(x, y, avrodiff.Full)) > 0
	case parse.JSONSchema:
		return !jsondiff.Same(d.former.json(a.Schema), d.next.json(b.Schema))
	}
	return !source.Equal(a.Schema, b.Schema)
}
