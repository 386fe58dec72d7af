package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/gen/contractinternal"
	billingservice "github.com/deferpay/deferpay/services/billing"
	contractservice "github.com/deferpay/deferpay/services/contract"
	"github.com/deferpay/deferpay/services/internal/clock"
	"github.com/deferpay/deferpay/services/internal/instance"
	"github.com/deferpay/deferpay/services/internal/settings"
	"github.com/deferpay/deferpay/services/internal/waittest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/kafkabus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

// bubble is both services, two instances of billing, and a broker, in virtual time on an in-memory
// network. Messages are carried by franz-go: the client of watermill-kafka does not work there.
type bubble struct {
	t       *testing.T
	network kfake.VirtualNetwork
	schemas *inMemory
	client  *http.Client
	clocks  map[string]string        // files of clock offsets by instance
	ahead   time.Duration            // offset of the clocks that are right
	skews   map[string]time.Duration // how much more the clock of an instance is ahead
	keys    int
}

// Addresses of the instances.
const (
	inContract = "127.0.0.1:8081"
	inBilling1 = "127.0.0.1:8082"
	inBilling2 = "127.0.0.1:8083"
	inKafka    = "127.0.0.1:9092"
)

func newBubble(t *testing.T, at time.Time) *bubble {
	t.Helper()
	b := &bubble{t: t, schemas: &inMemory{ids: map[string]int{}}, clocks: map[string]string{}, skews: map[string]time.Duration{}}
	transport := &http.Transport{DialContext: b.network.DialContext}
	b.client = &http.Client{Transport: transport}
	t.Cleanup(transport.CloseIdleConnections)
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(b.network.Listen))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	client, err := kgo.NewClient(b.kafka()...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	all := slices.Concat(contractbus.Topics(), billingbus.Topics(), contractinternal.Topics(), billinginternal.Topics())
	if _, err := topics.Apply(t.Context(), client, all); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{inContract, inBilling1, inBilling2} {
		b.clocks[name] = filepath.Join(t.TempDir(), "offset")
	}
	b.set(at)
	b.run("contract", inContract, func(ctx context.Context, c settings.Common, around instance.Surroundings) error {
		return contractservice.Run(ctx, contractservice.Config{Common: c, Tick: time.Second, Around: around})
	})
	for _, address := range []string{inBilling1, inBilling2} {
		b.run("billing", address, func(ctx context.Context, c settings.Common, around instance.Surroundings) error {
			return billingservice.Run(ctx, billingservice.Config{Common: c, RunAfter: time.Hour, Around: around})
		})
	}
	return b
}

func (b *bubble) kafka() []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(inKafka), kgo.Dialer(b.network.DialContext), kgo.FetchMaxWait(time.Minute), kgo.MaxConcurrentFetches(1)}
}

// run runs an instance until the test ends, and waits until it is ready.
func (b *bubble) run(service, address string, run func(context.Context, settings.Common, instance.Surroundings) error) {
	b.t.Helper()
	common := settings.Common{HTTPAddr: address, Brokers: []string{inKafka}, Registry: "http://127.0.0.1:8085", InsecureDev: true,
		ClockOffsetFile: b.clocks[address], Writer: service + address[len(address)-1:], LogLevel: slog.LevelWarn}
	around := instance.Surroundings{
		Listen: b.network.Listen,
		Kafka:  []kgo.Opt{kgo.Dialer(b.network.DialContext), kgo.FetchMaxWait(time.Minute)},
		Messages: func(logger *slog.Logger) (*kafkabus.Messages, error) {
			sending, err := kgo.NewClient(b.kafka()...)
			if err != nil {
				return nil, err
			}
			return kafkabus.MessagesOver(logger, publisher{sending}, func(group string) (kafkabus.GroupSubscriber, error) {
				return &subscriber{bubble: b, group: group}, nil
			}, b.schemas)
		},
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, common, around) }()
	b.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("%s: %v", address, err)
		}
	})
	b.until(address+" is ready", func() error {
		a, err := b.send("GET", address, "/readyz", "", "", nil)
		if err == nil && a.status != http.StatusOK {
			err = fmt.Errorf("%d %s", a.status, a.body)
		}
		return err
	})
}

// now returns the time of the clocks that are right, in Paris.
func (b *bubble) now() time.Time { return time.Now().Add(b.ahead).In(paris) }

// set moves all clocks to an instant. Those that are wrong stay as wrong as they are.
func (b *bubble) set(at time.Time) {
	b.ahead = time.Until(at)
	for address := range b.clocks {
		b.skew(address, b.skews[address])
	}
}

