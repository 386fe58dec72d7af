package kafkatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Policy is what has to happen to a message.
type Policy string

// The policies. Whatever it is, the consumer group goes on behind the message.
const (
	DeadLetter Policy = "dead letter"   // once on the declared channel, as it was, with its headers
	Handled    Policy = "handled"       // never a dead letter
	Either     Policy = "either"        // a consumer may be content with it
	Refused    Policy = "not delivered" // the broker does not take it
)

// UnknownType is the kind of a message whose type is not on the channel.
const UnknownType = "message of an unknown type"

// Outcome is what happened to one message.
type Outcome struct {
	Operation, Kind string
	Policy          Policy
	Record          Record
	Held            bool // laid aside: the group keeps its place, and handles messages behind it
	Faults          []string

	letters int // dead letters that it has
}

// hostile is a message to send to a consumer.
type hostile struct {
	kind   string
	policy Policy
	spoil  func(*Record) // nil: as it is
	from   *Contract     // documents of the schema that it is written with; nil: the present ones
	as     *Message      // nil: the message of the operation
}

// Hostile sends to the consumer of an operation what it cannot handle, and then what it can: former
// versions, messages that the operation does not name, and a valid message. It returns what became
// of each. fresh returns a sample of a message, for each n another key if it matters which.
//
// A consumer may lay a message aside, as one whose schema the registry does not have yet. Its group
// then keeps its place, so what cannot be read is sent once more behind everything.
//
// An error is returned if nothing can show what the consumer does: its group and its dead letters
// are not declared.
func (s *Session) Hostile(ctx context.Context, op *Operation, message string, fresh func(m *Message, n int) Sample) ([]Outcome, error) {
	m := op.Channel.Message(message)
	switch {
	case m == nil:
		return nil, fmt.Errorf("%s has no message %s", op.Channel.Topic, message)
	case op.Group == "" && op.DeadLetter == nil:
		return nil, fmt.Errorf("%s declares neither a groupId nor x-dead-letter, so that nothing shows what it does", op.Name)
	}
	letters, err := s.deadEnds(ctx, op)
	if err != nil {
		return nil, err
	}
	kinds, err := s.kinds(ctx, op, m)
	if err != nil {
		return nil, err
	}
	var out []Outcome
	for n, k := range kinds {
		as := m
		if k.as != nil {
			as = k.as
		}
		sample := fresh(as, n)
		sample.Former = k.from
		o, err := s.outcome(ctx, op, as, k, sample)
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	if out, err = s.behind(ctx, op, m, out); err != nil {
		return nil, err
	}
	if err := s.wait(ctx, op, letters, out); err != nil {
		return nil, err
	}
	if out, err = s.deadLetters(ctx, op, letters, out); err != nil {
		return nil, err
	}
	return out, s.goesOn(ctx, op, out)
}

// outcome sends a message. A broker may refuse it, such as one without a key on a compacted topic.
func (s *Session) outcome(ctx context.Context, op *Operation, m *Message, k hostile, sample Sample) (Outcome, error) {
	o := Outcome{Operation: op.Name, Kind: k.kind, Policy: k.policy}
	var err error
	if o.Record, err = s.Record(ctx, op.Channel, m, sample); err != nil {
		return o, err
	}
	if k.spoil != nil {
		k.spoil(&o.Record)
	}
	if o.Policy == DeadLetter && m.decodes(o.Record.Value) {
		o.Policy = Either
	}
	sent, err := s.Send(ctx, o.Record)
	if errors.Is(err, kerr.InvalidRecord) {
		o.Policy = Refused
		return o, nil
	}
	o.Record = sent
	return o, err
}

// behind sends what cannot be read to every partition that has a message, behind all of them.
func (s *Session) behind(ctx context.Context, op *Operation, m *Message, all []Outcome) ([]Outcome, error) {
	if op.DeadLetter == nil || m.payload == nil {
		return all, nil
	}
	client, err := kgo.NewClient(s.options(kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	done := map[int32]bool{}
	for _, o := range all[:len(all):len(all)] {
		r := o.Record
		if o.Policy == Refused || done[r.Partition] {
			continue
		}
		done[r.Partition] = true
		s.injected++
		k := &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: []byte(s.unique()), Value: []byte("nonsense behind all of them")}
		if err := client.ProduceSync(ctx, k).FirstErr(); err != nil {
			return nil, fmt.Errorf("send to %s: %w", r.Topic, err)
		}
		all = append(all, Outcome{Operation: op.Name, Kind: fmt.Sprintf("nonsense behind all of them, partition %d", r.Partition), Policy: DeadLetter, Record: fromKafka(k)})
	}
	return all, nil
}

// decodes reports whether a value is a valid one after all, whatever was done to it.
func (m *Message) decodes(value []byte) bool {
	body, err := m.unframed(value)
	if err != nil {
		return false
	}
	_, rest, err := m.payload.decode(body)
	return err == nil && rest == 0
}

func (s *Session) deadEnds(ctx context.Context, op *Operation) (map[place]int64, error) {
	if op.DeadLetter == nil {
		return nil, nil
	}
	return s.ends(ctx, op.DeadLetter.Topic)
}

// kinds returns what is sent to the consumer of an operation, valid messages last.
func (s *Session) kinds(ctx context.Context, op *Operation, m *Message) ([]hostile, error) {
	out := spoiled(op, m)
	if stranger, err := s.stranger(ctx, op, m); err != nil || stranger != nil {
		if err != nil {
			return nil, err
		}
		out = append(out, *stranger)
	}
	for _, other := range op.Channel.Messages {
		if !slices.Contains(op.Messages, other) {
			out = append(out, hostile{kind: "message that the operation does not name: " + other.Name, policy: Handled, as: other})
			break
		}
	}
	for i, former := range s.rules.Former {
		if old, err := writerOf(op.Channel, m, former); err == nil && old.payload != nil {
			out = append(out, hostile{kind: fmt.Sprintf("version %d of %s", i+1, m.Name), policy: Handled, from: former})
		}
	}
	return append(out, hostile{kind: "valid, behind all of them", policy: Handled}), nil
}

// spoiled returns what can be made of a valid message. What no decoder takes has to be a dead
// letter, if the operation has any; the rest is up to the consumer.
func spoiled(op *Operation, m *Message) []hostile {
	undecodable := DeadLetter
	if op.DeadLetter == nil {
		undecodable = Either
	}
	var out []hostile
	add := func(kind string, policy Policy, spoil func(*Record)) {
		out = append(out, hostile{kind: kind, policy: policy, spoil: spoil})
	}
	head := map[Framing]int{Confluent: 5, SingleObject: 10}[m.Framing]
	if m.payload != nil {
		add("empty value", undecodable, func(r *Record) { r.Value = []byte{} })
		add("nonsense", undecodable, func(r *Record) { r.Value = []byte("nonsense") })
		add("null value", Either, func(r *Record) { r.Value = nil })
	}
	switch m.payload.(type) {
	case *avroCodec:
		add("cut short", undecodable, func(r *Record) { r.Value = r.Value[:max(head, len(r.Value)-1)] })
		add("hostile length", undecodable, func(r *Record) {
			r.Value = append(r.Value[:head:head], 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)
		})
		add("more bytes behind it", Either, func(r *Record) { r.Value = append(slices.Clip(r.Value), 1, 2, 3) })
	case jsonCodec:
		add("cut short", undecodable, func(r *Record) { r.Value = r.Value[:len(r.Value)-1] })
		if wrong := refusedJSON(m); wrong != nil {
			add("JSON that its schema refuses", undecodable, func(r *Record) { r.Value = append(r.Value[:head:head], wrong...) })
		}
	}
	if m.Framing == Confluent {
		add("schema id that nobody knows", Either, func(r *Record) { copy(r.Value[1:5], []byte{0x7f, 0xff, 0xff, 0x01}) })
	}
	if m.headers != nil && len(m.headers.needed) > 0 {
		add("without the header "+m.headers.needed[0], Either, func(r *Record) {
			r.Headers = slices.DeleteFunc(r.Headers, func(h Header) bool { return h.Name == m.headers.needed[0] })
		})
	}
	if m.key != nil {
		add("without a key", Either, func(r *Record) { r.Key = nil })
	}
	return out
}

// refusedJSON returns a JSON value that a message does not allow, nil if it allows anything.
func refusedJSON(m *Message) []byte {
	for _, text := range []string{"{}", "[]", `"text"`, "7"} {
		if _, _, err := m.payload.decode([]byte(text)); err != nil {
			return []byte(text)
		}
	}
	return nil
}

// stranger returns a message of a type that is not on the channel, nil if its documents leave open
// what tells messages apart.
func (s *Session) stranger(ctx context.Context, op *Operation, m *Message) (*hostile, error) {
	if s.schemas == nil || m.Full == "" || m.Framing != Confluent {
		return nil, nil
	}
	policy := map[string]Policy{"ack": Handled, "dead-letter": DeadLetter}[op.Unknown]
	if op.Unknown == "error" {
		return nil, nil // it blocks the partition, as declared
	}
	if policy == "" {
		policy = Either
	}
	const schema = `{"type":"record","name":"Stranger","namespace":"contracttest","fields":[]}`
	id, err := s.schemas.register(ctx, op.Channel.Topic+"-contracttest.Stranger", schema)
	if err != nil {
		return nil, err
	}
	return &hostile{kind: UnknownType, policy: policy, spoil: func(r *Record) {
		r.Value, _ = (&Message{Framing: Confluent}).frame(id, nil)
		for i, h := range r.Headers {
			if h.Name == "ce_type" || h.Name == s.rules.Type {
				r.Headers[i].Value = []byte("contracttest.Stranger")
			}
		}
	}}, nil
}

// wait waits until the group has gone past every message, or there are as many new dead letters as
// there have to be if the group is not declared. It waits no longer than the session is patient.
func (s *Session) wait(ctx context.Context, op *Operation, letters map[place]int64, all []Outcome) error {
	_, err := s.await(ctx, func() (bool, error) {
		if op.Group != "" {
			stuck, err := s.stuck(ctx, op, all)
			return len(stuck) == 0, err
		}
		needed := int64(0)
		for _, o := range all {
			if o.Policy == DeadLetter {
				needed++
			}
		}
		now, err := s.ends(ctx, op.DeadLetter.Topic)
		for at, end := range now {
			needed -= end - letters[at]
		}
		return needed <= 0, err
	})
	return err
}

// stuck returns the index of the first message of each partition that the group has not passed.
func (s *Session) stuck(ctx context.Context, op *Operation, all []Outcome) (map[int32]int, error) {
	out := map[int32]int{}
	for i, o := range all {
		if _, known := out[o.Record.Partition]; known || o.Policy == Refused {
			continue
		}
		ok, err := s.passed(ctx, op.Group, o.Record)
		if err != nil {
			return nil, err
		}
		if !ok {
			out[o.Record.Partition] = i
		}
	}
	return out, nil
}

// goesOn adds a fault to a message that the group has not passed, unless a message behind it on its
// partition has become a dead letter.
func (s *Session) goesOn(ctx context.Context, op *Operation, all []Outcome) error {
	if op.Group == "" {
		return nil
	}
	stuck, err := s.stuck(ctx, op, all)
	for partition, i := range stuck {
		o := &all[i]
		o.Held = slices.ContainsFunc(all[i+1:], func(b Outcome) bool { return b.Record.Partition == partition && b.letters > 0 })
		if !o.Held {
			o.Faults = append(o.Faults, fmt.Sprintf("the group %s does not get past it in %s: it blocks its partition", op.Group, s.config.Patience))
		}
	}
	return err
}

// deadLetters compares the dead letters since the starts with what was sent.
func (s *Session) deadLetters(ctx context.Context, op *Operation, starts map[place]int64, all []Outcome) ([]Outcome, error) {
	if op.DeadLetter == nil {
		return all, nil
	}
	ends, err := s.settled(ctx, []string{op.DeadLetter.Topic})
	if err != nil {
		return nil, err
	}
	sent := len(all)
	err = s.read(ctx, starts, grown(starts, ends), func(r Record) bool {
		v := s.Judge.Judge(ctx, r)
		i, faults := original(all[:sent], r)
		if i >= 0 && all[i].Record.Key == nil {
			v.Violations = slices.DeleteFunc(v.Violations, func(text string) bool { return text == noKey })
		}
		faults = append(faults, v.Violations...)
		if i < 0 {
			all = append(all, Outcome{Operation: op.Name, Kind: "dead letter of nothing that was sent", Policy: Handled, Record: r, Faults: faults})
			return true
		}
		if all[i].letters++; all[i].Policy == Handled {
			faults = append(faults, "it became a dead letter: "+strings.Join(headerTexts(r), ", "))
		}
		all[i].Faults = append(all[i].Faults, faults...)
		return true
	})
	for i := range all[:sent] {
		switch o := &all[i]; {
		case o.letters > 1:
			o.Faults = append(o.Faults, fmt.Sprintf("it has %d dead letters", o.letters))
		case o.letters == 0 && o.Policy == DeadLetter:
			o.Faults = append(o.Faults, fmt.Sprintf("it has no dead letter on %s", op.DeadLetter.Topic))
		}
	}
	return all, err
}

// original returns the index of the message that a dead letter is of, and what of it differs. Of
// equal messages it is the first one that has no dead letter yet. The index is negative if there is
// none.
func original(all []Outcome, letter Record) (int, []string) {
	again, near, fault := -1, -1, []string{"it has neither the key nor the value of a message"}
	for i, o := range all {
		value, key := sameBytes(o.Record.Value, letter.Value), sameBytes(o.Record.Key, letter.Key)
		switch {
		case value && key && o.letters == 0:
			return i, nil
		case value && key:
			if again < 0 {
				again = i
			}
		case value && len(letter.Value) > 0:
			near, fault = i, []string{fmt.Sprintf("its dead letter has the key %q instead of %q", letter.Key, o.Record.Key)}
		case key && len(letter.Key) > 0 && near < 0:
			near, fault = i, []string{fmt.Sprintf("its dead letter has another value: %s instead of %s", size(letter.Value), size(o.Record.Value))}
		}
	}
	if again >= 0 {
		return again, nil
	}
	return near, fault
}

// sameBytes reports whether two keys or values are equal on Kafka, where null is not empty.
func sameBytes(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func size(value []byte) string {
	if value == nil {
		return "null"
	}
	return fmt.Sprintf("%d bytes", len(value))
}

func headerTexts(r Record) []string {
	out := make([]string, len(r.Headers))
	for i, h := range r.Headers {
		out[i] = fmt.Sprintf("%s=%s", h.Name, h.Value)
	}
	return out
}
