package asyncdiff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/contractdiff/avrodiff"
	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/jsondiff"
	"github.com/deferpay/deferpay/tools/eventgen/avro/compat"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// Pairs compares what applications receive with what others send on the same topics: whether every
// consumer can read what every producer writes, by the documents of both. There is no former
// version.
func Pairs(docs []*Document) (out []finding.Finding) {
	for _, consumer := range docs {
		for _, o := range consumer.Operations {
			switch {
			case o.Action == parse.Receive:
				out = append(out, received(consumer, o, docs)...)
			case o.Reply != nil:
				out = append(out, replied(consumer, o, docs)...)
			}
		}
	}
	return finding.Merge(out)
}

// received returns the findings about an operation of a consumer.
func received(consumer *Document, o *parse.Operation, docs []*Document) (out []finding.Finding) {
	var senders []string
	sent := map[*parse.ChannelMessage]bool{}
	for _, producer := range docs {
		for _, p := range producer.Operations {
			if p.Action != parse.Send || topic(p.Channel) != topic(o.Channel) || topic(o.Channel) == "" {
				continue
			}
			if !slices.Contains(senders, producer.name()) {
				senders = append(senders, producer.name())
			}
			d := &pair{differ{former: producer, next: consumer, mode: avrodiff.Backward}, o, p}
			d.messages(sent)
			out = append(out, d.out...)
		}
	}
	d := &differ{former: consumer, next: consumer}
	if len(senders) == 0 {
		d.of(finding.Warning, "NO_PRODUCER", finding.New, o.Pos, "name the producer's document too", "no document sends to %s, which %s receives", label(o.Channel), consumer.name())
		return append(out, d.out...)
	}
	names := strings.Join(senders, ", ")
	for _, k := range o.Messages {
		if !sent[k] {
			d.part(finding.Warning, "MESSAGE_NOT_SENT", finding.New, k.Message.Pos, users(o.Channel, k.Message, names, consumer.name()), "",
				"the message %s is not sent to %s by %s", k.Message.Name, label(o.Channel), names)
		}
	}
	return append(out, d.out...)
}

// replied returns the findings about the replies that a requester waits for: those that the
// receivers of its requests send.
func replied(requester *Document, o *parse.Operation, docs []*Document) (out []finding.Finding) {
	var receivers []string
	replies := false
	for _, responder := range docs {
		for _, p := range responder.Operations {
			if p.Action != parse.Receive || topic(p.Channel) != topic(o.Channel) || topic(o.Channel) == "" {
				continue
			}
			if !slices.Contains(receivers, responder.name()) {
				receivers = append(receivers, responder.name())
			}
			if p.Reply == nil {
				continue
			}
			replies = true
			d := &pair{differ{former: responder, next: requester, mode: avrodiff.Backward}, replyOf(o), replyOf(p)}
			if a, b := addresses(p.Reply, o.Reply); a != b {
				d.changed(finding.Breaking, "REPLY_ADDRESS_DIFFERS", o.Reply.Pos, "", "%s sends replies to %s, and %s waits for them at %s", responder.name(), a, requester.name(), b)
			}
			if o.Reply.Channel != nil && p.Reply.Channel != nil {
				d.messages(map[*parse.ChannelMessage]bool{})
			}
			out = append(out, d.out...)
		}
	}
	if len(receivers) > 0 && !replies {
		d := &differ{former: requester, next: requester}
		d.changed(finding.Breaking, "REPLY_NOT_SENT", o.Reply.Pos, "", "%s waits for a reply to what it sends to %s, and %s sends none", requester.name(), label(o.Channel), strings.Join(receivers, ", "))
		out = append(out, d.out...)
	}
	return out
}

// addresses returns where one side sends replies and where the other one waits for them, and
// nothing if one names a part of the request and the other one a topic: the requester may put that
// topic into the request.
func addresses(sent, awaited *parse.Reply) (string, string) {
	if (sent.Address == nil) != (awaited.Address == nil) {
		sent, awaited = &parse.Reply{Channel: sent.Channel}, &parse.Reply{Channel: awaited.Channel}
	}
	a, b := address(sent), address(awaited)
	if a == "" || b == "" {
		return "", ""
	}
	return a, b
}

