package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/contract/internal/effect"
	"github.com/deferpay/deferpay/services/contract/internal/store"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/waittest"
	runtimebus "github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bustest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

const patience = 30 * time.Second

// world is a broker with the topics of contract, and instances on its log.
type world struct {
	t       *testing.T
	cluster *kfake.Cluster
	client  *kgo.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	w := &world{t: t, cluster: cluster}
	if w.client, err = kgo.NewClient(w.options()...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	if _, err := topics.Apply(t.Context(), w.client, slices.Concat(contractinternal.Topics(), contractbus.Topics())); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) options() []kgo.Opt { return []kgo.Opt{kgo.SeedBrokers(w.cluster.ListenAddrs()...)} }

// instance runs a store on the log until the test ends.
func (w *world) instance(writer string, how ...kgo.Opt) *store.Store {
	w.t.Helper()
	s, err := store.New(store.Config{Writer: writer, ClientOptions: append(w.options(), how...), Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	w.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			w.t.Errorf("%s: %v", writer, err)
		}
	})
	waittest.Nil(w.t, patience, writer+" is ready", s.Ready)
	return s
}

func request(key string) idempotency.Request {
	return idempotency.Request{Client: "agency", Key: key, Operation: "op", Hash: []byte("0123456789abcdef0123456789abcdef")}
}

