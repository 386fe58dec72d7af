package observer

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// codec decodes Confluent's framing with the schemas of the registry, and Avro's single-object
// encoding with the schemas of a directory.
type codec struct {
	registry *sr.Client
	byPrint  map[uint64]*avro.Schema

	mu   sync.Mutex
	byID map[int]*avro.Schema
}

func newCodec(registry, specs string) (*codec, error) {
	client, err := sr.NewClient(sr.URLs(registry))
	if err != nil {
		return nil, err
	}
	c := &codec{registry: client, byPrint: map[uint64]*avro.Schema{}, byID: map[int]*avro.Schema{}}
	schemas, err := readSchemas(specs)
	if err != nil {
		return nil, err
	}
	for _, s := range schemas {
		h := avro.NewRabin()
		_, _ = h.Write(s.Canonical())
		c.byPrint[h.Sum64()] = s
	}
	return c, nil
}

// readSchemas parses the schemas of the specs directory: every .avsc file of avro, and every
// version of the bodies of the logs.
func readSchemas(specs string) ([]*avro.Schema, error) {
	files, err := filepath.Glob(filepath.Join(specs, "avro", "*.avsc"))
	if err != nil || len(files) == 0 {
		return nil, errors.Join(fmt.Errorf("no .avsc files in %s/avro", specs), err)
	}
	out, err := parseTogether(files)
	if err != nil {
		return nil, err
	}
	lists, err := filepath.Glob(filepath.Join(specs, "log", "*", "versions", "*.json"))
	if err != nil || len(lists) == 0 {
		return nil, errors.Join(fmt.Errorf("no versions of bodies in %s/log", specs), err)
	}
	for _, name := range lists {
		versions, err := parseVersions(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out = append(out, versions...)
	}
	return out, nil
}

// parseVersions parses a file that lists schemas, each with all the types that it uses.
func parseVersions(name string) ([]*avro.Schema, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var versions []json.RawMessage
	if err := json.Unmarshal(text, &versions); err != nil {
		return nil, err
	}
	out := make([]*avro.Schema, len(versions))
	for i, v := range versions {
		if out[i], err = avro.Parse(string(v)); err != nil {
			return nil, fmt.Errorf("version %d: %w", i+1, err)
		}
	}
	return out, nil
}

// parseTogether parses files that may use types that other files declare, so those that cannot be
// parsed yet are tried again in the next round.
func parseTogether(files []string) ([]*avro.Schema, error) {
	var out []*avro.Schema
	cache := &avro.SchemaCache{}
	for len(files) > 0 {
		var waiting []string
		var why error
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			s, err := cache.Parse(string(text))
			if err != nil {
				waiting, why = append(waiting, name), fmt.Errorf("%s: %w", name, err)
				continue
			}
			out = append(out, s)
		}
		if len(waiting) == len(files) {
			return nil, why
		}
		files = waiting
	}
	return out, nil
}

func (c *codec) decode(ctx context.Context, r *kgo.Record) Record {
	out := Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: string(r.Key), Time: r.Timestamp, Headers: map[string]string{}}
	for _, h := range r.Headers {
		out.Headers[h.Key] = string(h.Value)
	}
	switch {
	case r.Value == nil:
	case len(r.Value) > 5 && r.Value[0] == 0:
		out.Type, out.Value, out.Err = c.confluent(ctx, r.Value)
	case len(r.Value) > 10 && r.Value[0] == 0xC3 && r.Value[1] == 0x01:
		out.Type, out.Value, out.Err = c.singleObject(r.Value)
		if out.Err == nil && out.Type == "JournalRecord" {
			out.Err = c.open(&out)
		}
	default:
		out.Err = fmt.Errorf("neither Confluent framing nor single-object encoding: %.20x", r.Value)
	}
	return out
}

func (c *codec) confluent(ctx context.Context, data []byte) (string, map[string]any, error) {
	id := int(binary.BigEndian.Uint32(data[1:5]))
	c.mu.Lock()
	s := c.byID[id]
	c.mu.Unlock()
	if s == nil {
		got, err := c.schema(ctx, id)
		if err != nil {
			return "", nil, fmt.Errorf("schema %d: %w", id, err)
		}
		if s, err = avro.Parse(got.Schema); err != nil {
			return "", nil, fmt.Errorf("schema %d: %w", id, err)
		}
		c.mu.Lock()
		c.byID[id] = s
		c.mu.Unlock()
	}
	return decodeRecord(s, data[5:])
}

// schema fetches a schema. While the registry does not answer, it tries again until ctx ends: a
// record that was read once is not decoded again later.
func (c *codec) schema(ctx context.Context, id int) (sr.Schema, error) {
	for {
		got, err := c.registry.SchemaByID(ctx, id)
		var answered *sr.ResponseError
		if err == nil || errors.As(err, &answered) || ctx.Err() != nil {
			return got, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (c *codec) singleObject(data []byte) (string, map[string]any, error) {
	fingerprint := binary.LittleEndian.Uint64(data[2:10])
	s := c.byPrint[fingerprint]
	if s == nil {
		return "", nil, fmt.Errorf("no schema has the fingerprint %016x", fingerprint)
	}
	return decodeRecord(s, data[10:])
}

func decodeRecord(s *avro.Schema, body []byte) (string, map[string]any, error) {
	var v any
	rest, err := s.Decode(body, &v)
	name := s.Root().Name
	switch {
	case err != nil:
		return name, nil, fmt.Errorf("decode %s: %w", name, err)
	case len(rest) > 0:
		return name, nil, fmt.Errorf("decode %s: %d bytes left over", name, len(rest))
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return name, nil, fmt.Errorf("decode %s: the schema is not a record", name)
	}
	return name, fields, nil
}

// open moves the fields of a journal record to r.Envelope and decodes its body into r.Value.
func (c *codec) open(r *Record) error {
	v := r.Value
	e := &Envelope{Attempt: attempt(v["attempt"]), Writer: text(v["writer"]), Traceparent: text(v["traceparent"])}
	e.DecidedAt, _ = v["decidedAt"].(time.Time)
	expects, _ := v["expects"].([]any)
	for _, x := range expects {
		fields, _ := x.(map[string]any)
		e.Expects = append(e.Expects, Expectation{Stream: text(fields["stream"]), Attempt: attempt(fields["attempt"])})
	}
	r.Envelope, r.Type, r.Value = e, text(v["kind"]), nil
	body, _ := v["body"].([]byte)
	if len(body) == 0 {
		return nil
	}
	if len(body) < 10 || body[0] != 0xC3 || body[1] != 0x01 {
		return fmt.Errorf("body of %s is not in single-object encoding", r.Type)
	}
	kind, value, err := c.singleObject(body)
	if err == nil && kind != r.Type {
		err = fmt.Errorf("envelope has kind %s, body is %s", r.Type, kind)
	}
	r.Value = value
	return err
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// attempt returns the text of an attempt id, or "" for null.
func attempt(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, _ := v.([]byte)
	id, err := uuid.FromBytes(b)
	if err != nil {
		return ""
	}
	return id.String()
}
