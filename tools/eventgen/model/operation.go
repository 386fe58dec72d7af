package model

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/eventgen/goname"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
)

var policies = map[string]string{"error": "bus.Stop", "ack": "bus.Ack"}

func (p *pkgBuilder) operation(o *parse.Operation) {
	if len(o.Messages) == 0 && !o.Broken && !o.Channel.Broken {
		p.diags.Warnf(o.Pos, "add messages to its channel", "operation %s has no messages, so nothing is generated for it", o.Name)
		return
	}
	out := Operation{Name: o.Name, Suffix: p.operationName(o.Name), About: ".", Topic: p.topic[o.Channel], Address: p.address[o.Channel], Retry: retry(o.Retry),
		Unknown: policies[o.Unknown], InOrder: o.InOrder}
	if about := sentence(o.Title, o.Summary); about != "" {
		out.About = ": " + about
	}
	if o.Description != "" {
		out.About += "\n\n" + o.Description
	}
	if len(o.More) > 0 {
		out.About += "\n\n" + strings.Join(o.More, "\n\n")
	}
	sends := (o.Action == parse.Send) != (p.role == Client)
	p.distinct(o.Channel, o, sends)
	out.Apart = p.toldApart(o)
	if !p.reply(&out, o, sends) {
		return
	}
	p.methods(&out, o, sends)
	if out.Address != nil {
		p.strayParameters(out.Address, o)
	}
	for _, s := range o.Channel.Kafka.Configs {
		out.Compacted = out.Compacted || s.Name == "cleanup.policy" && strings.Contains(s.Value, "compact")
	}
	if sends {
		p.send(out)
		return
	}
	if o.DeadLetter != nil {
		out.DeadLetters = o.DeadLetter.Kafka.Topic
	}
	if o.GroupID != "" {
		out.Group, out.GroupConst = o.GroupID, p.scope.take(out.Suffix+"Group")
	}
	p.out.Receivers = append(p.out.Receivers, out)
}

// operationName returns the Go name of an operation, with a number if it or a name that is derived
// from it is taken.
func (p *pkgBuilder) operationName(name string) string {
	wish := goname.Exported(name)
	for out, i := wish, 2; ; i++ {
		if !p.operations[out] && !p.scope[out+"Handler"] && !p.scope["Register"+out] {
			p.operations[out], p.scope[out+"Handler"], p.scope["Register"+out] = true, true, true
			return out
		}
		out = fmt.Sprintf("%s%d", wish, i)
	}
}

// methods adds the methods of the messages that an operation names, and the other messages of the
// same topic.
func (p *pkgBuilder) methods(out *Operation, o *parse.Operation, sends bool) {
	for _, c := range p.sameTopic(o.Channel) {
		for _, m := range c.Messages {
			s := p.spec(c, m)
			switch {
			case s == nil:
			case slices.Contains(o.Messages, m):
				method := Method{Spec: s, Method: s.Go, Answers: out.Answer, Address: out.Address, Settled: out.Topic != ""}
				if !sends {
					method.Method = p.methodName(s, out)
				}
				if o.Reply != nil {
					method.At = p.location(o.Reply.Address, m, s.root, s.Value, "the reply address of operation "+o.Name)
				}
				if out.Address != nil && sends {
					method.Located = p.located(out.Address, m, s)
				}
				out.Methods = append(out.Methods, method)
			case !sends:
				out.Others = append(out.Others, s)
			}
		}
	}
	if o.InOrder { // the order of the operation, not that of the channel
		slices.SortStableFunc(out.Methods, func(a, b Method) int { return cmp.Compare(p.position(o, a.Spec), p.position(o, b.Spec)) })
	}
}

// position returns the index of a message in an operation.
func (p *pkgBuilder) position(o *parse.Operation, s *Spec) int {
	return slices.IndexFunc(o.Messages, func(m *parse.ChannelMessage) bool { return p.specs[m] == s })
}

// sameTopic returns the channels at the address of a channel, that channel first.
func (p *pkgBuilder) sameTopic(c *parse.Channel) []*parse.Channel {
	out := []*parse.Channel{c}
	for _, other := range p.doc.Channels {
		if other != c && c.Kafka.Topic != "" && other.Kafka.Topic == c.Kafka.Topic {
			out = append(out, other)
		}
	}
	return out
}