// subscribe makes a contract and returns its record.
func (w *world) subscribe(s *store.Store, key string) store.Applied {
	w.t.Helper()
	o, err := s.Create(w.t.Context(), request(key), contract.Subscribe{CustomerRef: "CE", SellerRef: "AG", Ceiling: contract.Money{Amount: 1000, Currency: "EUR"}, ValidFrom: time.Now(),
		Buyer: contract.Company{LegalName: "CSE ACME", SIREN: "732829320", VATNumber: "FR44732829320",
			BillingAddress: contract.Address{Line1: "12 rue de la Paix", PostalCode: "75002", City: "Paris", Country: "FR"}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.latest(s, o.Answer.Ref)
}

// terminate makes the next version of a contract and returns its record.
func (w *world) terminate(s *store.Store, ref contract.Ref) store.Applied {
	w.t.Helper()
	if _, err := s.Change(w.t.Context(), request("end-"+string(ref)), ref, func(*contract.Contract) error { return nil }, contract.Terminate{Reason: "left"}); err != nil {
		w.t.Fatal(err)
	}
	return w.latest(s, ref)
}

func (w *world) latest(s *store.Store, ref contract.Ref) store.Applied {
	w.t.Helper()
	a, ok := s.Latest(ref)
	if !ok {
		w.t.Fatalf("%s is not known", ref)
	}
	return a
}

// put puts the facts of records on the topic, as far as a repair looks at them.
func (w *world) put(records ...store.Applied) {
	w.t.Helper()
	for _, a := range records {
		r := &kgo.Record{Topic: contractbus.ContractFactsTopic, Key: []byte(a.After.Ref), Headers: []kgo.RecordHeader{{Key: ceID, Value: []byte(effect.FactID(a))}}}
		if err := w.client.ProduceSync(w.t.Context(), r).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// sent is a publisher that keeps what it takes, and fails while it is told to.
type sent struct {
	mu      sync.Mutex
	ids     []string
	failing error
}

func (s *sent) Publish(_ string, messages ...*message.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing != nil {
		return s.failing
	}
	for _, m := range messages {
		s.ids = append(s.ids, m.Metadata[ceID])
	}
	return nil
}

func (s *sent) Close() error { return nil }

func (w *world) repair(s *store.Store, out *sent, publishing func() (int64, bool)) *Repair {
	facts := contractbus.NewPublisher(out, runtimebus.SendWithRegistry(bustest.NewRegistry(contractbus.Subjects()...)), runtimebus.SendWithSource("contract"))
	return &Repair{Client: w.options(), Store: s, Facts: facts, Publishing: publishing, Logger: slog.New(slog.DiscardHandler)}
}

// look is what a repair does each time, once.
func (w *world) look(r *Repair, t *tail, position int64) error {
	if err := t.read(w.t.Context()); err != nil {
		return err
	}
	return r.mend(w.t.Context(), t, position)
}

func (w *world) open(r *Repair) *tail {
	w.t.Helper()
	t, err := r.open()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(t.client.Close)
	return t
}

func TestWhatIsPublishedAgain(t *testing.T) {
	w := newWorld(t)
	s := w.instance("contract-1")
	old := []store.Applied{w.subscribe(s, "1"), w.subscribe(s, "2"), w.subscribe(s, "3"), w.subscribe(s, "4")}
	var newest []store.Applied
	for _, a := range old {
		newest = append(newest, w.terminate(s, a.After.Ref))
	}
	position := newest[3].Offset // the last one is not published yet
	w.put(old[0], newest[0], newest[1], old[1], old[3])
	out := &sent{failing: errors.New("the broker is slow today")}
	r := w.repair(s, out, nil)
	topic := w.open(r)
	if err := w.look(r, topic, position); !errors.Is(err, out.failing) || r.Repaired() != 0 {
		t.Fatalf("a publisher that fails: %v, %d repaired", err, r.Repaired())
	}
	out.failing = nil
	if err := w.look(r, topic, position); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out.ids)
	// an old one is last; there is none
	want := []string{effect.FactID(newest[1]), effect.FactID(newest[2])}
	slices.Sort(want)
	if !slices.Equal(out.ids, want) || r.Repaired() != 2 {
		t.Errorf("published %v, counted %d, want %v", out.ids, r.Repaired(), want)
	}
	w.put(newest[1:]...)
	if err := w.look(r, topic, position+1); err != nil || len(out.ids) != 2 || len(topic.doubtful) != 0 {
		t.Errorf("when all is well: %v, %d published, %d in doubt", err, len(out.ids), len(topic.doubtful))
	}
	w.put(old[0]) // of which there was no doubt any more
	if err := w.look(r, topic, position+1); err != nil || len(out.ids) != 3 || out.ids[2] != effect.FactID(newest[0]) {
		t.Errorf("when an old one came later: %v, published %v", err, out.ids)
	}
}

// An instance that was frozen wakes and still thinks that it publishes. Another instance has
// written and published meanwhile. The first one must read that before it publishes anything.
func TestFrozenInstanceLooksFirst(t *testing.T) {
	w := newWorld(t)
	ice := newFrost()
	defer ice.thaw()
	frozen, other := w.instance("contract-1", kgo.Dialer(ice.dial)), w.instance("contract-2")
	first := w.subscribe(other, "1")
	if err := frozen.WaitFor(t.Context(), first.Offset); err != nil {
		t.Fatal(err)
	}
	ice.frozen.Store(true)
	second := w.terminate(other, first.After.Ref)
	w.put(first, second)
	asked := make(chan struct{})
	var once sync.Once
	w.cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		// nobody else writes now: it is the barrier of the instance that is frozen
		once.Do(func() { close(asked) })
		return nil, nil, false
	})
	out := &sent{}
	r := w.repair(frozen, out, nil)
	topic, looked := w.open(r), make(chan error, 1)
	go func() { looked <- w.look(r, topic, second.Offset+1) }()
	select {
	case <-asked:
	case err := <-looked:
		t.Fatalf("it did not ask: %v, published %v", err, out.ids)
	}
	ice.thaw()
	if err := <-looked; err != nil || len(out.ids) != 0 {
		t.Errorf("%v, published %v", err, out.ids)
	}
}

// frost is a network on which nothing arrives while it is frozen.
type frost struct {
	frozen atomic.Bool
	thawed chan struct{}
	thaw   func()
}

func newFrost() *frost {
	f := &frost{thawed: make(chan struct{})}
	f.thaw = sync.OnceFunc(func() { close(f.thawed) })
	return f
}

func (f *frost) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	return &icy{c, f}, nil
}

type icy struct {
	net.Conn
	frost *frost
}

func (c *icy) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.frost.frozen.Load() {
		<-c.frost.thawed
	}
	return n, err
}

// A repair goes on for as long as the instance publishes, and begins again when it does again.
func TestRepairFollowsThePublication(t *testing.T) {
	w := newWorld(t)
	s := w.instance("contract-1")
	first := w.subscribe(s, "1")
	second := w.terminate(s, first.After.Ref)
	var publishes atomic.Bool
	out := &sent{}
	r := w.repair(s, out, func() (int64, bool) { return second.Offset + 1, publishes.Load() })
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	w.put(second, first)
	if err := r.watch(t.Context()); err != nil || r.Repaired() != 0 {
		t.Errorf("it does not publish, and: %v, %d repaired", err, r.Repaired())
	}
	publishes.Store(true)
	waittest.True(t, patience, "published again", func() bool { return r.Repaired() > 0 })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
