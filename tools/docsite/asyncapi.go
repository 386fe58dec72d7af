package main

import (
	"fmt"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/source"
	"github.com/deferpay/deferpay/tools/specfile"
)

// EventsDoc is an AsyncAPI document as its page shows it.
type EventsDoc struct {
	Description string
	Servers     []ServerDoc
	Channels    []Channel
	Operations  []EventOperation
	Messages    []MessageDoc
	Types       []AvroType
}

// ServerDoc is a broker.
type ServerDoc struct{ Name, Host, Protocol, Registry, Text string }

// Channel is a topic.
type Channel struct {
	Name, Address, Title, Text string
	Foreign                    string // the document that owns the topic, if it is another one
	Settings                   []Pair
	Messages                   []string
}

// EventOperation is what the service does with a topic.
type EventOperation struct {
	ID, Action, Title, Text, Channel string
	Messages                         []string
	Bindings                         []Pair
}

// MessageDoc is one message.
type MessageDoc struct {
	Name, Title, Text string
	Foreign           bool // declared by the other service's document
	Bindings          []Pair
	Headers           []Field
	Record            AvroType
	Schema            string // as JSON
	Examples          []EventExample
}

// EventExample is an example of a message, as JSON and as bytes.
type EventExample struct {
	Example
	Pieces []Piece
	Length int // of all pieces, in bytes
}

// AvroType is a named type of a payload.
type AvroType struct {
	Full, Name, Kind, Text string
	Fields                 []Field
	Symbols                []string
	Notes                  []string
}

func readEvents(root specfile.Value) (*EventsDoc, error) {
	doc := &EventsDoc{Description: root.Get("info", "description").Str()}
	for _, s := range root.Get("servers").Members() {
		doc.Servers = append(doc.Servers, ServerDoc{
			Name: s.Name, Host: s.Get("host").Str(), Protocol: s.Get("protocol").Str(),
			Registry: s.Get("bindings", "kafka", "schemaRegistryUrl").Str(), Text: s.Get("description").Str(),
		})
	}
	types := map[string]bool{}
	for _, ch := range root.Get("channels").Members() {
		doc.Channels = append(doc.Channels, readChannel(root, ch))
	}
	for _, op := range root.Get("operations").Members() {
		operation := readEventOperation(op)
		doc.Operations = append(doc.Operations, operation)
		for _, m := range operationMessages(op.Value) {
			message, named, err := readMessage(root, m)
			if err != nil {
				return nil, err
			}
			doc.Messages = append(doc.Messages, message)
			for _, t := range named {
				if !types[t.Full] {
					types[t.Full] = true
					doc.Types = append(doc.Types, t)
				}
			}
		}
	}
	return doc, nil
}

func readChannel(root specfile.Value, v specfile.Member) Channel {
	ch := Channel{Name: v.Name, Address: v.Get("address").Str(), Title: v.Get("title").Str(), Text: v.Get("description").Str()}
	if v.File != root.File {
		ch.Foreign = v.File
	}
	kafka := v.Get("bindings", "kafka")
	for _, key := range []string{"partitions", "replicas"} {
		if x := kafka.Get(key); x.Ok() {
			ch.Settings = append(ch.Settings, Pair{key, x.Text()})
		}
	}
	for _, m := range kafka.Get("topicConfiguration").Members() {
		ch.Settings = append(ch.Settings, Pair{m.Name, setting(m.Value)})
	}
	for _, m := range specfile.Messages(v.Value) {
		ch.Messages = append(ch.Messages, m.Name)
	}
	return ch
}

func setting(v specfile.Value) string {
	var parts []string
	for _, it := range v.Items() {
		parts = append(parts, it.Text())
	}
	if parts != nil {
		return strings.Join(parts, ", ")
	}
	text := v.Text()
	if ms, ok := v.Node.Int(); ok && ms >= 86400000 && strings.HasSuffix(v.Name(), ".ms") {
		return fmt.Sprintf("%s (%d days)", text, ms/86400000)
	}
	return text
}

