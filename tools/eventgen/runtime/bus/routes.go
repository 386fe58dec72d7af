package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

// Route is what is done with one message of a channel. On and Ignore return one.
type Route struct {
	name, record, subject, schema string
	framing                       Framing
	fingerprint                   uint64
	former                        []formerVersion
	plan                          func(writer string) (decoder any, err error)
	headers                       []metadata.Header
	text, empty, keyFramed        bool
	answers                       bool // its handler returns an answer
	// returns an error if a payload cannot be read as this message
	try       func(body []byte) error
	correlate func(*message.Message, target) string
	// returns the topic of the answer to a message of a topic; nil: the answer knows it
	answerAt func(topic string) (string, error)
	// nil: the message is skipped
	handle func(context.Context, *message.Message, provenance, target) error
}

// formerVersion is a former version of a message's schema.
type formerVersion struct {
	record      string
	fingerprint uint64
	decoder     any // func([]byte, *T) error of the route's T
}

// isCalled reports whether the record has the name, or had it in a former version.
func (r *Route) isCalled(record string) bool {
	return r.record == record || slices.ContainsFunc(r.former, func(f formerVersion) bool { return f.record == record })
}

// reads reports whether values with the fingerprint are of the route, and returns the decoder if
// they are of a former version.
func (r *Route) reads(fingerprint uint64) (decoder any, ok bool) {
	if r.fingerprint == fingerprint {
		return nil, true
	}
	for _, f := range r.former {
		if f.fingerprint == fingerprint {
			return f.decoder, true
		}
	}
	return nil, false
}

// target is the route of a payload, its decoder, and the payload without the framing.
type target struct {
	route *Route
	// func([]byte, *T) error of the route's T; nil: it was written with the present schema
	decoder any
	body    []byte
	schemas registry.Schemas
	answers *Sender
}

// On routes a message to its handler.
func On[T, K, H any](c *Spec[T, K, H], f func(context.Context, *Message[T, K, H]) error) Route {
	r := Ignore(c)
	r.plan = func(writer string) (any, error) {
		if c.Codec.Plan == nil {
			return nil, errors.New("this reader knows only one version")
		}
		return c.Codec.Plan(writer)
	}
	r.handle = func(ctx context.Context, raw *message.Message, p provenance, t target) error {
		m, err := decode(ctx, c, raw, p, t)
		if err != nil {
			return err
		}
		return f(ctx, m)
	}
	r.correlate = func(raw *message.Message, t target) string {
		at := c.correlation()
		if at.Of == nil {
			return at.get(raw.Metadata, nil)
		}
		var v T
		if c.decodePayload(t, &v) != nil {
			return ""
		}
		return at.Of(&v)
	}
	return r
}

// Ignore skips a message of the channel that the operation does not handle.
func Ignore[T, K, H any](c *Spec[T, K, H]) Route {
	r := Route{name: c.Name, record: c.Codec.Name, subject: c.Subject, schema: c.Codec.Schema, framing: c.Framing, fingerprint: c.Codec.Fingerprint,
		headers: c.Headers, text: c.Codec.Text, empty: c.Codec.Empty, keyFramed: c.Key.framed,
		try: func(body []byte) error { return c.Codec.Decode(body, new(T)) }}
	for _, f := range c.Codec.Former {
		r.former = append(r.former, formerVersion{f.Name, f.Fingerprint, f.Decode})
	}
	return r
}

func (c *Spec[T, K, H]) decodePayload(t target, v *T) error {
	dec := c.Codec.Decode
	if t.decoder != nil {
		dec = t.decoder.(func([]byte, *T) error)
	}
	return dec(t.body, v)
}

// decode returns the message for the handler. Its errors are permanent, except for those of the
// registry.
func decode[T, K, H any](ctx context.Context, c *Spec[T, K, H], raw *message.Message, p provenance, t target) (*Message[T, K, H], error) {
	m := &Message[T, K, H]{Topic: p.topic, Partition: p.partition, Offset: p.offset, Time: p.time, Attempt: p.attempt}
	if err := c.decodePayload(t, &m.Value); err != nil {
		return nil, Permanentf("%w as %s: %w", ErrUndecodable, c.Codec.Name, err)
	}
	if err := metadata.Check(c.Headers, raw.Metadata); err != nil {
		return nil, Permanentf("%s %w: %w", c.Name, ErrInvalid, err)
	}
	h, err := c.readHeaders(raw.Metadata)
	if err != nil {
		return nil, Permanentf("%s %w: %w", c.Name, ErrInvalid, err)
	}
	m.Headers = h
	if !c.Key.declared() {
		if free, ok := any(&m.Key).(*NoKey); ok {
			*free = NoKey(p.key)
		}
		return m, nil
	}
	if m.Key, err = c.Key.decode(ctx, t.schemas, p.key); err != nil {
		err = fmt.Errorf("key %w", err)
	} else if !p.anyKey {
		err = c.checkKey(p.key, &m.Value)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %w", c.Name, invalid(err))
	}
	return m, nil
}

