package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Topic is the topic of the schemas. Its records have the format of Confluent's registry.
const Topic = "_schemas"

// Reference names a schema that another one uses.
type Reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// version is one version of a subject. It is the value of its record.
type version struct {
	Subject    string      `json:"subject"`
	Version    int         `json:"version"`
	ID         int         `json:"id"`
	SchemaType string      `json:"schemaType,omitempty"` // absent for Avro
	References []Reference `json:"references,omitempty"`
	Schema     string      `json:"schema"`
	Deleted    bool        `json:"deleted"`
}

type recordKey struct {
	Keytype string  `json:"keytype"`
	Subject *string `json:"subject"` // null in the global CONFIG and MODE
	Version int     `json:"version,omitempty"`
	Magic   int     `json:"magic"`
}

type levelValue struct {
	Level string `json:"compatibilityLevel"`
}

type modeValue struct {
	Mode string `json:"mode"`
}

// state is the result of applying the records of the topic in order.
type state struct {
	subjects map[string][]version // ascending
	levels   map[string]string    // by subject; "" is the global level
	modes    map[string]string
	nextID   int
}

func newState() *state {
	return &state{subjects: map[string][]version{}, levels: map[string]string{}, modes: map[string]string{}, nextID: 1}
}

// apply applies one record of the topic. Records of kinds that this registry never writes are
// ignored.
func (s *state) apply(key, value []byte) error {
	var k recordKey
	if err := json.Unmarshal(key, &k); err != nil {
		return fmt.Errorf("record key %s: %w", key, err)
	}
	subject := ""
	if k.Subject != nil {
		subject = *k.Subject
	}
	switch k.Keytype {
	case "SCHEMA":
		return s.applySchema(subject, k.Version, value)
	case "CONFIG":
		return applySetting(s.levels, subject, value, func(v levelValue) string { return v.Level })
	case "MODE":
		return applySetting(s.modes, subject, value, func(v modeValue) string { return v.Mode })
	}
	return nil
}

func (s *state) applySchema(subject string, number int, value []byte) error {
	versions := slices.DeleteFunc(slices.Clone(s.subjects[subject]), func(v version) bool { return v.Version == number })
	if value != nil {
		var v version
		if err := json.Unmarshal(value, &v); err != nil {
			return fmt.Errorf("schema record of %s version %d: %w", subject, number, err)
		}
		s.nextID = max(s.nextID, v.ID+1)
		if !v.Deleted {
			versions = append(versions, v)
			slices.SortFunc(versions, func(a, b version) int { return a.Version - b.Version })
		}
	}
	s.subjects[subject] = versions
	if len(versions) == 0 {
		delete(s.subjects, subject)
	}
	return nil
}

func applySetting[V any](to map[string]string, subject string, value []byte, text func(V) string) error {
	if value == nil {
		delete(to, subject)
		return nil
	}
	var v V
	if err := json.Unmarshal(value, &v); err != nil {
		return fmt.Errorf("setting of %q: %w", subject, err)
	}
	to[subject] = text(v)
	return nil
}

func (s *state) level(subject string) string {
	if l, ok := s.levels[subject]; ok {
		return l
	}
	if l, ok := s.levels[""]; ok {
		return l
	}
	return "BACKWARD"
}

func (s *state) mode(subject string) string {
	if m, ok := s.modes[subject]; ok {
		return m
	}
	if m, ok := s.modes[""]; ok {
		return m
	}
	return "READWRITE"
}

func (s *state) find(subject string, number int) (version, bool) {
	for _, v := range s.subjects[subject] {
		if v.Version == number {
			return v, true
		}
	}
	return version{}, false
}

// withID returns every version that has an id, in the order of subjects and versions.
func (s *state) withID(id int) []version {
	var out []version
	for _, subject := range slices.Sorted(maps.Keys(s.subjects)) {
		for _, v := range s.subjects[subject] {
			if v.ID == id {
				out = append(out, v)
			}
		}
	}
	return out
}

