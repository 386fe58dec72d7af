package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

// Route says what becomes of one message of a channel. On and Ignore make them.
type Route struct {
	name, record, subject, schema string
	framing                       Framing
	fingerprint                   uint64
	plan                          func(writer string) (decoder any, err error)
	handle                        func(context.Context, *message.Message, provenance, target) error // nil: passed over
}

// target is the route of a payload, how to decode it, and what is left of it behind the framing.
type target struct {
	route   *Route
	decoder any // func([]byte, *T) error of the route's T; nil: written with the schema compiled in
	body    []byte
}

// On routes a message to its handler.
func On[T any, K Key, H any](c *Spec[T, K, H], f func(context.Context, *Message[T, K, H]) error) Route {
	r := Ignore(c)
	r.plan = func(writer string) (any, error) {
		if c.Codec.Plan == nil {
			return nil, errors.New("this reader knows one version alone")
		}
		return c.Codec.Plan(writer)
	}
	r.handle = func(ctx context.Context, raw *message.Message, p provenance, t target) error {
		m, err := decode(c, raw, p, t)
		if err != nil {
			return err
		}
		return f(ctx, m)
	}
	return r
}

// Ignore passes a message over: it is the channel's, but the operation does not take it.
func Ignore[T any, K Key, H any](c *Spec[T, K, H]) Route {
	return Route{name: c.Name, record: c.Codec.Name, subject: c.Subject, schema: c.Codec.Schema, framing: c.Framing, fingerprint: c.Codec.Fingerprint}
}

// decode turns a raw message into what the handler takes. Its errors are permanent.
func decode[T any, K Key, H any](c *Spec[T, K, H], raw *message.Message, p provenance, t target) (*Message[T, K, H], error) {
	m := &Message[T, K, H]{Key: K(p.key), Topic: p.topic, Partition: p.partition, Offset: p.offset, Time: p.time, Attempt: p.attempt}
	dec := c.Codec.Decode
	if t.decoder != nil {
		dec = t.decoder.(func([]byte, *T) error)
	}
	if err := dec(t.body, &m.Value); err != nil {
		return nil, Permanentf("%w as %s: %w", ErrUndecodable, c.Codec.Name, err)
	}
	if err := checkHeaders(c.Headers, raw.Metadata); err != nil {
		return nil, Permanentf("%s %w: %w", c.Name, ErrInvalid, err)
	}
	h, err := c.readHeaders(raw.Metadata)
	if err != nil {
		return nil, Permanentf("%s %w: %w", c.Name, ErrInvalid, err)
	}
	m.Headers = h
	if c.Keyed {
		if err := checkKey(c, m.Key, &m.Value); err != nil {
			return nil, Permanentf("%s %w: %w", c.Name, ErrInvalid, err)
		}
	}
	return m, nil
}

// routes finds the route of a payload by the schema it was written with.
type routes struct {
	registry     registry.Schemas
	needRegistry bool
	list         []Route
	framings     []Framing

	mu   sync.Mutex
	byID map[int]known
}

// known is what was learned of a schema id: it stays so for ever.
type known struct {
	route   *Route
	decoder any
	err     error
}

func newRoutes(r registry.Schemas, list []Route) *routes {
	rs := &routes{registry: r, list: list, byID: map[int]known{}}
	seen := map[Framing]bool{}
	for i := range list {
		if !seen[list[i].framing] {
			seen[list[i].framing] = true
			rs.framings = append(rs.framings, list[i].framing)
		}
	}
	rs.needRegistry = seen[Confluent]
	return rs
}

// find gives the target of a payload. An error that is not permanent may pass.
func (rs *routes) find(ctx context.Context, m *message.Message) (target, error) {
	var errs error
	for _, f := range rs.framings {
		t, err := rs.findFramed(ctx, f, m)
		if err == nil || !IsPermanent(err) {
			return t, err
		}
		if errs == nil || !errors.Is(err, avrobin.ErrFraming) {
			errs = err
		}
	}
	return target{}, errs
}

