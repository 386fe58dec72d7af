//go:build full

package foreign_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/kafkabus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// partitions lets each client send the same keys to a topic of several partitions. Each key must go
// to the partition that our publisher chooses for it. With librdkafka's own partitioner, the
// comparison must fail.
func (s *system) partitions(t *testing.T, all map[string]client) {
	const topic = "foreign.partitions"
	var keys []string
	for i := range 60 {
		keys = append(keys, fmt.Sprintf("CTR-%d", i*i), fmt.Sprintf("été-%d", i))
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(t.Context(), 6, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	if err := publish(s.Brokers, topic, keys); err != nil {
		t.Fatal(err)
	}
	want, err := placed(t.Context(), s.Brokers, topic, len(keys))
	if err != nil {
		t.Fatal(err)
	}
	used := map[int32]bool{}
	for _, p := range want {
		used[p] = true
	}
	if len(used) != 6 {
		t.Fatalf("our publisher uses the partitions %v of 6", used)
	}
	order := func(c, partitioner string) map[string]int32 {
		t.Helper()
		parameters := map[string]any{"brokers": strings.Join(s.Brokers, ","), "topic": topic, "keys": keys}
		if partitioner != "" {
			parameters["partitioner"] = partitioner
		}
		got := map[string]int32{}
		err := all[c].scripts.order(t.Context(), "partition", parameters, func(l []byte) error {
			var a struct {
				Key       string
				Partition int32
			}
			err := json.Unmarshal(l, &a)
			got[a.Key] = a.Partition
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	t.Run("python", func(t *testing.T) {
		all["python"].need(t)
		if got := order("python", "murmur2_random"); !maps.Equal(got, want) {
			t.Errorf("confluent-kafka: %v, ours %v", got, want)
		}
		if got := order("python", "consistent_random"); maps.Equal(got, want) {
			t.Error("librdkafka's own partitioner chooses the same partitions: the comparison shows nothing")
		}
	})
	t.Run("node", func(t *testing.T) {
		all["node"].need(t)
		if got := order("node", ""); !maps.Equal(got, want) {
			t.Errorf("kafkajs: %v, ours %v", got, want)
		}
	})
}

// publish sends the keys as our services do.
func publish(brokers []string, topic string, keys []string) error {
	p, err := kafkabus.NewPublisher(kafkabus.Config{Brokers: brokers, ClientID: "ours", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	for i, key := range keys {
		m := message.NewMessage(strconv.Itoa(i), []byte("ours"))
		m.Metadata.Set(metadata.Key, key)
		if err := p.Publish(topic, m); err != nil {
			return err
		}
	}
	return p.Close()
}

// placed reads so many records and returns the partition of each key.
func placed(ctx context.Context, brokers []string, topic string, count int) (map[string]int32, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	out := map[string]int32{}
	for len(out) < count {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return nil, err
		}
		fetches.EachRecord(func(r *kgo.Record) { out[string(r.Key)] = r.Partition })
	}
	return out, nil
}
