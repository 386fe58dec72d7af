package observer

import (
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/deferpay/deferpay/tools/devkafka/embedded/embeddedtest"
)

const specs = "../../specs"

func setup(t *testing.T) (*kgo.Client, *sr.Client, *Observer) {
	t.Helper()
	k := embeddedtest.Start(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Broker))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if _, err := kadm.NewClient(client).CreateTopics(t.Context(), 1, 1, nil, "a.log.v1", "a.events.v1"); err != nil {
		t.Fatal(err)
	}
	registry, err := sr.NewClient(sr.URLs(k.Registry))
	if err != nil {
		t.Fatal(err)
	}
	o, err := Open([]string{k.Broker}, k.Registry, specs, "a.log.v1", "a.events.v1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return client, registry, o
}

func schemaNamed(t *testing.T, name string) *avro.Schema {
	t.Helper()
	all, err := readSchemas(specs)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Root().Name == name {
			return s
		}
	}
	t.Fatalf("no schema %s", name)
	return nil
}

// id returns an attempt id of 16 equal bytes.
func id(letter string) []byte { return []byte(strings.Repeat(letter, 16)) }

func produce(t *testing.T, c *kgo.Client, topic, key string, value []byte) {
	t.Helper()
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Key: []byte(key), Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func TestAppliedAndVoid(t *testing.T) {
	client, _, o := setup(t)
	envelope := schemaNamed(t, "JournalRecord")
	put := func(letter string, expects ...any) {
		data, err := envelope.AppendSingleObject(nil, map[string]any{"kind": "barrier", "attempt": id(letter), "expects": append([]any{}, expects...),
			"decidedAt": time.Now().UTC(), "writer": "w", "traceparent": "", "body": []byte{}, "sealed": nil})
		if err != nil {
			t.Fatal(err)
		}
		produce(t, client, "a.log.v1", "CTR-1", data)
	}
	on := func(stream string, attempt any) any { return map[string]any{"stream": stream, "attempt": attempt} }
	put("a", on("contract/CTR-1", nil), on("key/dev/1", nil))
	put("b", on("contract/CTR-1", id("a")), on("key/dev/2", nil))
	put("c", on("contract/CTR-1", id("a")), on("key/dev/3", nil)) // builds on what b replaced
	put("d", on("contract/CTR-1", id("c")))                       // builds on a void record
	put("e", on("contract/CTR-1", id("b")), on("key/dev/2", nil)) // one of its expectations fails
	put("f", on("contract/CTR-1", id("b")), on("key/dev/3", nil))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := o.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	want := []bool{true, true, false, false, false, true}
	got := o.Since(0)
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i, r := range got {
		if r.Err != nil || r.Envelope == nil || r.Envelope.Applied != want[i] || r.Void() == want[i] {
			t.Errorf("record %d: %+v %v, want applied %v", i, r.Envelope, r.Err, want[i])
		}
	}
	if x := got[5].Envelope.Expects; x[0].Offset != 1 || x[1].Offset != -1 {
		t.Errorf("the last builds on %+v, want offset 1 and nothing", x)
	}
	if x := got[2].Envelope.Expects; x[0].Met || x[0].Last != 1 || !x[1].Met || x[1].Last != -1 {
		t.Errorf("the third builds on %+v, want the first expectation not met, because of offset 1", x)
	}
}

func TestFramings(t *testing.T) {
	client, registry, o := setup(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	mark := o.Mark()
	schema := `{"type":"record","name":"Paid","namespace":"x.y","fields":[{"name":"amount","type":"long"}]}`
	s, err := registry.CreateSchema(ctx, "a.events.v1-x.y.Paid", sr.Schema{Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	body, err := avro.MustParse(schema).Encode(map[string]any{"amount": int64(1200)})
	if err != nil {
		t.Fatal(err)
	}
	frame := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(s.ID)), body...)
	produce(t, client, "a.events.v1", "CTR-1", frame)
	produce(t, client, "a.events.v1", "CTR-1", nil)
	produce(t, client, "a.events.v1", "CTR-1", []byte("{}"))
	produce(t, client, "a.events.v1", "CTR-1", append(frame, 0))
	if err := o.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	got := o.Since(mark)
	if r := got[0]; r.Err != nil || r.Type != "Paid" || r.Value["amount"] != int64(1200) || r.Key != "CTR-1" {
		t.Errorf("event %+v", r)
	}
	if r := got[1]; r.Err != nil || r.Type != "" || r.Value != nil {
		t.Errorf("tombstone %+v", r)
	}
	if got[2].Err == nil || got[3].Err == nil {
		t.Errorf("malformed records were decoded: %+v %+v", got[2], got[3])
	}
	short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if err := o.Wait(short, mark, func(r []Record) bool { return len(r) > 4 }); err == nil {
		t.Error("Wait returned without the records it waited for")
	}
}
