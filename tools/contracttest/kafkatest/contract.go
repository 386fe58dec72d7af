package kafkatest

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deferpay/deferpay/tools/eventgen/model"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
	"github.com/deferpay/deferpay/tools/specfile"
)

// Contract is what AsyncAPI documents declare about topics.
type Contract struct {
	Channels   []*Channel
	Operations []*Operation
	// NotJudged are the parts of the documents that are not checked, with the reasons.
	NotJudged []string

	schemas schemas
	byID    map[string]*Message
	framing Framing
}

// Channel is a topic, or several if its address has parameters.
type Channel struct {
	Topic      string // address or topic of the binding; may have parameters, such as {region}
	Messages   []*Message
	Compacted  bool
	Partitions int // 0: not declared

	pattern *regexp.Regexp // nil without parameters
}

// Operation is what an application does on a channel.
type Operation struct {
	Name       string
	Send       bool
	Channel    *Channel
	Messages   []*Message // those that it names of the channel, or all of them
	Group      string     // consumer group; empty: not declared
	DeadLetter *Channel   // x-dead-letter; nil: not declared
	Unknown    string     // x-unknown-message; empty: not declared
	Reply      *Reply     // nil: none
}

// Reply is what a request is answered with.
type Reply struct {
	Channel  *Channel // its topic is empty if the request names it
	Messages []*Message
	Address  string // runtime expression of the reply address in the request; empty: none
}

// Message is a message of a channel.
type Message struct {
	Name        string
	Full        string // full name of the Avro record; empty for other formats
	Framing     Framing
	Strategy    string // schemaLookupStrategy; empty: not declared
	Correlation string // runtime expression of the correlation id; empty: none
	Examples    []Example

	payload codec // nil: the payload is not judged
	headers *headers
	key     *keySchema
}

// Example is an example of a message.
type Example struct {
	Name    string
	Payload any
	Headers map[string]string
}

// Option changes how documents are read.
type Option func(*Contract)

// FrameAs declares the framing of messages whose document does not declare one.
func FrameAs(f Framing) Option { return func(c *Contract) { c.framing = f } }

// Load reads AsyncAPI 3 documents. An error is returned if one of them cannot be read or has no
// channels.
func Load(files []string, options ...Option) (*Contract, error) {
	c := &Contract{schemas: newSchemas(), byID: map[string]*Message{}}
	for _, o := range options {
		o(c)
	}
	set := specfile.NewSet()
	for _, file := range files {
		root, err := set.Open(file)
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(root.Get("asyncapi").Text(), "3.") {
			return nil, fmt.Errorf("%s: this is not an AsyncAPI 3 document", file)
		}
		l := loader{c: c, root: root, content: root.Get("defaultContentType").Str()}
		for _, ch := range root.Get("channels").Members() {
			l.channel(ch.Value)
		}
		for _, op := range root.Get("operations").Members() {
			l.operation(op)
		}
	}
	if len(c.Channels) == 0 {
		return nil, fmt.Errorf("%s: no channel with an address", strings.Join(files, ", "))
	}
	slices.Sort(c.NotJudged)
	c.NotJudged = slices.Compact(c.NotJudged)
	return c, nil
}

// Channel returns the channel of a topic, nil if there is none.
func (c *Contract) Channel(topic string) *Channel {
	var found *Channel
	for _, ch := range c.Channels {
		if ch.Topic == topic {
			return ch
		}
		if ch.pattern != nil && ch.pattern.MatchString(topic) {
			found = ch
		}
	}
	return found
}

// Operation returns the operation of a name, nil if there is none.
func (c *Contract) Operation(name string) *Operation {
	for _, op := range c.Operations {
		if op.Name == name {
			return op
		}
	}
	return nil
}

