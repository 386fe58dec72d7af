package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/deferpay/deferpay/tools/devkafka/embedded"
)

const shop = "kafkatest/testdata/shop/"

// shipping is the consumer of the shop's orders. It takes each order and each id once.
type shipping struct {
	client   *kgo.Client
	registry *sr.Client
	silent   bool // it drops what it cannot read
	seen     map[string]bool
}

// openShop starts a broker with the shop's topics and the consumer, and returns the addresses.
func openShop(t *testing.T, silent bool) (broker, registry string) {
	t.Helper()
	k, err := embedded.Start(t.Context(), embedded.Config{Broker: "127.0.0.1:0", Registry: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	s := &shipping{silent: silent, seen: map[string]bool{}}
	s.client, err = kgo.NewClient(kgo.SeedBrokers(k.Broker), kgo.ConsumerGroup("shipping"), kgo.ConsumeTopics("shop.orders.v1"),
		kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	if s.registry, err = sr.NewClient(sr.URLs(k.Registry)); err != nil {
		t.Fatal(err)
	}
	if _, err := kadm.NewClient(s.client).CreateTopics(t.Context(), 2, 1, nil, "shop.orders.v1", "shop.dlq.v1"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.consume(ctx) }()
	t.Cleanup(func() { cancel(); <-done; s.client.Close() })
	return k.Broker, k.Registry
}

func (s *shipping) consume(ctx context.Context) {
	for ctx.Err() == nil {
		for it := s.client.PollFetches(ctx).RecordIter(); !it.Done(); {
			r := it.Next()
			if err := s.order(ctx, r); err != nil && !s.silent {
				s.client.ProduceSync(ctx, &kgo.Record{Topic: "shop.dlq.v1", Key: r.Key, Value: r.Value, Headers: []kgo.RecordHeader{
					{Key: "dl_topic", Value: []byte(r.Topic)}, {Key: "dl_error", Value: []byte(err.Error())},
				}})
			}
			if err := s.client.CommitRecords(ctx, r); err != nil {
				return
			}
		}
	}
}

func (s *shipping) order(ctx context.Context, r *kgo.Record) error {
	headers := map[string]string{}
	for _, h := range r.Headers {
		headers[h.Key] = string(h.Value)
	}
	if headers["ce_type"] == "shop.OrderCancelled" {
		return nil
	}
	if headers["ce_type"] != "shop.OrderPlaced" || len(r.Value) < 5 || r.Value[0] != 0 {
		return errors.New("it is no order")
	}
	text, err := s.registry.SchemaTextByID(ctx, int(binary.BigEndian.Uint32(r.Value[1:5])))
	if err != nil {
		return err
	}
	writer, err := avro.Parse(text)
	if err != nil {
		return err
	}
	var order map[string]any
	if _, err := writer.Decode(r.Value[5:], &order); err != nil {
		return err
	}
	for _, id := range []string{"order " + string(r.Key), "id " + headers["ce_id"]} {
		if s.seen[id] {
			return errors.New("there was one with the same " + id)
		}
		s.seen[id] = true
	}
	return nil
}

// TestHostileCommand runs the command against a consumer without a fault, and against one that
// drops what it cannot read.
func TestHostileCommand(t *testing.T) {
	for _, silent := range []bool{false, true} {
		broker, registry := openShop(t, silent)
		o := options{
			asyncapi: []string{shop + "asyncapi.yaml"}, former: []string{shop + "former/asyncapi.yaml"}, brokers: broker, registry: registry,
			hostile: []string{"ship"}, idHeader: "ce_id", versionField: "version",
		}
		var out bytes.Buffer
		faults, err := o.run(t.Context(), &out)
		if err != nil || (faults > 0) != silent {
			t.Errorf("silent: %t: %d faults, %v\n%s", silent, faults, err, out.String())
		}
		if text := "cut short: it has no dead letter on shop.dlq.v1"; strings.Contains(out.String(), text) != silent {
			t.Errorf("silent: %t: the output has %q or lacks it:\n%s", silent, text, out.String())
		}
		want := []string{"topic shop.shipments.v1: the broker does not have it", "topic shop.prices.v1: the broker does not have it", "operation quote: its replies go to the topics that requests name"}
		for _, text := range want {
			if !strings.Contains(out.String(), "not judged: "+text) {
				t.Errorf("%q is missing:\n%s", text, out.String())
			}
		}
		if strings.Count(out.String(), "not judged") != len(want) {
			t.Errorf("something else is not judged:\n%s", out.String())
		}
	}
}

func TestWrongFlags(t *testing.T) {
	kafka, http := "-asyncapi a.yaml -brokers h:1 ", "-openapi a.yaml -url http://h:1 "
	for args, want := range map[string]string{
		http + "-asyncapi b.yaml -brokers h:1": "-openapi and -asyncapi cannot be used together",
		"-hostile ship":                        "-hostile needs -asyncapi",
		"-former b.yaml":                       "-former needs -asyncapi",
		"-framing none":                        "-framing needs -asyncapi",
		"-registry http://h:1":                 "-registry needs -asyncapi",
		"-brokers h:1":                         "-brokers needs -asyncapi",
		"-type-header t":                       "-type-header needs -asyncapi",
		http + "-id-header i":                  "-id-header needs -asyncapi",
		http + "-version-field v":              "-version-field needs -asyncapi",
		kafka + "-proxy h:1":                   "-proxy needs -openapi",
		kafka + "-header A:b":                  "-header needs -openapi",
		"-kafka-user u":                        "-kafka-user needs -asyncapi",
		http + "-registry-ca f":                "-registry-ca needs -asyncapi",
		"-url http://h:1":                      "-url needs -openapi",
		"-openapi a.yaml":                      "-openapi needs -url",
		"-asyncapi a.yaml":                     "-asyncapi needs -brokers",
		kafka + "-framing avro":                `unknown -framing "avro"`,
		kafka + "more":                         `unexpected argument "more"`,
		"-surprise":                            "flag provided but not defined: -surprise",
	} {
		var out, diagnostics bytes.Buffer
		status := command(t.Context(), strings.Fields(args), &out, &diagnostics)
		if status != 2 || !strings.Contains(diagnostics.String(), want) || out.Len() > 0 {
			t.Errorf("%s: status %d, %q, want %q", args, status, diagnostics.String(), want)
		}
	}
	var out, diagnostics bytes.Buffer
	if status := command(t.Context(), []string{"-openapi", "missing.yaml", "-url", "http://h:1"}, &out, &diagnostics); status != 2 || !strings.Contains(diagnostics.String(), "missing.yaml") {
		t.Errorf("a document that is not there: status %d, %q", status, diagnostics.String())
	}
}
