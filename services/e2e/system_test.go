package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/devkafka/embedded"
	"github.com/deferpay/deferpay/tools/observer"
	"github.com/deferpay/deferpay/tools/process"
)

// system is a running system with an observer of its topics.
type system struct {
	*cluster.Cluster
	traffic
	t      *testing.T
	topics *observer.Observer
	client *http.Client
	// of the brokers, in their order, and of the registry; empty unless setup.proxies is set
	proxies []*proxy
	began   time.Time
	key     string        // API key that is sent with every request; may be empty
	ahead   time.Duration // of the clock of the services
}

const (
	billingLog = "billing.log.v1"
	patience   = 30 * time.Second
	recoverIn  = 2 * time.Minute // limit for a purchase to be decided, whatever happens meanwhile
)

// setup describes the system that a test needs. BROKER selects the kind of broker.
type setup struct {
	billing   int      // number of instances; 0 means two
	contracts int      // number of instances; 0 means one
	brokers   int      // number; 0 means one; only Apache Kafka may have more
	proxies   bool     // brokers and registry are behind proxies
	topics    []string // topics to observe besides the log of billing
	data      string   // directory of the records of the broker; may be empty
	logLevel  string   // of the services; empty means warn
	access    []string // settings of the services; empty means that everybody is let in
	// returns what clients are told instead of the address of each broker, and then of the registry
	front    func(addr string) (told string, err error)
	embedded *embedded.Kafka // a broker that runs already
}

// start starts a system. It is stopped when the test ends.
func start(t *testing.T, want setup) *system {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	s := &system{t: t, began: time.Now(), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}}
	o := engines
	o.Dir, o.Bin, o.LogLevel = t.TempDir(), binaries, cmp.Or(want.logLevel, "warn")
	o.Billing, o.Contracts, o.KafkaBrokers, o.Data = want.billing, want.contracts, want.brokers, want.data
	if k := want.embedded; k != nil {
		o.Brokers, o.Registry = []string{k.Broker}, k.Registry
	}
	o.Front, o.Access = want.front, want.access
	o.SnapshotEvery = 200 // so that instances start from snapshots
	if want.proxies {
		o.Front = func(addr string) (string, error) {
			p := front(t, addr)
			s.proxies = append(s.proxies, p)
			return p.addr(), nil
		}
	}
	var err error
	if s.Cluster, err = cluster.Start(ctx, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	s.topics = s.observe(append(want.topics, billingLog)...)
	return s
}

// observe returns an observer of topics. It is closed when the test ends.
func (s *system) observe(topics ...string) *observer.Observer {
	s.t.Helper()
	root, err := process.Root()
	if err != nil {
		s.t.Fatal(err)
	}
	o, err := observer.Open(s.Brokers, s.Registry, filepath.Join(root, "specs"), topics...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(o.Close)
	return o
}

// anyOf returns a function for insist that returns the instances of billing in turn.
func (s *system) anyOf() func() (*cluster.Service, time.Duration) {
	n := 0
	return func() (*cluster.Service, time.Duration) {
		n++
		return s.Billing[n%len(s.Billing)], patience
	}
}

// end stops the system. If the test has failed, it logs the last lines of each process.
func (s *system) end() {
	if err := s.Stop(); err != nil {
		s.t.Error(err)
	}
	if s.t.Failed() {
		for _, p := range s.Processes() {
			s.t.Logf("last lines of %s:\n%s", p.Name(), p.Tail(20))
		}
	}
}

// since returns the time since the system was started.
func (s *system) since() time.Duration { return time.Since(s.began) }

// now returns the time by the clock of the services.
func (s *system) now() time.Time { return time.Now().Add(s.ahead) }

// setClock sets the clock of the services.
func (s *system) setClock(now time.Time) error {
	s.ahead = time.Until(now)
	return s.SetClock(s.ahead)
}

// restart starts a process that has ended and waits until it is ready.
func (s *system) restart(p *process.Process) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), recoverIn)
	defer cancel()
	if err := p.Start(ctx); err != nil {
		s.t.Error(err)
	}
}

// answer is the answer to a request.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) text(member string) string {
	var v map[string]any
	_ = json.Unmarshal([]byte(a.body), &v)
	s, _ := v[member].(string)
	return s
}

