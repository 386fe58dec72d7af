package bus

import (
	"context"
	"fmt"
	"slices"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

// Sender publishes messages. It is safe for concurrent use if its publisher is.
type Sender struct {
	publisher   message.Publisher
	registry    registry.Schemas
	source      string
	replyTo     string
	traceparent func(context.Context) string
}

// SendOption is an option of a Sender.
type SendOption func(*Sender)

// NewSender returns a sender that uses a Watermill publisher.
func NewSender(p message.Publisher, options ...SendOption) *Sender {
	s := &Sender{publisher: p}
	for _, o := range options {
		o(s)
	}
	return s
}

// SendWithRegistry sets the schema registry. It is required for Confluent's framing and for ids in
// headers.
func SendWithRegistry(r registry.Schemas) SendOption { return func(s *Sender) { s.registry = r } }

// SendWithSource sets the header ce_source of messages that do not have it.
func SendWithSource(source string) SendOption { return func(s *Sender) { s.source = source } }

// SendWithTraceparent sets the header traceparent of messages that do not have it, from the context
// of the call.
func SendWithTraceparent(from func(context.Context) string) SendOption {
	return func(s *Sender) { s.traceparent = from }
}

// Send publishes one message and returns when the publisher has it, or, if the publisher waits for
// the broker, when the broker has it. Sending again after an error may publish the message twice.
// The error is permanent if the message violates its contract.
func Send[T, K, H any](ctx context.Context, s *Sender, c *Spec[T, K, H], key K, v *T, h *H) error {
	return SendTo(ctx, s, c.Topic, c, key, v, h)
}

// SendTo sends a message whose channel has no fixed address.
func SendTo[T, K, H any](ctx context.Context, s *Sender, topic string, c *Spec[T, K, H], key K, v *T, h *H) error {
	msg, err := Encode(ctx, s, c, key, v, h)
	if err != nil {
		return fmt.Errorf("send %s: %w", c.Name, err)
	}
	return s.publish(c.Name, topic, msg)
}

func (s *Sender) publish(name, topic string, msg *message.Message) error {
	if topic == "" {
		return fmt.Errorf("send %s: %w", name, Permanentf("there is no topic"))
	}
	if err := s.publisher.Publish(topic, msg); err != nil {
		return fmt.Errorf("send %s to %s: %w", name, topic, err)
	}
	return nil
}

// SendTombstone publishes a null value, which deletes a key of a compacted topic.
func SendTombstone[K interface {
	~string
	Validate() error
}](ctx context.Context, s *Sender, topic string, key K) error {
	if err := key.Validate(); err != nil {
		return fmt.Errorf("send a tombstone to %s: %w", topic, Permanentf("%w: key %w", ErrInvalid, err))
	}
	msg := message.NewMessageWithContext(ctx, watermill.NewUUID(), nil)
	msg.Metadata[metadata.Key] = string(key)
	if err := s.publisher.Publish(topic, msg); err != nil {
		return fmt.Errorf("send a tombstone to %s: %w", topic, err)
	}
	return nil
}

// Encode returns the message that Send would publish.
func Encode[T, K, H any](ctx context.Context, s *Sender, c *Spec[T, K, H], key K, v *T, h *H) (*message.Message, error) {
	return encode(ctx, s, c, key, v, h, func(message.Metadata) error { return nil })
}

// encode calls prepare, which completes value and headers, before they are checked.
func encode[T, K, H any](ctx context.Context, s *Sender, c *Spec[T, K, H], key K, v *T, h *H, prepare func(message.Metadata) error) (*message.Message, error) {
	msg := message.NewMessageWithContext(ctx, "", nil)
	msg.Metadata = make(message.Metadata, len(c.Headers)+2) // and the key, and the content type
	if err := c.writeHeaders(h, msg.Metadata); err != nil {
		return nil, Permanentf("%w: %w", ErrInvalid, err)
	}
	if err := prepare(msg.Metadata); err != nil {
		return nil, err
	}
	text := ""
	if c.Key.declared() {
		var err error
		if text, err = c.encodeKey(ctx, s.registry, key, v); err != nil {
			return nil, err
		}
		msg.Metadata[metadata.Key] = text
	}
	s.fill(ctx, c.Headers, msg.Metadata, c.Codec.Name, text)
	metadata.SetText(msg.Metadata, "content-type", c.ContentType)
	if err := metadata.Check(c.Headers, msg.Metadata); err != nil {
		return nil, Permanentf("%w: %w", ErrInvalid, err)
	}
	payload, err := encodePayload(ctx, s.registry, c, v, msg.Metadata)
	if err != nil {
		return nil, err
	}
	msg.Payload = payload
	if msg.UUID = msg.Metadata["ce_id"]; msg.UUID == "" {
		msg.UUID = watermill.NewUUID()
	}
	return msg, nil
}

// fill sets declared headers that the caller left empty and whose values follow from the message.
func (s *Sender) fill(ctx context.Context, declared []metadata.Header, m message.Metadata, record, key string) {
	for i := range declared {
		h := &declared[i]
		if _, ok := m[h.Name]; ok || len(h.Below) > 0 {
			continue
		}
		v := h.Const
		switch {
		case v != "":
		case h.Name == "ce_type":
			v = record
		case h.Name == "ce_subject":
			v = key
		case h.Name == "ce_source":
			v = s.source
		case h.Name == "traceparent" && s.traceparent != nil:
			v = s.traceparent(ctx)
		}
		metadata.SetText(m, h.Name, allowed(h, v))
	}
}

// allowed returns what a header is filled with: the value, or the only one of the enum of the
// header, or "" if the enum has others.
func allowed(h *metadata.Header, v string) string {
	switch {
	case v == "" || len(h.Enum) == 0 || slices.Contains(h.Enum, v):
		return v
	case len(h.Enum) == 1:
		return h.Enum[0]
	}
	return ""
}

func (c *Spec[T, K, H]) encodeKey(ctx context.Context, schemas registry.Schemas, key K, v *T) (string, error) {
	text, err := c.Key.append(ctx, schemas, key)
	if err != nil {
		return "", invalid(fmt.Errorf("key %w", err))
	}
	if err := c.checkKey(text, v); err != nil {
		return "", invalid(err)
	}
	return text, nil
}

// checkKey compares a key with the field of the payload that it repeats.
func (c *Spec[T, K, H]) checkKey(text string, v *T) error {
	if c.KeyOf != nil && c.KeyOf(v) != text {
		return fmt.Errorf("key %q differs from the payload's %s %q", text, c.KeyField, c.KeyOf(v))
	}
	return nil
}

func encodePayload[T, K, H any](ctx context.Context, schemas registry.Schemas, c *Spec[T, K, H], v *T, m message.Metadata) ([]byte, error) {
	b := []byte{}
	switch c.Framing {
	case Confluent, IDInHeader:
		id, err := registered(ctx, schemas, c.Subject, c.Codec.Schema)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Codec.Name, err)
		}
		if c.Framing == IDInHeader {
			metadata.SetSchemaID(m, id)
			break
		}
		b = avrobin.AppendConfluentHeader(make([]byte, 0, 256), uint32(id))
	case SingleObject:
		b = avrobin.AppendSingleObjectHeader(make([]byte, 0, 256), c.Codec.Fingerprint)
	}
	b, err := c.Codec.Append(b, v)
	if err != nil {
		return nil, Permanentf("%w: %w", ErrInvalid, err)
	}
	return b, nil
}