// methodName returns the name of the message, unless a handler with that name returns another type.
func (p *pkgBuilder) methodName(s *Spec, out *Operation) string {
	name := s.Go
	if gives, ok := p.taken[name]; ok && gives != out.Answer {
		name += out.Suffix
	}
	p.taken[name] = out.Answer
	return name
}

// send adds a sender. A message that several operations send has one method.
func (p *pkgBuilder) send(out Operation) {
	if len(out.Answers) > 0 {
		for i := range out.Methods {
			out.Methods[i].Method = out.Suffix
			if len(out.Methods) > 1 {
				out.Methods[i].Method += out.Methods[i].Go
			}
			if out.Methods[i].Method == "Close" { // the name is taken by the method of Requester
				out.Methods[i].Method = "RequestClose"
			}
		}
		p.out.Requesters = append(p.out.Requesters, out)
		return
	}
	out.Methods = slices.DeleteFunc(out.Methods, func(m Method) bool {
		return slices.ContainsFunc(p.out.Senders, func(o Operation) bool {
			return slices.ContainsFunc(o.Methods, func(n Method) bool { return n.Spec == m.Spec })
		})
	})
	p.out.Senders = append(p.out.Senders, out)
}

// reply adds the answers to an operation. It returns false after reporting that there can be none.
func (p *pkgBuilder) reply(out *Operation, o *parse.Operation, sends bool) bool {
	r := o.Reply
	if r == nil {
		return true
	}
	if to := p.address[r.Channel]; to != nil && r.Address == nil {
		if missing := lacks(p.address[o.Channel], to); missing != "" {
			p.diags.ErrorHint(r.Pos, "add reply.address.location", "the reply of operation %s goes to an address whose parameter %s the request does not have", o.Name, missing)
			return false
		}
		out.ReplyAddress = to
	}
	out.ReplyTopic = p.topic[r.Channel]
	for _, m := range r.Messages {
		if s := p.spec(r.Channel, m); s != nil {
			out.Answers = append(out.Answers, s)
		}
	}
	if len(out.Answers) == 0 {
		if !o.Broken && !r.Channel.Broken {
			p.diags.Warnf(r.Pos, "add messages to its channel", "the reply of operation %s has no messages, so nothing answers it", o.Name)
		}
		return true
	}
	p.distinct(r.Channel, o, !sends)
	if sends {
		p.besideAnswers(out, r)
	}
	switch {
	case !sends:
		out.Answer = p.scope.take(out.Suffix + "Answer")
	case len(out.Answers) == 1:
		out.Answer = "*" + out.Answers[0].Alias
	default:
		out.Answer = "*" + p.scope.take(out.Suffix+"Answer")
	}
	return true
}

// besideAnswers adds the messages of the topic of a reply that are no answers, such as the request
// itself.
func (p *pkgBuilder) besideAnswers(out *Operation, r *parse.Reply) {
	for _, c := range p.sameTopic(r.Channel) {
		for _, m := range c.Messages {
			if s := p.spec(c, m); s != nil && !slices.Contains(out.Answers, s) {
				out.NoAnswers = append(out.NoAnswers, s)
			}
		}
	}
}

// lacks returns the first parameter of an address that another one, which may be nil, does not
// have, or "".
func lacks(from, to *Address) string {
	for _, param := range to.Params {
		if from == nil || !slices.ContainsFunc(from.Params, func(o Param) bool { return o.Name == param.Name }) {
			return param.Name
		}
	}
	return ""
}

// apart reports whether all receivers read different topics. Two that read the same topic cannot
// share a subscriber, because each would get only a part of the messages.
func (p *pkgBuilder) apart() bool {
	seen := map[string]bool{}
	for _, o := range p.out.Receivers {
		name := ""
		for _, t := range p.out.Topics {
			if t.Const == o.Topic {
				name = t.Name
			}
		}
		if o.Address != nil {
			name = o.Address.Template
		}
		if name == "" || seen[name] || o.Address != nil {
			return false
		}
		seen[name] = true
	}
	return true
}