func (rs *routes) findFramed(ctx context.Context, f Framing, m *message.Message) (target, error) {
	switch f {
	case Confluent:
		id, body, err := avrobin.CutConfluent(m.Payload)
		if err != nil {
			return target{}, Permanentf("%w: %w", ErrUndecodable, err)
		}
		k, err := rs.learn(ctx, int(id))
		if err == nil {
			err = k.err
		}
		return target{k.route, k.decoder, body}, err
	case SingleObject:
		fp, body, err := avrobin.CutSingleObject(m.Payload)
		if err != nil {
			return target{}, Permanentf("%w: %w", ErrUndecodable, err)
		}
		r := rs.by(func(r *Route) bool { return r.framing == f && r.fingerprint == fp })
		if r == nil {
			return target{}, Permanentf("%w: schema fingerprint %016x", ErrUnknownMessage, fp)
		}
		return target{r, nil, body}, nil
	}
	return rs.findBare(m)
}

// findBare goes by the header ce_type, as the payload tells nothing; a channel with one message needs no telling.
func (rs *routes) findBare(m *message.Message) (target, error) {
	if len(rs.list) == 1 {
		return target{&rs.list[0], nil, m.Payload}, nil
	}
	name := m.Metadata["ce_type"]
	r := rs.by(func(r *Route) bool { return r.framing == Bare && (r.record == name || r.name == name) })
	if r == nil {
		return target{}, Permanentf("%w: header ce_type is %q", ErrUnknownMessage, name)
	}
	return target{r, nil, m.Payload}, nil
}

func (rs *routes) by(f func(*Route) bool) *Route {
	for i := range rs.list {
		if f(&rs.list[i]) {
			return &rs.list[i]
		}
	}
	return nil
}

// learn asks the registry what a schema id stands for, once.
func (rs *routes) learn(ctx context.Context, id int) (known, error) {
	rs.mu.Lock()
	k, ok := rs.byID[id]
	rs.mu.Unlock()
	if ok {
		return k, nil
	}
	writer, err := rs.registry.Schema(ctx, id)
	if err != nil {
		return known{}, err
	}
	if k, err = rs.judge(ctx, id, writer); err != nil {
		return known{}, err
	}
	rs.mu.Lock()
	rs.byID[id] = k
	rs.mu.Unlock()
	return k, nil
}

func (rs *routes) judge(ctx context.Context, id int, writer string) (known, error) {
	name, err := recordName(writer)
	if err != nil {
		return known{err: Permanentf("%w: schema %d: %w", ErrUndecodable, id, err)}, nil
	}
	r := rs.by(func(r *Route) bool { return r.framing == Confluent && r.record == name })
	switch {
	case r == nil:
		return known{err: Permanentf("%w: %s, schema %d", ErrUnknownMessage, name, id)}, nil
	case r.handle == nil || r.schema == writer:
		return known{route: r}, nil
	}
	own, err := rs.registry.ID(ctx, r.subject, r.schema)
	switch {
	case err == nil && own == id:
		return known{route: r}, nil
	case err != nil && !errors.Is(err, registry.ErrNotRegistered):
		return known{}, err
	}
	dec, err := r.plan(writer)
	if err != nil {
		return known{err: Permanentf("%w: %s was written with schema %d: %w", ErrUndecodable, name, id, err)}, nil
	}
	return known{route: r, decoder: dec}, nil
}

// recordName gives the full name of a schema's record.
func recordName(schema string) (string, error) {
	var s struct{ Name, Namespace string }
	if err := json.Unmarshal([]byte(schema), &s); err != nil || s.Name == "" {
		return "", fmt.Errorf("it is not the schema of a named type")
	}
	if s.Namespace != "" && !strings.Contains(s.Name, ".") {
		return s.Namespace + "." + s.Name, nil
	}
	return s.Name, nil
}
