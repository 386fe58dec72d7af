package asyncdiff

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/contractdiff/avrodiff"
	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/jsondiff"
	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
)

// Kind is the kind of the findings about documents. Those about payloads have the kind of the
// schema.
const Kind = "asyncapi"

// differ compares two versions of a document.
type differ struct {
	former, next *Document
	mode         avrodiff.Mode
	people       *People
	out          []finding.Finding
}

// Compare returns the differences of two versions of a document. Applications are those of the new
// version of all documents.
func Compare(former, next *Document, mode avrodiff.Mode, people *People) []finding.Finding {
	d := &differ{former: former, next: next, mode: mode, people: people}
	d.document()
	d.channels()
	d.operations()
	if len(former.Channels) == 0 && len(next.Channels) == 0 {
		d.components()
	}
	return d.out
}

// report adds a difference of a document with its place.
func (d *differ) report(kind string, diff finding.Difference, uses ...string) {
	doc := d.next
	if diff.Side == finding.Old {
		doc = d.former
	}
	if !diff.Pos.IsValid() {
		diff.Pos = doc.Pos
	}
	pointer := doc.Reader.Pointer(diff.Pos)
	if diff.Key {
		pointer = doc.Reader.KeyPointer(diff.Pos)
	}
	d.out = append(d.out, finding.Finding{Level: diff.Level, ID: diff.ID, Kind: kind, File: doc.Reader.Display(diff.Pos.File), Pointer: pointer,
		Message: diff.Message, Hint: diff.Hint, Line: diff.Pos.Line, Col: diff.Pos.Col, Uses: uses})
}