// replyOf returns the reply of an operation as the operation that sends or receives it.
func replyOf(o *parse.Operation) *parse.Operation {
	action := parse.Send
	if o.Action == parse.Send {
		action = parse.Receive
	}
	return &parse.Operation{Name: o.Name, Pos: o.Pos, Action: action, Channel: o.Reply.Channel, Messages: o.Reply.Messages}
}

// users names the applications between which a message goes.
func users(c *parse.Channel, m *parse.Message, producers, consumer string) string {
	return fmt.Sprintf("%s from %s to %s", use(c, m), producers, consumer)
}

// pair is a consumer's operation and a producer's one on the same topic. The producer's document is
// in the place of the former version.
type pair struct {
	differ
	receive, send *parse.Operation
}

func (d *pair) users(m *parse.Message) string {
	return users(d.receive.Channel, m, d.former.name(), d.next.name())
}

func (d *pair) add(level finding.Level, id string, k *parse.Message, hint, format string, args ...any) {
	d.part(level, id, finding.New, k.Pos, d.users(k), hint, format, args...)
}

// messages compares the messages, and adds those of the consumer that the producer sends to a set.
func (d *pair) messages(sent map[*parse.ChannelMessage]bool) {
	for _, m := range d.send.Messages {
		k := d.reader(m, d.receive.Messages)
		switch {
		case k != nil:
			sent[k] = true
			d.message(m, k)
		case d.reader(m, d.receive.Channel.Messages) != nil:
			// the consumer declares it, and does not receive it
		default:
			d.unknown(m)
		}
	}
}

// reader returns the message of a list that stands for one of the producer: that of its name, or of
// its Avro record.
func (d *pair) reader(m *parse.ChannelMessage, list []*parse.ChannelMessage) *parse.ChannelMessage {
	for _, k := range list {
		if k.Message.Name == m.Message.Name {
			return k
		}
	}
	for _, k := range list {
		if name := d.next.record(k.Message); name != "" && name == d.former.record(m.Message) {
			return k
		}
	}
	return nil
}

// record returns the full name of the type of an Avro payload, "" if there is none.
func (d *Document) record(m *parse.Message) string {
	if m.Payload == nil || m.Payload.Format != parse.Avro {
		return ""
	}
	return d.avroType(m.Payload).Name
}

// unknown adds a message that the consumer does not declare, by its policy for those.
func (d *pair) unknown(m *parse.ChannelMessage) {
	level, what := finding.Warning, "becomes a dead letter, or whatever the consumer does with it"
	switch d.receive.Unknown {
	case "ack":
		level, what = finding.Info, "is ignored"
	case "error":
		level, what = finding.Breaking, "blocks its partition"
	}
	d.of(level, "MESSAGE_NOT_KNOWN", finding.Old, m.Pos, "declare the message on the channel of the consumer", "%s does not know the message %s of %s on %s, which %s",
		d.next.name(), m.Message.Name, d.former.name(), label(d.send.Channel), what)
}

func (d *pair) message(m, k *parse.ChannelMessage) {
	if a, b := content(d.former, m.Message), content(d.next, k.Message); a != b {
		d.add(finding.Breaking, "CONTENT_TYPE_DIFFERS", k.Message, "", "it is sent as %q and read as %q", a, b)
	}
	if a, b := d.former.framing(d.send.Channel, m.Message), d.next.framing(d.receive.Channel, k.Message); a != b {
		d.add(finding.Breaking, "FRAMING_DIFFERS", k.Message, "", "it is framed as %s and read as %s", a, b)
	}
	if a, b := location(m.Correlation), location(k.Correlation); b != "" && a != b {
		d.add(finding.Semantic, "CORRELATION_DIFFERS", k.Message, "", "its correlation id is sent at %q and read at %q", a, b)
	}
	d.key(m.Message, k.Message)
	d.headers(m.Message, k.Message)
	if a, b := m.Message.Payload, k.Message.Payload; a != nil && b != nil {
		d.payload(a, b, k.Message)
	}
}

