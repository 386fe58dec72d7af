package topiccheck

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/internal/waittest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

const patience = 20 * time.Second

// broker returns an embedded broker, and a check of two topics on it: a log and another.
func broker(t *testing.T) (*kadm.Client, *Check) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	options := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	client, err := kgo.NewClient(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return kadm.NewClient(client), New(Config{
		Client: options, Log: "x.log", Logger: slog.New(slog.DiscardHandler),
		Topics: []topics.Topic{{Name: "x.log", Partitions: 1, Configs: []topics.Config{{Name: "retention.ms", Value: "-1"}}}, {Name: "x.facts", Partitions: 1}},
	})
}

func create(t *testing.T, admin *kadm.Client, name string, partitions int32, retention string) {
	t.Helper()
	if _, err := admin.CreateTopic(t.Context(), partitions, 1, map[string]*string{"retention.ms": &retention}, name); err != nil {
		t.Fatal(err)
	}
}

func TestTopicsAreWaitedFor(t *testing.T) {
	admin, c := broker(t)
	if c.Ready() == nil {
		t.Fatal("ready before it began")
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	waittest.True(t, patience, "the log is missing", func() bool { return c.Ready() != nil && strings.Contains(c.Ready().Error(), "x.log does not exist") })
	create(t, admin, "x.log", 1, "-1")
	waittest.True(t, patience, "another topic is missing", func() bool { return c.Ready() != nil && !strings.Contains(c.Ready().Error(), "x.log") })
	create(t, admin, "x.facts", 6, "1000")
	waittest.True(t, patience, "ready", func() bool { return c.Ready() == nil })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWrongTopic(t *testing.T) {
	for setting, c := range map[string]struct {
		partitions int32
		retention  string
	}{"retention.ms": {1, "1000"}, "partitions": {2, "-1"}} {
		admin, check := broker(t)
		create(t, admin, "x.log", c.partitions, c.retention)
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		err := check.Run(ctx)
		cancel()
		if err == nil || !strings.Contains(err.Error(), "x.log") || !strings.Contains(err.Error(), setting) || strings.Contains(err.Error(), "x.facts") {
			t.Errorf("%s: %v", setting, err)
		}
	}
}

func TestBrokerAwayIsLoggedOnce(t *testing.T) {
	var out bytes.Buffer
	c := New(Config{Client: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}, Logger: slog.New(slog.NewTextHandler(&out, nil)), Topics: []topics.Topic{{Name: "x"}}})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if err := c.Run(ctx); err != nil {
		t.Error(err)
	}
	if c.Ready() == nil || strings.Count(out.String(), "trying again") > 1 {
		t.Errorf("%v\n%s", c.Ready(), &out)
	}
}