// send sends a request. An error is returned if there is no complete answer.
func (s *system) send(to *cluster.Service, method, path, key, match string, body any) (answer, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	return s.sendIn(ctx, to, method, path, key, match, body)
}

func (s *system) sendIn(ctx context.Context, to *cluster.Service, method, path, key, match string, body any) (answer, error) {
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		content = bytes.NewReader(data)
	}
	base := to.URL
	if path == "/readyz" || path == "/metrics" {
		base = to.Admin
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, content)
	if err != nil {
		return answer{}, err
	}
	if content != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if s.key != "" {
		req.Header.Set("X-API-Key", s.key)
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	if match != "" {
		req.Header.Set("If-Match", match)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return answer{status: resp.StatusCode, header: resp.Header, body: string(text)}, err
}

// must sends a request and fails the test unless the answer has the given status.
func (s *system) must(to *cluster.Service, method, path, key, match string, body any, status int) answer {
	s.t.Helper()
	a, err := s.send(to, method, path, key, match, body)
	if err != nil || a.status != status {
		s.t.Fatalf("%s %s: %d %v %s", method, path, a.status, err, a.body)
	}
	return a
}

// until calls done until it returns nil. Processes do not notify the tests of changes.
func (s *system) until(what string, done func() error) {
	s.t.Helper()
	err := errors.New("not tried")
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err = done(); err == nil {
			return
		}
	}
	s.t.Fatalf("%s: %v", what, err)
}

// settled waits until billing's consumer group has no members but those of the running instances. A
// killed member leaves the group when its session times out, and an instance that stops before that
// would wait for the group.
func (s *system) settled() {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	// An instance has one member for the facts and one for redriven dead letters.
	const topics = 2
	s.until("billing's consumer group is settled", func() error {
		groups, err := kadm.NewClient(client).DescribeGroups(s.t.Context(), "billing.contract-facts")
		if err != nil {
			return err
		}
		if g := groups["billing.contract-facts"]; g.State != "Stable" || len(g.Members) != topics*len(s.Billing) {
			return fmt.Errorf("%s with %d members", g.State, len(g.Members))
		}
		return nil
	})
}

// insisted repeats a write with its key until the answer has the given status. Like a client, it
// tries again if an instance is not ready, which a slow broker may cause.
func (s *system) insisted(to *cluster.Service, method, path, key, match string, body any, status int) (a answer) {
	s.t.Helper()
	s.until(method+" "+path, func() (err error) {
		a, err = s.send(to, method, path, key, match, body)
		if err == nil && a.status != status {
			err = fmt.Errorf("%d %s", a.status, a.body)
			if a.status != http.StatusServiceUnavailable && a.text("code") != "request-in-progress" {
				s.t.Fatalf("%s %s: %v", method, path, err)
			}
		}
		return err
	})
	return a
}

// subscribe creates a contract of a customer with a ceiling and signs its mandate.
func (s *system) subscribe(name, customer string, ceiling int64) *contract {
	s.t.Helper()
	c := &contract{customer: customer, ceiling: ceiling}
	a := s.insisted(s.Contract, "POST", "/refcontract/v1/contracts", "c-"+name, "", map[string]any{
		"customerRef": c.customer, "sellerRef": "AG-HORIZON", "ceiling": map[string]any{"amount": ceiling, "currency": "EUR"}, "validFrom": "2026-01-01T00:00:00Z",
		"buyer": map[string]any{"legalName": "CSE ACME", "siren": "732829320", "vatNumber": "FR44732829320",
			"billingAddress": map[string]any{"line1": "12 rue de la Paix", "postalCode": "75002", "city": "Paris", "country": "FR"}},
	}, 201)
	c.ref = a.text("contractRef")
	s.insisted(s.Contract, "PUT", "/refcontract/v1/contracts/"+c.ref+"/mandate", "m-"+name, a.header.Get("ETag"), map[string]any{
		"rum": "RUM-" + name, "ics": "FR72ZZZ123456", "scheme": "B2B", "signedAt": s.now().UTC().Add(-time.Minute).Format(time.RFC3339),
		"iban": "FR76 3000 6000 0112 3456 7890 189", "bic": "AGRIFRPP", "owner": "CSE ACME",
	}, 200)
	return c
}
