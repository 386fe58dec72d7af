// Package watch observes the system from outside for the live view: its topics with a consumer of
// its own, its requests with a recording transport, and its instances by their metrics and their
// queries. The live view and its commands import it; services never do.
package watch

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/live/feed"
	"github.com/deferpay/deferpay/tools/observer"
)

// Topics are the topics that are watched.
var Topics = []string{"contract.log.v1", "contract.facts.v1", "billing.log.v1", "billing.events.v1", "contract.dlq.v1", "billing.dlq.v1"}

const (
	facts      = "contract.facts.v1"
	billingLog = "billing.log.v1"
)

// Instance is an instance of a service.
type Instance struct {
	Name, Service string
	URL, Admin    string // of the API, and of its metrics
}

// Options describe the system to watch.
type Options struct {
	Brokers   []string
	Registry  string
	Specs     string // directory of the schemas of the log records
	Instances []Instance
	Feed      *feed.Feed
	// Publish is called with every new state.
	Publish func(State)
}

// Watch observes a system. It adds its records to the feed and publishes its state.
type Watch struct {
	o      Options
	topics *observer.Observer
	kafka  *kgo.Client
	admin  *kadm.Client
	client *http.Client
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu        sync.Mutex
	dirty     bool            // something has happened since the read models were read
	ids       map[string]bool // CloudEvents ids by topic
	customers map[string]string
	contracts []string // in the order in which they were seen
	newest    map[string]place
	state     State
}

// place is where a record is.
type place struct {
	partition int32
	offset    int64
}

// Open starts watching. The brokers and the registry need not be up yet.
func Open(o Options) (*Watch, error) {
	kafka, err := kgo.NewClient(kgo.SeedBrokers(o.Brokers...), kgo.ClientID("live"))
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	w := &Watch{o: o, kafka: kafka, admin: kadm.NewClient(kafka), stop: stop, ids: map[string]bool{}, customers: map[string]string{}, newest: map[string]place{},
		client: &http.Client{Timeout: askIn}}
	w.topics, err = observer.Follow(o.Brokers, o.Registry, o.Specs, w.record, Topics...)
	if err != nil {
		kafka.Close()
		stop()
		return nil, err
	}
	w.done.Go(func() { w.look(ctx) })
	return w, nil
}

// Close stops watching.
func (w *Watch) Close() {
	w.stop()
	w.done.Wait()
	w.topics.Close()
	w.kafka.Close()
}

// record adds a record to the feed. Barriers are left out: they belong to the journal.
func (w *Watch) record(r observer.Record) {
	if r.Type == "barrier" {
		return
	}
	out := fromObserved(r)
	w.mu.Lock()
	w.dirty = true
	if out.ID != "" {
		out.Again = w.ids[out.Topic+out.ID]
		w.ids[out.Topic+out.ID] = true
	}
	if r.Err == nil {
		w.newest[r.Topic] = place{r.Partition, r.Offset}
	}
	w.learn(r)
	w.mu.Unlock()
	w.o.Feed.Add("record", out)
}

// Newest returns where the newest message of a topic is that can be decoded; ok is false if there
// is none.
func (w *Watch) Newest(topic string) (partition int32, offset int64, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, ok := w.newest[topic]
	return at.partition, at.offset, ok
}

// learn keeps which customer a contract belongs to.
func (w *Watch) learn(r observer.Record) {
	c, _ := r.Value["contract"].(map[string]any)
	customer, _ := c["customerRef"].(string)
	if r.Topic != facts || customer == "" {
		return
	}
	if w.customers[r.Key] == "" {
		w.contracts = append(w.contracts, r.Key)
	}
	w.customers[r.Key] = customer
}

// often is the time between two looks at the instances.
const often = 400 * time.Millisecond

func (w *Watch) look(ctx context.Context) {
	tick := time.NewTicker(often)
	defer tick.Stop()
	for {
		w.lookOnce(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *Watch) lookOnce(ctx context.Context) {
	next := State{Instances: w.instances(ctx), Lags: w.lags(ctx)}
	w.mu.Lock()
	was := w.state
	read := w.dirty || !sameReady(was.Instances, next.Instances)
	w.dirty = false
	contracts, customers := w.recent()
	w.mu.Unlock()
	next.Contracts = was.Contracts
	if read {
		next.Contracts = w.models(ctx, next.Instances, contracts, customers)
	}
	w.mu.Lock()
	w.state = next
	w.mu.Unlock()
	if ctx.Err() == nil {
		w.o.Publish(next)
	}
}

// shownContracts is the number of contracts whose read models are shown.
const shownContracts = 6

// recent returns the contracts that were seen last, and their customers. The caller must hold w.mu.
func (w *Watch) recent() (contracts, customers []string) {
	contracts = slices.Clone(w.contracts[max(0, len(w.contracts)-shownContracts):])
	for _, c := range contracts {
		customers = append(customers, w.customers[c])
	}
	return contracts, customers
}

func sameReady(a, b []InstanceState) bool {
	return slices.EqualFunc(a, b, func(x, y InstanceState) bool { return x.Ready == y.Ready && x.Position == y.Position })
}