// routes finds the route of a payload by the schema that it was written with.
type routes struct {
	registry     registry.Schemas
	needRegistry bool
	inOrder      bool
	list         []Route
	framings     []Framing

	mu   sync.Mutex
	byID map[int]known
}

// known is what is known about a schema id. It never changes.
type known struct {
	route   *Route
	decoder any
	json    bool // it is a JSON Schema
	err     error
}

func newRoutes(r registry.Schemas, list []Route) *routes {
	rs := &routes{registry: r, list: list, byID: map[int]known{}}
	seen := map[Framing]bool{}
	for i := range list {
		rs.needRegistry = rs.needRegistry || list[i].keyFramed
		if f := list[i].framing; f == Confluent || f == IDInHeader {
			rs.needRegistry = rs.needRegistry || !list[i].text
		}
		if !seen[list[i].framing] {
			seen[list[i].framing] = true
			rs.framings = append(rs.framings, list[i].framing)
		}
	}
	// a payload whose schema is in a header could also be read as a bare one
	slices.SortStableFunc(rs.framings, func(a, b Framing) int { return order(a) - order(b) })
	return rs
}

// order returns 1 for the framing that fits every payload, and 0 for the others.
func order(f Framing) int {
	if f == Bare {
		return 1
	}
	return 0
}

// answer reports whether one of the messages is answered.
func (rs *routes) answer() bool { return rs.by(func(r *Route) bool { return r.answers }) != nil }

// takesEmpty reports whether the channel has a message without payload.
func (rs *routes) takesEmpty() bool { return rs.by(func(r *Route) bool { return r.empty }) != nil }

// contradicts returns the route that a header ce_type names if it is another one than that of the
// payload, and nil otherwise. A name that the channel does not have contradicts nothing.
func (rs *routes) contradicts(r *Route, name string) *Route {
	named := func(r *Route) bool { return r.name == name || r.isCalled(name) }
	if name == "" || named(r) {
		return nil
	}
	return rs.by(named)
}

// find returns the target of a payload.
func (rs *routes) find(ctx context.Context, m *message.Message) (target, error) {
	var errs error
	for _, f := range rs.framings {
		t, err := rs.findFramed(ctx, f, m)
		t.schemas = rs.registry
		if err == nil || !IsPermanent(err) {
			return t, err
		}
		if errs == nil || !errors.Is(err, avrobin.ErrFraming) {
			errs = err
		}
	}
	return target{}, errs
}

// ignored reports whether a message is one that the operation does not handle, as far as that is
// known without the registry. Most messages of a channel are, for a reader that needs one kind, so
// they are skipped before anything else is done about them. ceType is the header ce_type.
func (rs *routes) ignored(payload []byte, ceType string) (name string, ok bool) {
	if len(rs.framings) != 1 || rs.framings[0] != Confluent || payload == nil {
		return "", false
	}
	id, _, err := avrobin.CutConfluent(payload)
	if err != nil {
		return "", false
	}
	rs.mu.Lock()
	k := rs.byID[int(id)]
	rs.mu.Unlock()
	if k.route == nil || k.err != nil || k.route.handle != nil || rs.contradicts(k.route, ceType) != nil {
		return "", false
	}
	return k.route.name, true
}

func (rs *routes) findFramed(ctx context.Context, f Framing, m *message.Message) (target, error) {
	switch f {
	case Confluent:
		id, body, err := avrobin.CutConfluent(m.Payload)
		if err != nil {
			return target{}, Permanentf("%w: %w", ErrUndecodable, err)
		}
		return rs.findByID(ctx, f, int(id), m, body)
	case IDInHeader:
		id, err := metadata.SchemaID(m.Metadata)
		if err != nil {
			return target{}, Permanentf("%w: %w: %w", ErrUndecodable, avrobin.ErrFraming, err)
		}
		return rs.findByID(ctx, f, id, m, m.Payload)
	case SingleObject:
		fp, body, err := avrobin.CutSingleObject(m.Payload)
		if err != nil {
			return target{}, Permanentf("%w: %w", ErrUndecodable, err)
		}
		for i := range rs.list {
			if dec, ok := rs.list[i].reads(fp); ok && rs.list[i].framing == f {
				return target{route: &rs.list[i], decoder: dec, body: body}, nil
			}
		}
		return target{}, Permanentf("%w: schema fingerprint %016x", ErrUnknownMessage, fp)
	}
	r, err := rs.findBare(rs.framed(Bare), m.Metadata, m.Payload)
	return target{route: r, body: m.Payload}, err
}