func readEventOperation(v specfile.Member) EventOperation {
	op := EventOperation{ID: v.Name, Action: v.Get("action").Str(), Title: v.Get("title").Str(), Text: v.Get("summary").Str(), Channel: v.Get("channel", "address").Str()}
	for _, m := range operationMessages(v.Value) {
		op.Messages = append(op.Messages, m.Name)
	}
	if g := v.Get("bindings", "kafka", "groupId"); g.Ok() {
		var ids []string
		for _, id := range g.Get("enum").Items() {
			ids = append(ids, id.Str())
		}
		op.Bindings = append(op.Bindings, Pair{"consumer group", strings.Join(ids, ", ")})
	}
	if r := v.Get("x-retry"); r.Ok() {
		op.Bindings = append(op.Bindings, Pair{"retry", fmt.Sprintf("%s, from %s to %s", r.Get("strategy").Text(), r.Get("delays", "initial").Text(), r.Get("delays", "max").Text())})
	}
	if d := v.Get("x-dead-letter", "channel"); d.Ok() {
		op.Bindings = append(op.Bindings, Pair{"dead letters", d.Get("address").Str()})
	}
	return op
}

// operationMessages returns the messages of an operation under the names that they have in the
// channel. An operation without a list has all of the channel's messages.
func operationMessages(op specfile.Value) []specfile.Message {
	all := specfile.Messages(op.Get("channel"))
	listed := op.Raw("messages")
	if !listed.Ok() {
		return all
	}
	var out []specfile.Message
	for _, n := range listed.Node.Items {
		ref := n.Get("$ref").Str()
		name := ref[strings.LastIndex(ref, "/")+1:]
		for _, m := range all {
			if m.Name == name {
				out = append(out, m)
			}
		}
	}
	return out
}

func readMessage(root specfile.Value, m specfile.Message) (MessageDoc, []AvroType, error) {
	out := MessageDoc{Name: m.Name, Title: m.Get("title").Str(), Text: m.Lookup("description").Str(), Foreign: m.File != root.File}
	kafka := func(key string) string { return m.Lookup("bindings", "kafka", key).Text() }
	key := m.Lookup("bindings", "kafka", "key")
	out.Bindings = []Pair{
		{"key", key.Get("title").Str() + ", the field " + key.Get("x-key-field").Str()},
		{"content type", m.Lookup("contentType").Text()},
		{"framing", kafka("schemaIdPayloadEncoding") + ", schema id in the " + kafka("schemaIdLocation")},
		{"subject", kafka("schemaLookupStrategy")},
	}
	out.Headers = propertyFields(m.Lookup("headers"))
	schema, format := m.Payload()
	if !specfile.IsAvro(format) {
		return out, nil, fmt.Errorf("message %s: only Avro payloads can be shown, not %q", m.Name, format)
	}
	text, err := specfile.AvroText(schema)
	if err != nil {
		return out, nil, err
	}
	node, faults := source.Parse(m.Name+".avsc", []byte(text))
	if err := faults.Err(); err != nil {
		return out, nil, err
	}
	var named []AvroType
	collectTypes(node, "", &named)
	out.Record = named[0]
	for _, ex := range m.Get("examples").Items() {
		pieces, err := encodePayload(node, ex.Get("payload").Node.JSON())
		if err != nil {
			return out, nil, fmt.Errorf("message %s: its example: %w", m.Name, err)
		}
		e := EventExample{Example: Example{ex.Get("name").Str(), pretty(ex.Get("payload"))}, Pieces: pieces}
		for _, p := range pieces {
			e.Length += len(p.Hex) / 2
		}
		out.Examples = append(out.Examples, e)
	}
	out.Schema = node.Pretty(0)
	return out, named[1:], nil
}

func propertyFields(v specfile.Value) []Field {
	required := map[string]bool{}
	for _, r := range v.Get("required").Items() {
		required[r.Str()] = true
	}
	var out []Field
	for _, p := range v.Get("properties").Members() {
		out = append(out, Field{Name: p.Name, Text: p.Get("description").Str(), Required: required[p.Name], Type: typeOf(p.Value), Notes: constraints(p.Value)})
	}
	return out
}

