package topics

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func client(t *testing.T) (*kgo.Client, context.Context) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return cl, ctx
}

var want = []Topic{
	{Name: "facts", Partitions: 1, Replicas: 1, Configs: []Config{{"cleanup.policy", "compact"}, {"delete.retention.ms", "604800000"}}},
	{Name: "log", Partitions: 2, Configs: []Config{{"retention.ms", "-1"}}},
	{Name: "free"},
}

func TestApplyThenVerify(t *testing.T) {
	cl, ctx := client(t)
	var drift DriftError
	if err := Verify(ctx, cl, want); !errors.As(err, &drift) || len(drift) != 3 || !drift.Missing() || !strings.Contains(err.Error(), "topic facts does not exist") {
		t.Fatalf("got %v", err)
	}
	done, err := Apply(ctx, cl, want)
	if err != nil || len(done) != 3 {
		t.Fatalf("did %v, %v", done, err)
	}
	if err := Verify(ctx, cl, want); err != nil {
		t.Fatal(err)
	}
	if done, err = Apply(ctx, cl, want); err != nil || len(done) != 0 {
		t.Fatalf("a second time did %v, %v", done, err)
	}
}

func TestDriftIsCorrected(t *testing.T) {
	cl, ctx := client(t)
	if _, err := Apply(ctx, cl, want); err != nil {
		t.Fatal(err)
	}
	v := "1000"
	if _, err := kadm.NewClient(cl).AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &v}}, "log"); err != nil {
		t.Fatal(err)
	}
	err := Verify(ctx, cl, want)
	if err == nil || err.Error() != "topic log: retention.ms is 1000, the contract says -1" {
		t.Fatalf("got %v", err)
	}
	done, err := Apply(ctx, cl, want)
	if err != nil || len(done) != 1 || done[0].Setting != "retention.ms" {
		t.Fatalf("did %v, %v", done, err)
	}
	if err := Verify(ctx, cl, want); err != nil {
		t.Fatal(err)
	}
}

func TestPartitionsNeverChanged(t *testing.T) {
	cl, ctx := client(t)
	if _, err := Apply(ctx, cl, want); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int32{1, 5} {
		changed := []Topic{{Name: "new", Partitions: 1}, {Name: "log", Partitions: n}}
		done, err := Apply(ctx, cl, changed)
		if !errors.Is(err, ErrShrink) || len(done) != 0 {
			t.Fatalf("%d partitions: did %v, %v", n, done, err)
		}
	}
	if drift, err := Diff(ctx, cl, []Topic{{Name: "new"}}); err != nil || len(drift) != 1 {
		t.Errorf("something was done before the refusal: %v, %v", drift, err)
	}
}

func TestBrokerAway(t *testing.T) {
	cl, err := kgo.NewClient(kgo.SeedBrokers("127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var drift DriftError
	if err := Verify(ctx, cl, want); err == nil || errors.As(err, &drift) {
		t.Fatalf("got %v: a broker that is away is no drift", err)
	}
}
