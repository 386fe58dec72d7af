package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Want is what a service has to publish because of a message.
type Want struct {
	Topic   string
	Message string             // name of the message
	Match   func(Verdict) bool // nil: any record of the message
}

func (w Want) fits(v Verdict) bool {
	return v.Name() == w.Message && (w.Match == nil || w.Match(v))
}

// Inject sends a message of an operation, as its producer would.
func (s *Session) Inject(ctx context.Context, ch *Channel, message string, sample Sample) (Record, error) {
	m := ch.Message(message)
	if m == nil {
		return Record{}, fmt.Errorf("%s has no message %s", ch.Topic, message)
	}
	r, err := s.Record(ctx, ch, m, sample)
	if err != nil {
		return r, err
	}
	return s.Send(ctx, r)
}

// Exchange sends a record and returns what the service publishes because of it, judged. An error is
// returned if it does not come.
func (s *Session) Exchange(ctx context.Context, r Record, want Want) (Verdict, error) {
	starts, err := s.ends(ctx, want.Topic)
	if err != nil {
		return Verdict{}, err
	}
	if _, err := s.Send(ctx, r); err != nil {
		return Verdict{}, err
	}
	return s.capture(ctx, starts, want.Message, want.fits)
}

// capture returns the first record from the starts that fits.
func (s *Session) capture(ctx context.Context, starts map[place]int64, what string, fits func(Verdict) bool) (Verdict, error) {
	patient, cancel := context.WithTimeout(ctx, s.config.Patience)
	defer cancel()
	var found *Verdict
	var others []string
	err := s.read(patient, starts, nil, func(r Record) bool {
		v := s.Judge.Judge(ctx, r)
		if fits(v) {
			found = &v
			return false
		}
		others = append(others, strings.TrimSpace(v.Name()+" "+strings.Join(v.Violations, "; ")))
		return true
	})
	switch {
	case found != nil:
		return *found, nil
	case err != nil && (ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded)):
		return Verdict{}, err
	case len(others) > 0:
		return Verdict{}, fmt.Errorf("no such %s came within %s, only: %s", what, s.config.Patience, strings.Join(others, " | "))
	}
	return Verdict{}, fmt.Errorf("no %s came within %s", what, s.config.Patience)
}

// Once sends a record twice, as Kafka may deliver it twice, and returns what the service publishes
// because of it, each record with a value of its own once. There should be one.
func (s *Session) Once(ctx context.Context, op *Operation, r Record, want Want) ([]Verdict, error) {
	starts, err := s.ends(ctx, want.Topic)
	if err != nil {
		return nil, err
	}
	for range 2 {
		if r, err = s.Send(ctx, r); err != nil {
			return nil, err
		}
	}
	if op.Group != "" {
		if ok, err := s.await(ctx, func() (bool, error) { return s.passed(ctx, op.Group, r) }); err != nil || !ok {
			return nil, errors.Join(err, fmt.Errorf("the group %s is still before the record after %s", op.Group, s.config.Patience))
		}
	}
	ends, err := s.settled(ctx, []string{want.Topic})
	if err != nil {
		return nil, err
	}
	var out []Verdict
	err = s.read(ctx, starts, grown(starts, ends), func(r Record) bool {
		again := slices.ContainsFunc(out, func(v Verdict) bool { return string(v.Record.Value) == string(r.Value) })
		if v := s.Judge.Judge(ctx, r); !again && want.fits(v) {
			out = append(out, v)
		}
		return true
	})
	return out, err
}

// grown returns the ends of the partitions that have records from their starts.
func grown(starts, ends map[place]int64) map[place]int64 {
	out := map[place]int64{}
	for at, end := range ends {
		if end > starts[at] {
			out[at] = end
		}
	}
	return out
}

// Request sends a request of an operation with a reply and returns the reply, judged. An error is
// returned if no reply with the correlation id of the request comes.
func (s *Session) Request(ctx context.Context, op *Operation, message string, sample Sample) (Verdict, error) {
	if op.Reply == nil || op.Reply.Channel == nil {
		return Verdict{}, fmt.Errorf("%s has no reply", op.Name)
	}
	m := op.Channel.Message(message)
	if m == nil {
		return Verdict{}, fmt.Errorf("%s has no message %s", op.Channel.Topic, message)
	}
	topic := op.Reply.Channel.Topic
	if topic == "" {
		topic = s.unique() + "-replies"
		if _, err := s.admin.CreateTopic(ctx, 1, -1, nil, topic); err != nil {
			return Verdict{}, fmt.Errorf("create the topic of the reply: %w", err)
		}
		defer func() { _, _ = s.admin.DeleteTopic(context.WithoutCancel(ctx), topic) }()
		s.aliases[topic] = op
	}
	id := fmt.Sprintf("%08x-0000-4000-8000-%012x", time.Now().UnixNano()&0xffffffff, s.injected)
	r, err := s.request(ctx, op, m, sample, topic, id)
	if err != nil {
		return Verdict{}, err
	}
	starts, err := s.ends(ctx, topic)
	if err != nil {
		return Verdict{}, err
	}
	if _, err := s.Send(ctx, r); err != nil {
		return Verdict{}, err
	}
	v, err := s.capture(ctx, starts, "reply with the correlation id "+id, func(v Verdict) bool { return m.Correlation == "" || correlation(v, m) == id })
	if err == nil && !slices.Contains(op.Reply.Messages, v.Message) {
		v.Violations = append(v.Violations, fmt.Sprintf("%q is not a reply of %s", v.Name(), op.Name))
	}
	return v, err
}

// request returns a request with its correlation id and reply address in place.
func (s *Session) request(ctx context.Context, op *Operation, m *Message, sample Sample, topic, id string) (Record, error) {
	sample.Headers, sample.Change = maps.Clone(sample.Headers), maps.Clone(sample.Change)
	for at, value := range map[string]string{m.Correlation: id, op.Reply.Address: topic} {
		if at == "" {
			continue
		}
		source, name, ok := location(at)
		switch {
		case !ok:
			return Record{}, fmt.Errorf("%s: %q is no place at the top of a header or payload", m.Name, at)
		case source == "header":
			if sample.Headers == nil {
				sample.Headers = map[string]string{}
			}
			sample.Headers[name] = value
		default:
			if sample.Change == nil {
				sample.Change = map[string]any{}
			}
			sample.Change[name] = value
		}
	}
	return s.Record(ctx, op.Channel, m, sample)
}

// location returns the parts of a runtime expression such as $message.header#/correlationId.
func location(expression string) (source, name string, ok bool) {
	source, pointer, ok := strings.Cut(strings.TrimPrefix(expression, "$message."), "#/")
	name = strings.NewReplacer("~1", "/", "~0", "~").Replace(pointer)
	return source, name, ok && (source == "header" || source == "payload") && !strings.Contains(pointer, "/")
}

// correlation returns the correlation id of a reply, which is where the reply declares it, and else
// where the request does.
func correlation(v Verdict, request *Message) string {
	at := request.Correlation
	if v.Message != nil && v.Message.Correlation != "" {
		at = v.Message.Correlation
	}
	source, name, _ := location(at)
	if source == "header" {
		return v.Record.Header(name)
	}
	fields, _ := v.Payload.(map[string]any)
	if fields[name] == nil {
		return ""
	}
	return text(fields[name])
}