// Message returns a message of the channel by its name, nil if there is none.
func (ch *Channel) Message(name string) *Message {
	for _, m := range ch.Messages {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// Sent returns the topics that the documents send to, in their order.
func (c *Contract) Sent() (topics []string) {
	for _, op := range c.Operations {
		if op.Send && op.Channel.pattern == nil && !slices.Contains(topics, op.Channel.Topic) {
			topics = append(topics, op.Channel.Topic)
		}
	}
	return topics
}

// Unobserved returns what of the documents Observe does not judge on these topics, with the
// reasons, beside NotJudged. It depends on whether there is a schema registry.
func (c *Contract) Unobserved(topics []string, registry bool) (out []string) {
	var framed bool
	for _, ch := range c.Channels {
		if !slices.ContainsFunc(topics, func(topic string) bool { return c.Channel(topic) == ch }) {
			out = append(out, fmt.Sprintf("topic %s: the broker does not have it", ch.Topic))
		}
		for _, m := range ch.Messages {
			framed = framed || m.Framing == Confluent && m.payload != nil
			if _, isJSON := m.payload.(jsonCodec); isJSON && m.Framing == Confluent && registry {
				out = append(out, fmt.Sprintf("message %s: the text of its JSON Schema in the registry; its id and subject are", m.Name))
			}
		}
	}
	if framed && !registry {
		out = append(out, "schema ids: there is no registry to look them up in")
	}
	for _, op := range c.Operations {
		if op.Reply != nil && op.Reply.Channel != nil && op.Reply.Channel.Topic == "" {
			out = append(out, fmt.Sprintf("operation %s: its replies go to the topics that requests name, which Request judges alone", op.Name))
		}
	}
	return out
}

// loader reads one document into a contract.
type loader struct {
	c       *Contract
	root    specfile.Value
	content string // defaultContentType
}

func (l loader) skip(v specfile.Value, format string, args ...any) {
	l.c.NotJudged = append(l.c.NotJudged, fmt.Sprintf("%s: ", v.Node.Pos)+fmt.Sprintf(format, args...))
}

var parameter = regexp.MustCompile(`\\\{[^{}]+\\\}`)

// channel returns a channel, which is the same for every document that has its topic. A channel
// without an address belongs to requests that name it.
func (l loader) channel(v specfile.Value) *Channel {
	topic := cmp.Or(v.Get("bindings", "kafka", "topic").Str(), v.Get("address").Str())
	var ch *Channel
	if i := slices.IndexFunc(l.c.Channels, func(c *Channel) bool { return topic != "" && c.Topic == topic }); i >= 0 {
		ch = l.c.Channels[i]
	} else {
		ch = &Channel{Topic: topic}
		if strings.Contains(topic, "{") {
			ch.pattern = regexp.MustCompile("^" + parameter.ReplaceAllString(regexp.QuoteMeta(topic), `[^/]+`) + "$")
		}
		if topic != "" {
			l.c.Channels = append(l.c.Channels, ch)
		}
	}
	if n, ok := v.Get("bindings", "kafka", "partitions").Node.Int(); ok {
		ch.Partitions = int(n)
	}
	policy := v.Get("bindings", "kafka", "topicConfiguration", "cleanup.policy")
	ch.Compacted = ch.Compacted || strings.Contains(policy.Text(), "compact")
	for _, m := range specfile.Messages(v) {
		if loaded := l.message(v, m); !slices.Contains(ch.Messages, loaded) {
			ch.Messages = append(ch.Messages, loaded)
		}
	}
	return ch
}

func (l loader) operation(op specfile.Member) {
	at := op.Get("channel")
	if !at.Ok() {
		l.skip(l.root, "operation %s: its channel is not there", op.Name)
		return
	}
	ch := l.channel(at)
	out := &Operation{Name: op.Name, Send: op.Get("action").Str() == "send", Channel: ch, Messages: l.named(ch, op.Get("messages"))}
	group := lookup(op.Value, "bindings", "kafka", "groupId")
	out.Group = cmp.Or(group.Get("const").Str(), group.Str())
	if all := group.Get("enum").Items(); out.Group == "" && len(all) == 1 {
		out.Group = all[0].Str()
	}
	if dead := op.Get("x-dead-letter", "channel"); dead.Ok() {
		out.DeadLetter = l.channel(dead)
	}
	out.Unknown = op.Get("x-unknown-message").Str()
	if reply := op.Get("reply"); reply.Ok() {
		out.Reply = &Reply{Address: reply.Get("address", "location").Str()}
		if back := reply.Get("channel"); back.Ok() {
			out.Reply.Channel = l.channel(back)
			out.Reply.Messages = l.named(out.Reply.Channel, reply.Get("messages"))
		} else {
			l.skip(reply, "operation %s: the reply has no channel, so that its messages are not known", op.Name)
		}
	}
	l.c.Operations = append(l.c.Operations, out)
}

// lookup returns a value of an operation or of its traits.
func lookup(v specfile.Value, path ...string) specfile.Value {
	return specfile.Message{Value: v}.Lookup(path...)
}

// named returns the messages of a list of references into the channel, and all of them if there is
// no list.
func (l loader) named(ch *Channel, list specfile.Value) []*Message {
	if !list.Ok() {
		return ch.Messages
	}
	var out []*Message
	for _, ref := range list.Items() {
		if m := l.c.byID[ref.ID()]; m != nil {
			out = append(out, m)
		}
	}
	return out
}

// message returns a message. What cannot be judged of it is noted.
func (l loader) message(ch specfile.Value, m specfile.Message) *Message {
	if known := l.c.byID[m.ID()]; known != nil {
		return known
	}
	out := &Message{Name: m.Name, Strategy: m.Lookup("bindings", "kafka", "schemaLookupStrategy").Str(), Correlation: m.Lookup("correlationId", "location").Str()}
	l.c.byID[m.ID()] = out
	if err := l.payload(out, m); err != nil {
		l.skip(m.Value, "payload of %s: %v", m.Name, err)
	}
	var err error
	if out.Framing, err = l.framingOf(ch, m); err != nil {
		l.skip(m.Value, "framing of %s: %v", m.Name, err)
		out.payload = nil
	}
	if out.headers, err = l.headers(m); err != nil {
		l.skip(m.Value, "headers of %s: %v", m.Name, err)
	}
	if out.key, err = l.c.schemas.key(m.Lookup("bindings", "kafka", "key")); err != nil {
		l.skip(m.Value, "key of %s: %v", m.Name, err)
	}
	for _, e := range m.Get("examples").Items() {
		out.Examples = append(out.Examples, exampleOf(e))
	}
	return out
}

// headers returns the headers of a message.
func (l loader) headers(m specfile.Message) (*headers, error) {
	var declared []specfile.Value
	for _, v := range append(m.Get("traits").Items(), m.Value) {
		if h := v.Get("headers"); h.Ok() {
			declared = append(declared, h)
		} else if v.Raw("headers").Ok() {
			return nil, errors.New("its schema is not there")
		}
	}
	return l.c.schemas.headers(declared)
}

func (l loader) payload(out *Message, m specfile.Message) error {
	schema, format := m.Payload()
	if !schema.Ok() {
		if m.Lookup("payload").Ok() {
			return fmt.Errorf("its schema is not there")
		}
		return nil // any payload is allowed
	}
	switch {
	case specfile.IsAvro(format):
		codec, err := newAvroCodec(schema)
		if err != nil {
			return err
		}
		out.payload, out.Full = codec, codec.full
	case isJSONSchema(format):
		compiled, err := l.c.schemas.compile(schema)
		if err != nil {
			return err
		}
		out.payload = jsonCodec{compiled}
	default:
		return fmt.Errorf("schemas of the format %q are not read", format)
	}
	return nil
}

func isJSONSchema(format string) bool {
	kind, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(format, " ", "")), ";")
	kind = strings.TrimSuffix(strings.TrimSuffix(kind, "+json"), "+yaml")
	return kind == "" || kind == "application/vnd.aai.asyncapi" || kind == "application/schema"
}

