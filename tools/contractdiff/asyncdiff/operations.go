package asyncdiff

import (
	"slices"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/eventgen/parse"
)

func (d *differ) operations() {
	met := map[*parse.Operation]bool{}
	for _, o := range d.former.Operations {
		n := d.operationLike(o)
		if n == nil {
			d.of(finding.Breaking, "OPERATION_REMOVED", finding.Old, o.Pos, "keep the operation until nobody relies on it", "operation %s, which %ss on %s, is gone%s", o.Name, o.Action, label(o.Channel), d.users(topic(o.Channel)))
			continue
		}
		met[n] = true
		d.operation(o, n)
	}
	for _, n := range d.next.Operations {
		if !met[n] {
			d.of(finding.Info, "OPERATION_ADDED", finding.New, n.Pos, "", "operation %s, which %ss on %s, is new", n.Name, n.Action, label(n.Channel))
		}
	}
}

// operationLike returns the operation that takes the place of a former one: that of its name, or
// else the one that does the same on the same topic.
func (d *differ) operationLike(o *parse.Operation) *parse.Operation {
	for _, n := range d.next.Operations {
		if n.Name == o.Name {
			return n
		}
	}
	for _, n := range d.next.Operations {
		known := slices.ContainsFunc(d.former.Operations, func(f *parse.Operation) bool { return f.Name == n.Name })
		if !known && n.Action == o.Action && topic(n.Channel) == topic(o.Channel) {
			return n
		}
	}
	return nil
}

func (d *differ) operation(o, n *parse.Operation) {
	if o.Name != n.Name {
		d.of(finding.Info, "OPERATION_RENAMED", finding.New, n.Pos, "", "operation %s is called %s now", o.Name, n.Name)
	}
	if o.Action != n.Action {
		d.of(finding.Breaking, "ACTION_CHANGED", finding.New, n.Pos, "add an operation of another name", "operation %s changed from %s to %s", n.Name, o.Action, n.Action)
	}
	if d.counterpart(o.Channel) != n.Channel {
		d.of(finding.Semantic, "TOPIC_CHANGED", finding.New, n.Pos, "add an operation on the new topic, and keep the former one until nobody relies on it", "operation %s moved from topic %s to %s", n.Name, topic(o.Channel), topic(n.Channel))
	} else {
		d.operationMessages(o, n)
	}
	if o.GroupID != n.GroupID {
		d.of(finding.Semantic, "GROUP_CHANGED", finding.New, n.Pos, "keep the group, or reset the offsets of the new one to those of the former one",
			"the consumer group of operation %s changed from %q to %q: it begins to read elsewhere", n.Name, o.GroupID, n.GroupID)
	}
	d.reply(o, n)
	if (o.DeadLetter == nil) != (n.DeadLetter == nil) || o.DeadLetter != nil && topic(o.DeadLetter) != topic(n.DeadLetter) {
		d.of(finding.Warning, "DEAD_LETTER_CHANGED", finding.New, n.Pos, "", "the dead letters of operation %s go elsewhere", n.Name)
	}
	if o.Unknown != n.Unknown {
		d.of(finding.Warning, "UNKNOWN_MESSAGE_CHANGED", finding.New, n.Pos, "", "operation %s treats unknown messages differently", n.Name)
	}
}

// operationMessages compares which messages of the channel an operation sends or receives.
func (d *differ) operationMessages(o, n *parse.Operation) {
	for _, m := range o.Messages {
		if !slices.ContainsFunc(n.Messages, func(k *parse.ChannelMessage) bool { return likeness(m, k) > 0 }) {
			d.of(finding.Breaking, "OPERATION_MESSAGE_REMOVED", finding.Old, o.Pos, "keep the message until nobody relies on it", "operation %s no longer %ss %s%s", n.Name, o.Action, m.Message.Name, d.users(topic(o.Channel)))
		}
	}
	for _, m := range n.Messages {
		if !slices.ContainsFunc(o.Messages, func(k *parse.ChannelMessage) bool { return likeness(k, m) > 0 }) {
			d.of(finding.Info, "OPERATION_MESSAGE_ADDED", finding.New, n.Pos, "", "operation %s also %ss %s", n.Name, n.Action, m.Message.Name)
		}
	}
}

func (d *differ) reply(o, n *parse.Operation) {
	switch {
	case o.Reply == nil && n.Reply == nil:
	case n.Reply == nil:
		d.removed(finding.Breaking, "REPLY_REMOVED", o.Reply.Pos, "keep the reply", "operation %s has no reply any more", n.Name)
	case o.Reply == nil:
		d.changed(finding.Info, "REPLY_ADDED", n.Reply.Pos, "", "operation %s has a reply", n.Name)
	case address(o.Reply) != address(n.Reply):
		d.changed(finding.Breaking, "REPLY_ADDRESS_CHANGED", n.Reply.Pos, "keep where replies go", "replies of operation %s go to %s instead of %s", n.Name, address(n.Reply), address(o.Reply))
	}
}

func address(r *parse.Reply) string {
	if r.Address != nil {
		return r.Address.Text
	}
	if r.Channel == nil {
		return ""
	}
	return topic(r.Channel)
}