// skew sets how much the clock of an instance is ahead of the others.
func (b *bubble) skew(address string, by time.Duration) {
	b.skews[address] = by
	if err := clock.SetOffset(b.clocks[address], b.ahead+by); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bubble) until(what string, done func() error) {
	b.t.Helper()
	waittest.Nil(b.t, 2*time.Minute, what, done)
}

// send sends a request. The error is that of the connection.
func (b *bubble) send(method, address, path, key, match string, body any) (a answer, err error) {
	var text io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return a, err
		}
		text = strings.NewReader(string(data))
	}
	prefix := map[bool]string{true: "/refcontract/v1", false: "/billing/v1"}[address == inContract]
	if path == "/readyz" {
		prefix = ""
	}
	req, err := http.NewRequestWithContext(b.t.Context(), method, "http://"+address+prefix+path, text)
	if err != nil {
		return a, err
	}
	for name, value := range map[string]string{"Idempotency-Key": key, "If-Match": match, "Content-Type": map[bool]string{true: "application/json"}[body != nil]} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, body: string(data)}, err
}

// must sends a write with a key of its own, and ends the test unless the answer has the status.
func (b *bubble) must(status int, method, address, path, match string, body any) answer {
	b.t.Helper()
	b.keys++
	a, err := b.send(method, address, path, fmt.Sprint("k-", b.keys), match, body)
	if err != nil || a.status != status {
		b.t.Fatalf("%v %s %s: %d %s %v, want %d", b.now(), method, path, a.status, a.body, err, status)
	}
	return a
}

// inMemory is a schema registry without a network.
type inMemory struct {
	mu   sync.Mutex
	ids  map[string]int
	text []string
}

var _ registry.Schemas = (*inMemory)(nil)

func (r *inMemory) ID(_ context.Context, _, schema string) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	id, known := r.ids[schema]
	if !known {
		r.text = append(r.text, schema)
		id = len(r.text)
		r.ids[schema] = id
	}
	return id, nil
}

func (r *inMemory) Schema(_ context.Context, id int) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id < 1 || id > len(r.text) {
		return "", registry.ErrUnknownID
	}
	return r.text[id-1], nil
}

// publisher publishes with franz-go.
type publisher struct{ client *kgo.Client }

func (p publisher) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		out, err := kafkabus.Marshaler{}.Marshal(topic, m)
		if err != nil {
			return err
		}
		r := &kgo.Record{Topic: topic}
		if r.Key, err = encoded(out.Key); err != nil {
			return err
		}
		if r.Value, err = encoded(out.Value); err != nil {
			return err
		}
		for _, h := range out.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: string(h.Key), Value: h.Value})
		}
		if err := p.client.ProduceSync(m.Context(), r).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// encoded returns nil for a null.
func encoded(e sarama.Encoder) ([]byte, error) {
	if e == nil {
		return nil, nil
	}
	return e.Encode()
}

func (p publisher) Close() error {
	p.client.Close()
	return nil
}

// subscriber reads topics with franz-go, one message after the other.
type subscriber struct {
	*bubble
	group   string
	reading sync.WaitGroup
	stop    []context.CancelFunc
}

func (s *subscriber) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	client, err := kgo.NewClient(append(s.kafka(), kgo.ConsumerGroup(s.group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s.stop = append(s.stop, cancel)
	out := make(chan *message.Message)
	s.reading.Go(func() {
		defer close(out)
		defer client.Close()
		for ctx.Err() == nil {
			for _, r := range client.PollFetches(ctx).Records() {
				if err := deliver(ctx, out, r); err != nil {
					return
				}
				_ = client.CommitRecords(ctx, r) // or it is delivered again
			}
		}
	})
	return out, nil
}

// deliver delivers a record until it is acked.
func deliver(ctx context.Context, out chan<- *message.Message, r *kgo.Record) error {
	in := &sarama.ConsumerMessage{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: r.Key, Value: r.Value, Timestamp: r.Timestamp}
	for _, h := range r.Headers {
		in.Headers = append(in.Headers, &sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
	}
	for ctx.Err() == nil {
		m, err := kafkabus.Marshaler{}.Unmarshal(in)
		if err != nil {
			return err
		}
		m.SetContext(ctx)
		select {
		case out <- m:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-m.Acked():
			return nil
		case <-m.Nacked():
		case <-ctx.Done():
		}
	}
	return errors.New("stopped")
}

// StartFrom, Positions and Restart are for subscribers that others watch.
func (*subscriber) StartFrom(func(context.Context, string, int32) (int64, error)) {}

func (*subscriber) Positions() []kafkabus.Position { return nil }
func (*subscriber) Restart()                       {}

func (s *subscriber) Close() error {
	for _, stop := range s.stop {
		stop()
	}
	s.reading.Wait()
	return nil
}