// resolve returns a schema with everything it refers to, directly or indirectly. Each text is
// listed once, after those that it refers to.
func (s *state) resolve(schema string, refs []Reference) (Text, error) {
	t := Text{Schema: schema}
	seen := map[Reference]bool{}
	var add func(refs []Reference) error
	add = func(refs []Reference) error {
		for _, ref := range refs {
			at := Reference{Subject: ref.Subject, Version: ref.Version}
			if seen[at] {
				continue
			}
			seen[at] = true
			v, ok := s.find(ref.Subject, ref.Version)
			if !ok {
				return fmt.Errorf("reference %q: subject %[3]q has no version %[2]d", ref.Name, ref.Version, ref.Subject)
			}
			if err := add(v.References); err != nil {
				return err
			}
			t.References = append(t.References, v.Schema)
		}
		return nil
	}
	err := add(refs)
	return t, err
}

// identity returns a text that is equal for equal schemas. White space and the order of attributes
// do not matter.
func identity(schema string, refs []Reference) (string, error) {
	var node any
	d := json.NewDecoder(bytes.NewReader([]byte(schema)))
	d.UseNumber()
	if err := d.Decode(&node); err != nil {
		return "", err
	}
	text, err := json.Marshal([]any{node, append([]Reference{}, refs...)})
	return string(text), err
}

func compact(schema string) string {
	var b bytes.Buffer
	if json.Compact(&b, []byte(schema)) != nil {
		return schema
	}
	return b.String()
}

// store keeps the state in memory. Each change is written to the topic first. Only one process may
// write to the topic.
type store struct {
	client *kgo.Client

	mu    sync.RWMutex // held for writing from a decision until its record is applied
	state *state
}

func openStore(ctx context.Context, opts []kgo.Opt) (*store, error) {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.ClientID("schema-registry"), kgo.DefaultProduceTopic(Topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.RecordDeliveryTimeout(10 * time.Second),
	}, opts...)...)
	if err != nil {
		return nil, err
	}
	s := &store{client: client, state: newState()}
	if err := s.load(ctx, opts); err != nil {
		client.Close()
		return nil, fmt.Errorf("load %s: %w", Topic, err)
	}
	return s, nil
}

func (s *store) load(ctx context.Context, opts []kgo.Opt) error {
	policy := "compact"
	admin := kadm.NewClient(s.client)
	if _, err := admin.CreateTopic(ctx, 1, 1, map[string]*string{"cleanup.policy": &policy}, Topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return err
	}
	ends, err := admin.ListEndOffsets(ctx, Topic)
	if err != nil {
		return err
	}
	end, _ := ends.Lookup(Topic, 0)
	if end.Err != nil {
		return fmt.Errorf("end offset: %w", end.Err)
	}
	reader, err := kgo.NewClient(append([]kgo.Opt{kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{Topic: {0: kgo.NewOffset().AtStart()}})}, opts...)...)
	if err != nil {
		return err
	}
	defer reader.Close()
	for position := int64(0); position < end.Offset; {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, r := range fetches.Records() {
			if err := s.state.apply(r.Key, r.Value); err != nil {
				return err
			}
			position = r.Offset + 1
		}
	}
	return nil
}

// write writes a record to the topic and then applies it to the state. A nil value deletes. The
// caller must hold the lock for writing.
func (s *store) write(ctx context.Context, key recordKey, value any) error {
	k, err := json.Marshal(key)
	if err != nil {
		return err
	}
	var v []byte
	if value != nil {
		if v, err = json.Marshal(value); err != nil {
			return err
		}
	}
	// The context of the request is not used: the outcome of the write must be known even if the
	// client disconnects.
	if err := s.client.ProduceSync(context.WithoutCancel(ctx), &kgo.Record{Partition: 0, Key: k, Value: v}).FirstErr(); err != nil {
		return fmt.Errorf("write to %s: %w", Topic, err)
	}
	return s.state.apply(k, v)
}