// collectTypes collects the named types of a schema, outer types first.
func collectTypes(n *source.Node, namespace string, out *[]AvroType) {
	for _, it := range n.Items {
		collectTypes(it, namespace, out)
	}
	if !n.Is(source.Map) {
		return
	}
	kind := n.Get("type").Str()
	switch kind {
	case "record", "enum", "fixed":
		if ns := n.Get("namespace"); ns != nil {
			namespace = ns.Str()
		}
		t := AvroType{Full: namespace + "." + n.Get("name").Str(), Name: n.Get("name").Str(), Kind: kind, Text: n.Get("doc").Str()}
		if kind == "enum" {
			for _, s := range n.Get("symbols").Items {
				t.Symbols = append(t.Symbols, s.Value)
			}
			if d := n.Get("default"); d != nil {
				t.Notes = append(t.Notes, "a symbol that a reader does not know is read as "+d.Str())
			}
		}
		if kind == "fixed" {
			t.Notes = append(t.Notes, n.Get("size").Value+" bytes")
		}
		at := len(*out)
		*out = append(*out, t)
		if fields := n.Get("fields"); fields != nil {
			for _, f := range fields.Items {
				(*out)[at].Fields = append((*out)[at].Fields, avroField(f))
				collectTypes(f.Get("type"), namespace, out)
			}
		}
	default:
		for _, key := range []string{"type", "items", "values"} {
			if c := n.Get(key); c != nil {
				collectTypes(c, namespace, out)
			}
		}
	}
}

func avroField(f *source.Node) Field {
	out := Field{Name: f.Get("name").Str(), Text: f.Get("doc").Str(), Type: avroTypeOf(f.Get("type"))}
	if d := f.Get("default"); d != nil {
		out.Default = string(d.JSON())
	}
	return out
}

// avroTypeOf describes the schema of a field in words, logical types first.
func avroTypeOf(n *source.Node) Type {
	switch {
	case n.Is(source.String):
		return avroName(n.Value)
	case n.Is(source.Seq):
		var some []Type
		nullable := false
		for _, it := range n.Items {
			if it.Str() == "null" {
				nullable = true
				continue
			}
			some = append(some, avroTypeOf(it))
		}
		t := some[0]
		for _, more := range some[1:] {
			t.After += " or " + more.Before + more.Name + more.After
		}
		if nullable {
			t.After += ", or null"
		}
		return t
	}
	switch kind := n.Get("type"); {
	case n.Get("name") != nil:
		return avroName(n.Get("name").Str())
	case kind.Str() == "array":
		t := avroTypeOf(n.Get("items"))
		t.Before = "list of " + t.Before
		return t
	case kind.Str() == "map":
		t := avroTypeOf(n.Get("values"))
		t.Before = "map of " + t.Before
		return t
	case n.Get("logicalType") != nil:
		return Type{Name: n.Get("logicalType").Str(), After: " (" + kind.Str() + ")"}
	default:
		return avroTypeOf(kind)
	}
}

func avroName(name string) Type {
	switch name {
	case "null", "boolean", "int", "long", "float", "double", "bytes", "string":
		return Type{Name: name}
	}
	short := name[strings.LastIndex(name, ".")+1:]
	return Type{Name: short, Href: "#type-" + short}
}

func (d *EventsDoc) sections() []Section {
	group := func(title, anchor string) Section { return Section{Title: title, Anchor: anchor} }
	topics, operations, messages, types := group("Topics", "topics"), group("Operations", "operations"), group("Messages", "messages"), group("Types", "types")
	for _, c := range d.Channels {
		topics.Entries = append(topics.Entries, Section{Title: c.Address, Anchor: "topic-" + c.Name})
	}
	for _, o := range d.Operations {
		operations.Entries = append(operations.Entries, Section{Title: o.ID, Anchor: "op-" + o.ID, Badge: strings.ToUpper(o.Action)})
	}
	for _, m := range d.Messages {
		messages.Entries = append(messages.Entries, Section{Title: m.Name, Anchor: "message-" + m.Name})
	}
	for _, t := range d.Types {
		types.Entries = append(types.Entries, Section{Title: t.Name, Anchor: "type-" + t.Name})
	}
	return []Section{group("About", "about"), topics, operations, messages, types}
}
