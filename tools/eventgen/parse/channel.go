package parse

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

func (p *parser) channel(name string, at *source.Node) *Channel {
	n := p.Deref(at)
	if n == nil {
		return nil
	}
	if c, ok := p.channels[n]; ok {
		p.again(n)
		return c
	}
	if own := refName(at); own != "" {
		name = own
	}
	c := &Channel{Name: name, File: n.File(), Pos: n.Pos}
	p.channels[n] = c
	p.keep(n, func() { p.readChannel(c, n) })
	return c
}

func (p *parser) readChannel(c *Channel, n *source.Node) {
	if !n.Is(source.Map) {
		p.diags.Errorf(n.Pos, "channel %s must be an object, not %s", c.Name, n.Kind)
		return
	}
	p.fields(n, "a channel", channelFields)
	c.Address = p.text(n, "address")
	c.Title, c.Summary, c.Description = p.text(n, "title"), p.text(n, "summary"), p.text(n, "description")
	if a := n.Get("address"); a != nil {
		c.AddressPos = a.Pos
	}
	c.More = p.more(n)
	p.params(c, n)
	for _, s := range p.list(n, "servers") {
		if at := p.Deref(s); at != nil {
			c.servers = append(c.servers, at)
		}
	}
	for _, m := range p.channelMessages(c, n) {
		if msg := p.message(m.Key.Value, m.Value); msg != nil {
			c.Messages = append(c.Messages, &ChannelMessage{Name: m.Key.Value, Pos: m.Key.Pos, Message: msg})
		} else {
			c.Broken = true
		}
	}
	p.channelKafka(c, n)
}

// channelMessages returns the messages of a channel with their keys. In a list, where AsyncAPI
// requires a map, a message has the name that its reference ends with, or else its own.
func (p *parser) channelMessages(c *Channel, n *source.Node) []source.Pair {
	list := n.Get("messages")
	if !list.Is(source.Seq) {
		return members(p.object(n, "messages"))
	}
	var out []source.Pair
	for _, at := range list.Items {
		name := refName(at)
		if m := p.Deref(at); name == "" {
			name = cmp.Or(m.Get("name").Str(), m.Get("messageId").Str())
		}
		switch {
		case name == "":
			p.diags.ErrorHint(at.Pos, "write messages: {NAME: ...}", "messages of channel %s must be an object, and nothing names this item of the list", c.Name)
			c.Broken = true
		case slices.ContainsFunc(out, func(m source.Pair) bool { return m.Key.Value == name }):
			p.diags.ErrorHint(at.Pos, "write messages: {NAME: ...}", "messages of channel %s must be an object, and two items of the list have the name %s", c.Name, name)
			c.Broken = true
		default:
			out = append(out, source.Pair{Key: &source.Node{Pos: at.Pos, Kind: source.String, Value: name}, Value: at})
		}
	}
	if len(list.Items) > 0 && !c.Broken {
		p.diags.Warnf(list.Pos, "write messages: {"+out[0].Key.Value+": {$ref: ...}}", "messages of channel %s must be an object, not a list; each has the name that its reference ends with, or else its own", c.Name)
	}
	return out
}

var channelKafkaFields = []string{"topic", "partitions", "replicas", "topicConfiguration", "bindingVersion"}

func (p *parser) channelKafka(c *Channel, n *source.Node) {
	c.Kafka.Topic = c.Address
	k := p.kafka(n)
	if k == nil {
		return
	}
	c.Kafka.Pos = k.Pos
	p.fields(k, "a channel's Kafka binding", channelKafkaFields)
	if t := p.text(k, "topic"); t != "" {
		c.Kafka.Topic = t
	}
	c.Kafka.Partitions, c.Kafka.Replicas = p.number(k, "partitions", 1, math.MaxInt32), p.number(k, "replicas", 1, math.MaxInt16)
	for _, m := range members(p.object(k, "topicConfiguration")) {
		if v, ok := p.setting(m); ok {
			c.Kafka.Configs = append(c.Kafka.Configs, Config{m.Key.Value, v})
		}
	}
}