// framings are the framings by their names in package model.
var framings = map[string]Framing{"Confluent": Confluent, "SingleObject": SingleObject, "Bare": Bare}

// framingOf returns how the payload of a message is framed, by the rule of the generator: as its
// binding or FrameAs declares, or as the binding and the registry of its servers imply. Payloads in
// formats that are not read are framed as JSON is.
func (l loader) framingOf(ch specfile.Value, m specfile.Message) (Framing, error) {
	at := func(name string) specfile.Value { return m.Lookup("bindings", "kafka", name) }
	asParsed := &parse.Message{
		Payload: &parse.Payload{Format: parse.JSONSchema}, Encoding: strings.ToLower(at("schemaIdPayloadEncoding").Text()),
		Lookup: at("schemaLookupStrategy").Text(), InHeader: at("schemaIdLocation").Str() == "header",
	}
	if location := at("schemaIdLocation"); location.Ok() {
		asParsed.LocationPos = location.Node.Pos
	}
	if _, format := m.Payload(); specfile.IsAvro(format) {
		asParsed.Payload.Format = parse.Avro
	}
	switch asParsed.Encoding {
	case "4": // bytes of an id
		asParsed.Encoding = string(Confluent)
	case "":
		asParsed.Encoding = string(l.c.framing)
	}
	name, known := model.Framing(asParsed, l.registry(ch))
	switch {
	case asParsed.InHeader:
		return "", errors.New("a schema id in a header is not read")
	case !known:
		return "", fmt.Errorf("the encoding %q is not read", asParsed.Encoding)
	}
	return framings[name], nil
}

// registry reports whether a server of a channel has a schema registry.
func (l loader) registry(ch specfile.Value) bool {
	servers := ch.Get("servers").Items()
	if len(servers) == 0 {
		for _, s := range l.root.Get("servers").Members() {
			servers = append(servers, s.Value)
		}
	}
	return slices.ContainsFunc(servers, func(s specfile.Value) bool {
		kafka := s.Get("bindings", "kafka")
		return kafka.Get("schemaRegistryUrl").Ok() || kafka.Get("schemaRegistryVendor").Ok()
	})
}

func exampleOf(e specfile.Value) Example {
	out := Example{Name: e.Get("name").Str(), Payload: plain(e.Get("payload")), Headers: map[string]string{}}
	for _, h := range e.Get("headers").Members() {
		out.Headers[h.Name] = h.Text()
	}
	return out
}

// plain returns a value of a document as encoding/json has it, nil if it is absent.
func plain(v specfile.Value) any {
	if !v.Ok() {
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(v.Node.JSON())))
	if err != nil {
		return nil
	}
	return value
}