// changed adds a difference that is at a place of the new document.
func (d *differ) changed(level finding.Level, id string, at diag.Pos, hint, format string, args ...any) {
	d.report(Kind, finding.Difference{Level: level, ID: id, Pos: at, Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// removed adds a difference that is at a place of the former document.
func (d *differ) removed(level finding.Level, id string, at diag.Pos, hint, format string, args ...any) {
	d.report(Kind, finding.Difference{Level: level, ID: id, Side: finding.Old, Pos: at, Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// of adds a difference of an operation or of a message of a channel, whose key is at a position.
func (d *differ) of(level finding.Level, id string, side finding.Side, key diag.Pos, hint, format string, args ...any) {
	d.report(Kind, finding.Difference{Level: level, ID: id, Side: side, Pos: key, Key: true, Hint: hint, Message: fmt.Sprintf(format, args...)})
}

// part adds a difference of a part of a message, which several messages may have in common.
func (d *differ) part(level finding.Level, id string, side finding.Side, at diag.Pos, use, hint, format string, args ...any) {
	d.report(Kind, finding.Difference{Level: level, ID: id, Side: side, Pos: at, Hint: hint, Message: fmt.Sprintf(format, args...)}, use)
}

func (d *differ) document() {
	for _, s := range d.former.Servers {
		i := slices.IndexFunc(d.next.Servers, func(n parse.Server) bool { return n.Name == s.Name })
		switch {
		case i < 0:
			d.removed(finding.Warning, "SERVER_REMOVED", d.former.Pos, "", "server %s is gone", s.Name)
		case d.next.Servers[i].Protocol != s.Protocol:
			d.changed(finding.Breaking, "PROTOCOL_CHANGED", d.next.Pos, "add a server of another name", "the protocol of server %s changed from %s to %s", s.Name, s.Protocol, d.next.Servers[i].Protocol)
		case d.next.Servers[i].Host != s.Host || d.next.Servers[i].Path != s.Path:
			d.changed(finding.Warning, "SERVER_MOVED", d.next.Pos, "", "server %s moved from %s%s to %s%s", s.Name, s.Host, s.Path, d.next.Servers[i].Host, d.next.Servers[i].Path)
		}
	}
}

// counterpart returns the channel that takes the place of a former one: the one with its topic, or
// else the one with its name.
func (d *differ) counterpart(c *parse.Channel) *parse.Channel {
	for _, n := range d.next.Channels {
		if topic(c) != "" && topic(n) == topic(c) && (n.Name == c.Name || !d.hasNext(c.Name, topic(c))) {
			return n
		}
	}
	for _, n := range d.next.Channels {
		if n.Name == c.Name && !d.hasFormer(topic(n)) {
			return n
		}
	}
	return nil
}

// hasNext reports whether the new document has a channel of that name and topic.
func (d *differ) hasNext(name, at string) bool {
	return slices.ContainsFunc(d.next.Channels, func(n *parse.Channel) bool { return n.Name == name && topic(n) == at })
}

// hasFormer reports whether the former document has a channel with a topic.
func (d *differ) hasFormer(at string) bool {
	return at != "" && slices.ContainsFunc(d.former.Channels, func(c *parse.Channel) bool { return topic(c) == at })
}

func (d *differ) channels() {
	met := map[*parse.Channel]bool{}
	for _, c := range d.former.Channels {
		n := d.counterpart(c)
		if n == nil {
			d.removed(finding.Breaking, "CHANNEL_REMOVED", c.Pos, "keep the channel until nobody uses it; mark it deprecated in its description", "channel %s (%s) is gone%s", c.Name, label(c), d.users(topic(c)))
			continue
		}
		met[n] = true
		if !d.former.Own(c) && !d.next.Own(n) {
			continue // the document that it belongs to is compared
		}
		d.channel(c, n)
	}
	for _, n := range d.next.Channels {
		if !met[n] && d.next.Own(n) {
			d.changed(finding.Info, "CHANNEL_ADDED", n.Pos, "", "channel %s (%s) is new", n.Name, label(n))
		}
	}
}

// users returns who uses a topic, for messages.
func (d *differ) users(at string) string {
	var out []string
	if list := d.people.receivers[at]; len(list) > 0 {
		out = append(out, "received by "+strings.Join(list, ", "))
	}
	if list := d.people.senders[at]; len(list) > 0 {
		out = append(out, "sent by "+strings.Join(list, ", "))
	}
	if len(out) == 0 {
		return ""
	}
	return ", " + strings.Join(out, ", ")
}

func (d *differ) channel(c, n *parse.Channel) {
	if topic(c) != topic(n) {
		d.changed(finding.Semantic, "TOPIC_CHANGED", cmp.Or(n.AddressPos, n.Pos), "add a channel with the new topic, and publish on both until every consumer has moved",
			"channel %s moved from topic %s to %s", n.Name, topic(c), topic(n))
	} else if c.Name != n.Name {
		d.changed(finding.Info, "CHANNEL_RENAMED", n.Pos, "", "the channel of %s was %s and is %s", topic(n), c.Name, n.Name)
	}
	d.parameters(c, n)
	d.bindings(c, n)
	d.messages(c, n)
}

func (d *differ) parameters(c, n *parse.Channel) {
	for _, p := range c.Params {
		i := slices.IndexFunc(n.Params, func(q *parse.Param) bool { return q.Name == p.Name })
		if i < 0 {
			continue // the address changed, which was reported
		}
		q := n.Params[i]
		for _, v := range p.Enum {
			if len(q.Enum) > 0 && !slices.Contains(q.Enum, v) {
				d.changed(finding.Breaking, "PARAMETER_VALUE_REMOVED", q.Pos, "keep the value", "parameter %s of channel %s can no longer be %s", p.Name, n.Name, v)
			}
		}
		if len(p.Enum) == 0 && len(q.Enum) > 0 {
			d.changed(finding.Breaking, "PARAMETER_NARROWED", q.Pos, "allow every value", "parameter %s of channel %s can only be %s", p.Name, n.Name, strings.Join(q.Enum, ", "))
		}
	}
}

// hintOf returns the hint of a difference, with who has to be deployed first.
func (d *differ) hintOf(diff finding.Difference, n *parse.Channel) string {
	var order string
	switch diff.Order {
	case finding.ConsumersFirst:
		order = fmt.Sprintf("deploy the consumers of %s first%s", label(n), named(d.people.receivers[topic(n)]))
	case finding.ProducersFirst:
		order = fmt.Sprintf("deploy the producers of %s first%s", label(n), named(d.people.senders[topic(n)]))
	}
	return strings.TrimPrefix(strings.TrimSuffix(diff.Hint+"; "+order, "; "), "; ")
}

func named(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return ": " + strings.Join(list, ", ")
}

// role returns what the application does with the messages of a channel.
func (d *differ) role(n *parse.Channel) jsondiff.Role {
	var role jsondiff.Role
	for _, o := range d.next.Operations {
		does, answers := jsondiff.Sent, jsondiff.Received
		if o.Action == parse.Receive {
			does, answers = answers, does
		}
		if o.Channel == n {
			role |= does
		}
		if o.Reply != nil && o.Reply.Channel == n {
			role |= answers
		}
	}
	if role == 0 {
		role = jsondiff.Sent // somebody may read what is on the channel
	}
	return role
}