// setting returns a topic setting as Kafka writes it: the items of a list are joined by commas.
func (p *parser) setting(m source.Pair) (string, bool) {
	if m.Value.Is(source.Seq) {
		parts := make([]string, len(m.Value.Items))
		for i, it := range m.Value.Items {
			if it.Is(source.Map) || it.Is(source.Seq) || it.Is(source.Null) {
				p.diags.Errorf(it.Pos, "the topic setting %s must be a list of values, not of %s", m.Key.Value, it.Kind)
				return "", false
			}
			parts[i] = it.Value
		}
		return strings.Join(parts, ","), true
	}
	if m.Value.Is(source.Map) || m.Value.Is(source.Null) {
		p.diags.Errorf(m.Value.Pos, "the topic setting %s must be a value, not %s", m.Key.Value, m.Value.Kind)
		return "", false
	}
	return m.Value.Value, true
}

func (p *parser) operation(key, at *source.Node, d *Document) *Operation {
	n := p.Deref(at)
	if n == nil {
		return nil
	}
	if !n.Is(source.Map) {
		p.diags.Errorf(n.Pos, "operation %s must be an object, not %s", key.Value, n.Kind)
		return nil
	}
	p.fields(n, "an operation", operationFields)
	n = p.withTraits(n, "an operation", "action", "channel", "messages", "traits")
	o := &Operation{Name: key.Value, Pos: key.Pos, Action: Action(p.text(n, "action"))}
	o.Title, o.Summary, o.Description = p.text(n, "title"), p.text(n, "summary"), p.text(n, "description")
	o.More = p.more(n)
	if o.Action != Send && o.Action != Receive {
		at := n.Pos
		if a := n.Get("action"); a != nil {
			at = a.Pos
		}
		p.diags.ErrorHint(at, "write action: send or action: receive, for what your application does", "operation %s has no action send or receive", o.Name)
	}
	if o.Channel = p.operationChannel(n, o.Name, d); o.Channel == nil {
		return nil
	}
	o.Messages, o.Broken = p.messagesOf(n, "operation "+o.Name, o.Channel)
	o.Reply = p.reply(o, n, d)
	p.operationKafka(o, n)
	p.retry(o, n)
	p.deadLetter(o, n)
	p.dispatch(o, n)
	return o
}

func (p *parser) operationChannel(n *source.Node, name string, d *Document) *Channel {
	c := n.Get("channel")
	if !reference.Is(c) {
		at := n.Pos
		if c != nil {
			at = c.Pos
		}
		p.diags.ErrorHint(at, "write channel: {$ref: '#/channels/NAME'}", "operation %s does not refer to a channel", name)
		return nil
	}
	return p.documentChannel(c, "operation "+name, d)
}

// documentChannel follows a reference to a channel. A channel of another document also belongs to
// this one if an operation uses it.
func (p *parser) documentChannel(ref *source.Node, what string, d *Document) *Channel {
	target := p.Deref(ref)
	if target == nil {
		return nil
	}
	for _, ch := range d.Channels {
		if p.channels[target] == ch {
			return ch
		}
	}
	if target.File() != d.File {
		ch := p.channel(what, ref)
		if ch != nil {
			d.Channels = append(d.Channels, ch)
		}
		return ch
	}
	to := ref.Get("$ref")
	p.diags.ErrorHint(to.Pos, "refer to #/channels/NAME", "the channel of %s is not a channel of the document", what)
	return nil
}

// messagesOf returns the messages that an operation or a reply names, or all of the channel if it
// names none.
func (p *parser) messagesOf(n *source.Node, what string, c *Channel) (out []*ChannelMessage, broken bool) {
	v := n.Get("messages")
	if v == nil || v.Is(source.Null) {
		return c.Messages, c.Broken
	}
	broken = !v.Is(source.Seq)
	alone := len(c.Messages) == 0 && !c.Broken
	for _, ref := range p.list(n, "messages") {
		if !reference.Is(ref) {
			p.diags.ErrorHint(ref.Pos, "write {$ref: '#/channels/NAME/messages/NAME'}", "the messages of %s must be references into its channel", what)
			broken = true
			continue
		}
		target := p.Deref(ref)
		if target == nil {
			broken = true
			continue
		}
		to := ref.Get("$ref")
		m := p.channelMessage(c, target, to.Value)
		switch {
		case m == nil && alone:
			name := source.Unescape(to.Value[strings.LastIndex(to.Value, "/")+1:])
			p.diags.Warnf(to.Pos, "list it under messages of the channel", "%s names a message, but its channel %s has none; the message is added to it", what, c.Name)
			if msg := p.message(name, ref); msg != nil {
				m = &ChannelMessage{Name: name, Pos: to.Pos, Message: msg}
				c.Messages, out = append(c.Messages, m), append(out, m)
			}
		case m == nil:
			p.diags.ErrorHint(to.Pos, diag.OneOf("messages of the channel", to.Value, messageNames(c)), "%s names a message that its channel does not have", what)
			broken = true
		default:
			if !strings.Contains(to.Value, "/messages/"+source.Escape(m.Name)) || strings.Contains(to.Value, "#/components/messages/") {
				p.diags.Warnf(to.Pos, "write '#/channels/"+source.Escape(c.Name)+"/messages/"+source.Escape(m.Name)+"'", "%s refers to a message of its channel in another place", what)
			}
			out = append(out, m)
		}
	}
	return out, broken
}