// framed returns the routes with a framing.
func (rs *routes) framed(f Framing) []*Route {
	var out []*Route
	for i := range rs.list {
		if rs.list[i].framing == f {
			out = append(out, &rs.list[i])
		}
	}
	return out
}

// findByID finds the route of a payload with the id of its schema. An Avro payload needs that
// schema. JSON does not, and the id of another version of its schema does not name the message, so
// JSON is routed as if it had no id.
func (rs *routes) findByID(ctx context.Context, f Framing, id int, m *message.Message, body []byte) (target, error) {
	all := rs.framed(f)
	jsons := slices.DeleteFunc(slices.Clone(all), func(r *Route) bool { return !r.text })
	if len(jsons) < len(all) {
		k, err := rs.learn(ctx, id)
		if err == nil {
			err = k.err
		}
		if err != nil || !k.json {
			return target{route: k.route, decoder: k.decoder, body: body}, err
		}
	}
	if len(jsons) == 0 {
		return target{}, Permanentf("%w: schema %d is a JSON Schema", ErrUnknownMessage, id)
	}
	r, err := rs.findBare(jsons, m.Metadata, body)
	return target{route: r, body: body}, err
}

// findBare finds the route of a payload that does not identify its schema: the only one there is,
// or by headers, or by trying to read the payload.
func (rs *routes) findBare(bare []*Route, headers message.Metadata, payload []byte) (*Route, error) {
	if len(bare) == 1 && len(rs.list) == 1 {
		return bare[0], nil
	}
	name := headers["ce_type"]
	for _, r := range bare {
		if name != "" && (r.record == name || r.name == name) {
			return r, nil
		}
	}
	left := byHeaders(bare, headers)
	if len(left) == 1 && tells(left[0].headers) {
		return left[0], nil
	}
	return rs.byPayload(left, payload)
}

// byHeaders returns the routes whose constant headers match those of a message.
func byHeaders(list []*Route, m message.Metadata) []*Route {
	var out []*Route
	for _, r := range list {
		fits := true
		for i := range r.headers {
			h := &r.headers[i]
			v, ok := h.Value(m)
			fits = fits && (!(h.Const != "" || len(h.Enum) > 0) || (ok || !h.Required) && (!ok || h.CheckText(v) == nil))
		}
		if fits {
			out = append(out, r)
		}
	}
	return out
}

func tells(headers []metadata.Header) bool {
	for i := range headers {
		if headers[i].Const != "" || len(headers[i].Enum) > 0 {
			return true
		}
	}
	return false
}

// byPayload tries to read a payload. By AsyncAPI exactly one message must fit. With dispatch in
// order the first one that fits is taken.
func (rs *routes) byPayload(list []*Route, payload []byte) (*Route, error) {
	var fits []*Route
	var errs []error
	for _, r := range list {
		if !r.text && !rs.inOrder {
			continue
		}
		if err := r.try(payload); err != nil {
			errs = append(errs, fmt.Errorf("not %s: %w", r.name, err))
			continue
		}
		if fits = append(fits, r); rs.inOrder {
			break
		}
	}
	switch len(fits) {
	case 0:
		return nil, Permanentf("%w: %w", ErrUnknownMessage, errors.Join(append([]error{errors.New("no header identifies the message")}, errs...)...))
	case 1:
		return fits[0], nil
	}
	return nil, Permanentf("%w: it can be both %s and %s, and no header identifies it", ErrUnknownMessage, fits[0].name, fits[1].name)
}

func (rs *routes) by(f func(*Route) bool) *Route {
	for i := range rs.list {
		if f(&rs.list[i]) {
			return &rs.list[i]
		}
	}
	return nil
}

// learn gets the schema of an id from the registry, once.
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
	if registry.IsJSON(writer) || err != nil && rs.by(func(r *Route) bool { return r.text && r.framing != Bare }) != nil {
		return known{json: true}, nil
	}
	if err != nil {
		return known{err: Permanentf("%w: schema %d: %w", ErrUndecodable, id, err)}, nil
	}
	r := rs.by(func(r *Route) bool { return (r.framing == Confluent || r.framing == IDInHeader) && r.isCalled(name) })
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

// recordName returns the full name of the record in a schema.
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
