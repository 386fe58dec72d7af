package journaltest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal"
)

// Topics of the embedded broker.
const (
	Log       = "test.log.v1"
	Positions = "test.positions.v1"
	Snapshots = "test.snapshots.v1"
)

// LogConfig returns the configuration that a log must have.
func LogConfig() map[string]string {
	return map[string]string{"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1",
		"message.timestamp.type": "LogAppendTime"}
}

// Broker starts an embedded broker without topics. It stops when the test ends.
func Broker(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100 * time.Millisecond)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Options returns the client options to reach the broker, with short retries.
func Options(c *kfake.Cluster) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...), kgo.MetadataMinAge(10 * time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond })}
}

// Create creates a topic of one partition.
func Create(t testing.TB, opts []kgo.Opt, topic string, config map[string]string) {
	t.Helper()
	if err := create(opts, topic, 1, config); err != nil {
		t.Fatal(err)
	}
}

// CreateSnapshots creates a topic of snapshots.
func CreateSnapshots(t testing.TB, opts []kgo.Opt, topic string) {
	t.Helper()
	if err := create(opts, topic, 2, map[string]string{"cleanup.policy": "compact"}); err != nil {
		t.Fatal(err)
	}
}

// Topics creates the log and the topic of positions.
func Topics(t testing.TB, opts []kgo.Opt) {
	t.Helper()
	Create(t, opts, Log, LogConfig())
	Create(t, opts, Positions, map[string]string{"cleanup.policy": "compact"})
}

// Config returns the configuration of an instance on the test domain.
func Config(writer string, opts []kgo.Opt) journal.Config[State, Body] {
	return journal.Config[State, Body]{Topic: Log, Writer: writer, ClientOptions: opts, Codec: Codec{}, Fold: Fold,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// Journal is a journal on the test domain.
type Journal = journal.Journal[State, Body]

// Start runs an instance and waits until it is ready. stop ends it and returns
// what Run returned.
func Start(t testing.TB, cfg journal.Config[State, Body]) (j *Journal, stop func() error) {
	t.Helper()
	j, stop = Run(t, cfg)
	Eventually(t, "ready", func() error { return j.Ready() })
	return j, stop
}

// Run runs an instance until the test ends or stop is called.
func Run(t testing.TB, cfg journal.Config[State, Body]) (j *Journal, stop func() error) {
	t.Helper()
	j, err := journal.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var result error
	go func() {
		defer close(ended)
		result = j.Run(ctx)
	}()
	stop = func() error {
		cancel()
		<-ended
		return result
	}
	t.Cleanup(func() { stop() })
	return j, stop
}

// Eventually calls fn until it returns nil. The test fails after ten seconds.
func Eventually(t testing.TB, what string, fn func() error) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := fn()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v", what, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// Do decides a command.
func Do(ctx context.Context, j *Journal, c Command) (Verdict, error) {
	return j.Decide(ctx, c.Streams(), c.Decide)
}

// Must decides a command. The test fails unless a record is applied.
func Must(t testing.TB, j *Journal, c Command) Verdict {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	v, err := Do(ctx, j, c)
	if err != nil {
		t.Fatal(fmt.Errorf("%v: %w", c, err))
	}
	return v
}

// Open returns the command to open an account.
func Open(account, key string, ceiling int64) Command {
	return Command{Kind: "open", Account: account, Key: key, Amount: ceiling}
}

// Buy returns the command to buy on an account.
func Buy(account, key string, amount int64) Command {
	return Command{Kind: "buy", Account: account, Key: key, Amount: amount}
}

// Repay returns the command to repay what was bought.
func Repay(account, key string, amount int64) Command {
	return Command{Kind: "repay", Account: account, Key: key, Amount: amount}
}