// channelMessage finds a message in a channel. If the channel has it more than once, the name at
// the end of the reference selects one.
func (p *parser) channelMessage(c *Channel, target *source.Node, ref string) *ChannelMessage {
	var found *ChannelMessage
	for _, m := range c.Messages {
		if p.messages[target] == m.Message && (found == nil || strings.HasSuffix(ref, "/messages/"+source.Escape(m.Name))) {
			found = m
		}
	}
	return found
}

func messageNames(c *Channel) []string {
	var names []string
	for _, m := range c.Messages {
		names = append(names, m.Name)
	}
	return names
}

var operationKafkaFields = []string{"groupId", "clientId", "bindingVersion"}

func (p *parser) operationKafka(o *Operation, n *source.Node) {
	k := p.kafka(n)
	p.fields(k, "an operation's Kafka binding", operationKafkaFields)
	g := k.Get("groupId")
	switch {
	case g == nil || g.Is(source.Null) || g.Is(source.Bool):
	case g.Is(source.Seq):
		p.diags.ErrorHint(g.Pos, "write groupId: {type: string, const: NAME}", "the groupId of operation %s must be a schema, not a list", o.Name)
	case !g.Is(source.Map): // not in the specification, but common
		o.GroupID = g.Value
	default:
		n := p.Deref(g)
		if o.GroupID = p.word(n, "const"); o.GroupID == "" && n.Get("enum").Is(source.Seq) && len(n.Get("enum").Items) == 1 {
			o.GroupID = n.Get("enum").Items[0].Value
		}
	}
}

// withTraits returns the object merged over its traits. A trait may not have the members in own.
func (p *parser) withTraits(n *source.Node, what string, own ...string) *source.Node {
	traits := p.list(n, "traits")
	if len(traits) == 0 {
		return n
	}
	merged := &source.Node{Pos: n.Pos, Kind: source.Map}
	for _, at := range traits {
		t := p.Deref(at)
		if t == nil {
			continue
		}
		p.brings(at, t)
		for _, name := range own {
			if m, ok := t.Pair(name); ok {
				p.diags.Errorf(m.Key.Pos, "%s is not allowed in a trait of %s", name, what)
			}
		}
		merged = p.Merge(merged, t)
	}
	out := p.Merge(merged, n)
	at := *out
	at.Pos = n.Pos
	return &at
}

// brings records the name of a trait for its headers and its key. Headers that are merged with
// others are other nodes and have no name.
func (p *parser) brings(at, trait *source.Node) {
	name := refName(at)
	if name == "" {
		return
	}
	for what, n := range map[string]*source.Node{"Headers": trait.Get("headers"), "Key": p.kafka(trait).Get("key")} {
		if n == nil {
			continue
		}
		if strings.Contains(strings.ToLower(name), strings.ToLower(what)) {
			what = ""
		}
		p.traits[n] = name + what
	}
}

// refName returns the name of what a reference leads to, which is the last step of its pointer, or
// "".
func refName(n *source.Node) string {
	_, pointer, _ := strings.Cut(n.Get("$ref").Str(), "#")
	name := source.Unescape(pointer[strings.LastIndex(pointer, "/")+1:])
	if strings.Trim(name, "0123456789") == "" {
		return "" // an item of a list
	}
	return name
}
