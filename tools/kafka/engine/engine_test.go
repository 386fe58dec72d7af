package engine

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
	"github.com/deferpay/deferpay/tools/fulltest"
	"github.com/deferpay/deferpay/tools/kafka/artifacts"
)

func TestSettingsFollowTheNumberOfBrokers(t *testing.T) {
	for count, want := range map[int][2]string{1: {"1", "1"}, 2: {"2", "1"}, 3: {"3", "2"}, 5: {"3", "2"}} {
		o := BrokersOptions{Count: count}
		s := o.settings(1, "127.0.0.1:9092", "127.0.0.1:9093", "1@127.0.0.1:9093", "/data")
		if got := [2]string{s["default.replication.factor"], s["min.insync.replicas"]}; got != want {
			t.Errorf("%d brokers: replicas, and those in sync, are %v, want %v", count, got, want)
		}
		if s["auto.create.topics.enable"] != "false" || s["num.partitions"] != "1" || s["offsets.topic.replication.factor"] != want[0] {
			t.Errorf("%d brokers: %v", count, s)
		}
	}
}

func TestFolderBelongsToOneCluster(t *testing.T) {
	o := BrokersOptions{Dir: t.TempDir(), Count: 1}
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	first, err := o.claimed()
	if err != nil || strings.HasPrefix(first.Cluster, "-") || len(first.Cluster) != 22 {
		t.Fatalf("%+v %v", first, err)
	}
	again := BrokersOptions{Dir: o.Dir, Count: 1}
	if err := again.complete(); err != nil {
		t.Fatal(err)
	}
	if second, err := again.claimed(); err != nil || second != first {
		t.Errorf("%+v became %+v, %v", first, second, err)
	}
	other := BrokersOptions{Dir: o.Dir, Count: 3}
	if err := other.complete(); err == nil || !strings.Contains(err.Error(), "holds the data of a cluster of 1, not 3") {
		t.Errorf("got %v", err)
	}
}

func TestAddressesThatAreNotFree(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for addr, want := range map[string]string{
		taken.Addr().String(): "cannot listen on",
		"0.0.0.0:9092":        "want a loopback address",
		"9092":                "want host:port",
	} {
		if err := free(addr); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if _, err := (&RegistryOptions{Dir: t.TempDir(), Addr: "0.0.0.0:8085"}).complete(); err == nil {
		t.Error("a registry on all interfaces was accepted")
	}
}

// cache returns the user's cache. The test is skipped if what it needs is not there: tests download
// nothing.
func cache(t *testing.T, withRegistry bool) artifacts.Cache {
	t.Helper()
	if !fulltest.Requested() {
		t.Skip("starts a JVM: run with " + fulltest.Variable + "=1")
	}
	c, err := artifacts.Open(t.Logf)
	if err != nil {
		t.Skip(err)
	}
	if missing := c.Missing(t.Context(), withRegistry); missing != "" {
		t.Skip("no real broker: " + missing)
	}
	return c
}

// startBrokers starts a cluster that is stopped when the test ends.
func startBrokers(t *testing.T, o BrokersOptions) *Brokers {
	t.Helper()
	o.Dir, o.Heap = t.TempDir(), "256m"
	b, err := StartBrokers(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

func TestAcknowledgedSurvivesAKill(t *testing.T) {
	b := startBrokers(t, BrokersOptions{Cache: cache(t, false)})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addrs...), kgo.ConsumeTopics("t"), kgo.DefaultProduceTopic("t"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(ctx, kgo.StringRecord("x")).FirstErr(); err == nil {
		t.Error("a topic was created by writing to it")
	}
	want := []topics.Topic{{Name: "t", Configs: []topics.Config{{Name: "retention.ms", Value: "-1"}, {Name: "message.timestamp.type", Value: "LogAppendTime"}}}}
	if _, err := topics.Apply(ctx, client, want); err != nil {
		t.Fatal(err)
	}
	if done, err := topics.Apply(ctx, client, want); err != nil || len(done) != 0 {
		t.Errorf("applied again: %v %v", done, err)
	}
	const records = 200
	for i := range records {
		if err := client.ProduceSync(ctx, kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Nodes[0].Kill(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := b.Nodes[0].Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("up again after %.1f s", time.Since(began).Seconds())
	for next := 0; next < records; {
		fetched := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("%d of %d records: %v", next, records, err)
		}
		for _, r := range fetched.Records() {
			if string(r.Value) != fmt.Sprint(next) {
				t.Fatalf("record %d is %s", next, r.Value)
			}
			next++
		}
	}
}

func TestRegistryKeepsSchemasOnKafka(t *testing.T) {
	if os.Getenv("BROKER") != "kafka" {
		t.Skip("BROKER=kafka starts Apicurio Registry, which takes half a minute")
	}
	c := cache(t, true)
	b := startBrokers(t, BrokersOptions{Cache: c})
	r, err := StartRegistry(t.Context(), RegistryOptions{Cache: c, Dir: t.TempDir(), Brokers: b.Addrs})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	client, err := sr.NewClient(sr.URLs(r.URL))
	if err != nil {
		t.Fatal(err)
	}
	schema := sr.Schema{Schema: `{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"string"}]}`}
	before, err := client.CreateSchema(ctx, "t-n.R", schema)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(ctx); err != nil {
		t.Fatal(err)
	}
	after, err := client.LookupSchema(ctx, "t-n.R", schema)
	if err != nil || after.ID != before.ID {
		t.Errorf("id %d became %d, %v", before.ID, after.ID, err)
	}
	if err := r.Stop(ctx); err != nil {
		t.Error(err)
	}
}