func (d *pair) key(m, k *parse.Message) {
	a, b := m.Key, k.Key
	switch {
	case b == nil:
	case a == nil:
		d.add(finding.Breaking, "KEY_NOT_SENT", k, "", "it is read with a key, and sent without one")
	case a.Format != b.Format || d.keySchemaChanged(a, b):
		d.add(finding.Semantic, "KEY_DIFFERS", k, "", "the schema of the key that is read is not the one that is sent")
	case a.Field != b.Field:
		d.add(finding.Semantic, "KEY_DIFFERS", k, "", "the key is sent as the field %q and read as the field %q", a.Field, b.Field)
	}
}

// headers compares the headers that a consumer reads with those that are sent.
func (d *pair) headers(m, k *parse.Message) {
	a, b := headerSchema(m), headerSchema(k)
	if (a == nil) != (b == nil) {
		d.add(finding.Warning, "HEADERS_NOT_COMPARED", k, "", "its headers are described in another format")
		return
	}
	sent := d.former.headers(m)
	for _, h := range d.next.headers(k) {
		was, known := prop(sent, h.Name)
		switch {
		case h.Required && (!known || !was.Required):
			d.part(finding.Breaking, "HEADER_NOT_SENT", finding.New, cmp.Or(h.Pos, k.Pos), d.users(k), "", "the header %s is required, and need not be sent", h.Name)
		case known && !sameScalar(was.Scalar, h.Scalar):
			d.part(finding.Breaking, "HEADER_DIFFERS", finding.New, cmp.Or(h.Pos, k.Pos), d.users(k), "", "the header %s is not sent as it is read", h.Name)
		}
	}
	if a == nil {
		return
	}
	for _, diff := range d.refused(optional(a), optional(b)) {
		text := "the headers are not sent as they are read: " + strings.TrimPrefix(diff.Message, jsondiff.NewRefuses)
		d.report(Kind, finding.Difference{Level: diff.Level, ID: "HEADER_DIFFERS", Side: diff.Side, Pos: diff.Pos, Message: text}, d.users(k))
	}
}

// refused returns what of a JSON Schema that is sent is not as it is read. A consumer may accept
// more than is sent.
func (d *pair) refused(sent, read *source.Node) []finding.Difference {
	all := jsondiff.Compare(d.former.json(sent), d.next.json(read), jsondiff.Received)
	return slices.DeleteFunc(all, func(diff finding.Difference) bool { return diff.Order == finding.ConsumersFirst })
}

func (d *pair) payload(a, b *parse.Payload, k *parse.Message) {
	switch {
	case a.Format != b.Format:
		d.add(finding.Breaking, "PAYLOAD_FORMAT_DIFFERS", k, "", "the schemas are written in different formats")
	case a.Format == parse.Avro:
		d.avro(a, b, k)
	case a.Format == parse.JSONSchema:
		for _, diff := range d.refused(a.Schema, b.Schema) {
			if text, refused := strings.CutPrefix(diff.Message, jsondiff.NewRefuses); refused {
				diff.Message = "the consumer does not accept what the producer may send: " + text
			} else {
				diff.Message = between + diff.Message
			}
			diff.Hint = ""
			d.report("jsonschema", diff, d.users(k))
		}
	default:
		d.add(finding.Warning, "PAYLOAD_NOT_COMPARED", k, "compare the schemas with a tool for their format", "the schemas are in a format that is not read: %s", b.Name)
	}
}

const between = "from the producer's schema to the consumer's: "

func (d *pair) avro(a, b *parse.Payload, k *parse.Message) {
	writer, reader := d.former.avroType(a), d.next.avroType(b)
	result := compat.Check(reader, writer)
	for _, i := range result.All {
		d.report("avro", finding.Difference{Level: finding.Breaking, ID: string(i.ID), Pos: avrodiff.Position(i.At),
			Message: fmt.Sprintf("the consumer's schema cannot read the producer's data: %s; %s", i.Message, result.Verdict)}, d.users(k))
	}
	for _, diff := range avrodiff.Compare(writer, reader, avrodiff.None) {
		diff.Message, diff.Hint = between+diff.Message, ""
		if diff.Level == finding.Warning {
			diff.Level = finding.Info // defaults are a matter of the consumer
		}
		d.report("avro", diff, d.users(k))
	}
}
