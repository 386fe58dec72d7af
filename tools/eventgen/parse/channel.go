package parse

import (
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

func (p *parser) channel(name string, at *source.Node) *Channel {
	n := p.Deref(at)
	if n == nil {
		return nil
	}
	if c, ok := p.channels[n]; ok {
		return c
	}
	if IsRef(at) {
		if s := at.Get("$ref").Value; strings.Contains(s, "/") {
			name = s[strings.LastIndex(s, "/")+1:]
		}
	}
	c := &Channel{Name: name, File: n.Pos.File, Pos: n.Pos}
	p.channels[n] = c
	if !n.Is(source.Map) {
		p.diags.Errorf(n.Pos, "channel %s must be an object, not %s", name, n.Kind)
		return c
	}
	p.fields(n, "a channel", channelFields)
	c.Address = p.text(n, "address")
	c.Title, c.Summary, c.Description = p.text(n, "title"), p.text(n, "summary"), p.text(n, "description")
	if a := n.Get("address"); strings.ContainsAny(c.Address, "{}") {
		p.diags.ErrorHint(a.Pos, "give a channel for each address", "address %q of channel %s has parameters, which are not supported yet", c.Address, name)
	}
	for _, m := range members(p.object(n, "messages")) {
		if msg := p.message(m.Key.Value, m.Value); msg != nil {
			c.Messages = append(c.Messages, &ChannelMessage{Name: m.Key.Value, Pos: m.Key.Pos, Message: msg})
		} else {
			c.Broken = true
		}
	}
	p.channelKafka(c, n)
	return c
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
	c.Kafka.Partitions, c.Kafka.Replicas = p.number(k, "partitions", 1), p.number(k, "replicas", 1)
	for _, m := range members(p.object(k, "topicConfiguration")) {
		if v, ok := p.setting(m); ok {
			c.Kafka.Configs = append(c.Kafka.Configs, Config{m.Key.Value, v})
		}
	}
}

// setting gives a topic setting as Kafka writes it: lists joined by commas.
func (p *parser) setting(m source.Pair) (string, bool) {
	if m.Value.Is(source.Seq) {
		parts := make([]string, len(m.Value.Items))
		for i, it := range m.Value.Items {
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
	p.unsupported(n, "operation "+key.Value, "reply")
	o := &Operation{Name: key.Value, Pos: key.Pos, Action: Action(p.text(n, "action"))}
	o.Title, o.Summary, o.Description = p.text(n, "title"), p.text(n, "summary"), p.text(n, "description")
	if o.Action != Send && o.Action != Receive {
		at := n.Pos
		if a := n.Get("action"); a != nil {
			at = a.Pos
		}
		p.diags.ErrorHint(at, "it is what your application does: send or receive", "operation %s has no action send or receive", o.Name)
	}
	if o.Channel = p.operationChannel(n, o.Name, d); o.Channel == nil {
		return nil
	}
	p.operationMessages(o, n)
	p.operationKafka(o, n)
	p.retry(o, n)
	p.deadLetter(o, n)
	return o
}

func (p *parser) operationChannel(n *source.Node, name string, d *Document) *Channel {
	c := n.Get("channel")
	if !IsRef(c) {
		at := n.Pos
		if c != nil {
			at = c.Pos
		}
		p.diags.ErrorHint(at, "write channel: {$ref: '#/channels/NAME'}", "operation %s does not refer to a channel", name)
		return nil
	}
	target := p.Deref(c)
	if target == nil {
		return nil
	}
	for _, ch := range d.Channels {
		if p.channels[target] == ch {
			return ch
		}
	}
	p.diags.ErrorHint(c.Get("$ref").Pos, "refer to #/channels/NAME", "the channel of operation %s is not one of the document's", name)
	return nil
}

func (p *parser) operationMessages(o *Operation, n *source.Node) {
	if n.Get("messages") == nil {
		o.Messages = o.Channel.Messages
		return
	}
	for _, ref := range p.list(n, "messages") {
		if !IsRef(ref) {
			p.diags.ErrorHint(ref.Pos, "write {$ref: '#/channels/NAME/messages/NAME'}", "the messages of operation %s must be references into its channel", o.Name)
			o.Broken = true
			continue
		}
		target := p.Deref(ref)
		if target == nil {
			o.Broken = true
			continue
		}
		var names []string
		found := false
		for _, m := range o.Channel.Messages {
			names = append(names, m.Name)
			if p.messages[target] == m.Message && !found {
				o.Messages, found = append(o.Messages, m), true
			}
		}
		if !found {
			o.Broken = true
			p.diags.ErrorHint(ref.Get("$ref").Pos, diag.OneOf("messages of the channel", ref.Get("$ref").Value, names), "operation %s names a message that is not its channel's", o.Name)
		}
	}
}

var operationKafkaFields = []string{"groupId", "clientId", "bindingVersion"}

func (p *parser) operationKafka(o *Operation, n *source.Node) {
	k := p.kafka(n)
	p.fields(k, "an operation's Kafka binding", operationKafkaFields)
	g := k.Get("groupId")
	switch {
	case g == nil:
	case g.Is(source.String): // not the specification's, but common
		o.GroupID = g.Value
	default:
		s := p.scalar(g, "groupId")
		if s == nil {
			return
		}
		if o.GroupID = s.Const; len(s.Enum) == 1 {
			o.GroupID = s.Enum[0]
		}
	}
}

// withTraits gives the object over its traits. Members named in own may not come from a trait.
func (p *parser) withTraits(n *source.Node, what string, own ...string) *source.Node {
	traits := p.list(n, "traits")
	if len(traits) == 0 {
		return n
	}
	merged := &source.Node{Pos: n.Pos, Kind: source.Map}
	for _, t := range traits {
		t = p.Deref(t)
		if t == nil {
			continue
		}
		for _, name := range own {
			if m, ok := t.Pair(name); ok {
				p.diags.Errorf(m.Key.Pos, "%s may not stand in a trait of %s", name, what)
			}
		}
		merged = p.Merge(merged, t)
	}
	out := p.Merge(merged, n)
	at := *out
	at.Pos = n.Pos
	return &at
}
