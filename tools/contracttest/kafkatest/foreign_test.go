package kafkatest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/deferpay/deferpay/tools/devkafka/embedded"
)

// corpus returns the folder of public AsyncAPI documents.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("EVENTGEN_CORPUS")
	if dir == "" {
		dir = "../../../../shared/corpus"
	}
	dir = filepath.Join(dir, "asyncapi")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("there is no corpus: set EVENTGEN_CORPUS")
	}
	return dir
}

// TestForeignDocument sends a message of each topic of a public document, with the schemas that it
// refers to, and one with a fault.
func TestForeignDocument(t *testing.T) {
	file := filepath.Join(corpus(t), "ZenWave360__zenwave-sdk/zenwave-sdk-test-resources/src/main/resources/retail-domain-catalog/customer-relationship/customer-management/customer-profile/asyncapi.yml")
	c, err := Load([]string{file})
	if err != nil {
		t.Fatal(err)
	}
	k, err := embedded.Start(t.Context(), embedded.Config{Broker: "127.0.0.1:0", Registry: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = k.Close() }()
	s, err := Connect(c, Config{Brokers: []string{k.Broker}, Registry: "http://" + strings.TrimPrefix(k.Registry, "http://"), Quiet: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var topics []string
	for _, ch := range c.Channels {
		topics = append(topics, ch.Topic)
	}
	if _, err := kadm.NewClient(s.client).CreateTopics(t.Context(), 1, 1, nil, topics...); err != nil {
		t.Fatal(err)
	}
	for _, ch := range c.Channels {
		for _, m := range ch.Messages {
			if _, err := s.Inject(t.Context(), ch, m.Name, Sample{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	bad, err := s.Record(t.Context(), c.Channels[0], c.Channels[0].Messages[0], Sample{})
	if err != nil {
		t.Fatal(err)
	}
	bad.Value = bad.Value[:len(bad.Value)-2]
	if _, err := s.Send(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	seen, faults := 0, []string{}
	if err := s.Observe(t.Context(), topics, func(v Verdict) {
		seen++
		for _, text := range v.Violations {
			faults = append(faults, v.Record.Topic+" "+v.Name()+": "+text)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if seen != 4 || len(c.Channels) != 3 || len(faults) != 1 || !strings.HasPrefix(faults[0], c.Channels[0].Topic+" EnrollLoyaltyMemberCommand: payload: ") {
		t.Errorf("%d channels, %d records, faults %q", len(c.Channels), seen, faults)
	}
}

// TestCorpus reads every public document. Whatever cannot be judged of it is named.
func TestCorpus(t *testing.T) {
	loaded, parts, opaque := 0, 0, 0
	err := filepath.WalkDir(corpus(t), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") && !strings.HasSuffix(path, ".yml") && !strings.HasSuffix(path, ".json") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(data), "asyncapi:") && !strings.Contains(string(data), "\nasyncapi: ") {
			return err
		}
		c, err := Load([]string{path})
		if err != nil && strings.HasSuffix(err.Error(), "no channel with an address") {
			parts++ // it has schemas for other documents
			return nil
		}
		if err != nil {
			t.Error(err)
			return nil
		}
		loaded++
		for _, ch := range c.Channels {
			for _, m := range ch.Messages {
				if m.payload == nil {
					opaque++
				}
			}
		}
		for _, text := range c.NotJudged {
			if !strings.Contains(text, ":") {
				t.Errorf("%s: %s has no place", path, text)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d documents with topics, %d without, %d messages whose payload is not judged", loaded, parts, opaque)
	if loaded < 57 || opaque > 7 {
		t.Error("fewer are read than before")
	}
}

func TestKeyOnTwoPartitions(t *testing.T) {
	j := NewJudge(contract(t, "testdata/shop/asyncapi.yaml"), nil, Rules{})
	r := Record{Topic: "shop.prices.v1", Key: []byte("7"), Value: []byte(`{"article":"A-7","quantity":1}`),
		Headers: []Header{{"correlationId", []byte("5f0c1a52-9f0e-4c3a-8a39-0c2a4f1f8f5e")}, {"replyTo", []byte("x")}}}
	if v := j.Judge(t.Context(), r); len(v.Violations) > 0 {
		t.Error(v.Violations)
	}
	r.Partition = 1
	if v := j.Judge(t.Context(), r); len(v.Violations) != 1 || v.Violations[0] != `the key "7" is on the partitions 0 and 1` {
		t.Error(v.Violations)
	}
}

// TestJSONFaults has faults of messages with a JSON Schema, without a registry.
func TestJSONFaults(t *testing.T) {
	for name, tt := range map[string]struct{ key, id, value, want string }{
		"none":                {"7", "5f0c1a52-9f0e-4c3a-8a39-0c2a4f1f8f5e", `{"article":"A-7","quantity":1}`, ""},
		"key of a wrong type": {"seven", "5f0c1a52-9f0e-4c3a-8a39-0c2a4f1f8f5e", `{"article":"A-7","quantity":1}`, "key: "},
		"header of no form":   {"7", "7", `{"article":"A-7","quantity":1}`, "headers: "},
		"no JSON":             {"7", "5f0c1a52-9f0e-4c3a-8a39-0c2a4f1f8f5e", `{"article"`, "payload: not JSON"},
		"missing member":      {"7", "5f0c1a52-9f0e-4c3a-8a39-0c2a4f1f8f5e", `{"article":"A-7"}`, "missing property 'quantity'"},
		"referred schema":     {"7", "5f0c1a52-9f0e-4c3a-8a39-0c2a4f1f8f5e", `{"article":"B-7","quantity":1}`, "does not match pattern"},
	} {
		j := NewJudge(contract(t, "testdata/shop/asyncapi.yaml"), nil, Rules{})
		v := j.Judge(t.Context(), Record{Topic: "shop.prices.v1", Key: []byte(tt.key), Value: []byte(tt.value), Headers: []Header{{"correlationId", []byte(tt.id)}, {"replyTo", []byte("x")}}})
		if got := strings.Join(v.Violations, "; "); tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
