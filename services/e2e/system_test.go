package e2e

import (
	"bytes"
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
	"github.com/deferpay/deferpay/tools/observer"
	"github.com/deferpay/deferpay/tools/process"
)

// system is a running system and an observer of its topics.
type system struct {
	*cluster.Cluster
	traffic
	t      *testing.T
	topics *observer.Observer
	client *http.Client
	// before the brokers, in their order, and then the registry, when the setup asks for them
	proxies []*proxy
	began   time.Time
}

const (
	billingLog = "billing.log.v1"
	patience   = 30 * time.Second
	recoverIn  = 2 * time.Minute // for a purchase to be decided, whatever happens meanwhile
)

// setup says what system a test wants, beyond what BROKER says.
type setup struct {
	billing   int      // instances; 0 is two
	contracts int      // instances; 0 is one
	brokers   int      // 0 is one; Apache Kafka alone can be more
	proxies   bool     // connections can be cut
	topics    []string // that are observed, besides billing's log
	data      string   // where the broker keeps its records
}

// start runs the whole system and stops it when the test ends.
func start(t *testing.T, want setup) *system {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	s := &system{t: t, began: time.Now(), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128}}}
	o := engines
	o.Dir, o.Bin, o.LogLevel = t.TempDir(), binaries, "warn"
	o.Billing, o.Contracts, o.KafkaBrokers, o.Data = want.billing, want.contracts, want.brokers, want.data
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

// observe reads topics until the test ends.
func (s *system) observe(topics ...string) *observer.Observer {
	s.t.Helper()
	root, err := process.Root()
	if err != nil {
		s.t.Fatal(err)
	}
	o, err := observer.Open(s.Brokers, s.Registry, filepath.Join(root, "specs", "avro"), topics...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(o.Close)
	return o
}

// anyOf names the instances of billing in turn.
func (s *system) anyOf() func() (*cluster.Service, time.Duration) {
	n := 0
	return func() (*cluster.Service, time.Duration) {
		n++
		return s.Billing[n%len(s.Billing)], patience
	}
}

// end stops the system, and shows the last lines of each process when the test failed.
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

// since is the time of the history that answers are judged by.
func (s *system) since() time.Duration { return time.Since(s.began) }

// restart starts a process that was killed and waits until it is ready.
func (s *system) restart(p *process.Process) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), recoverIn)
	defer cancel()
	if err := p.Start(ctx); err != nil {
		s.t.Error(err)
	}
}

// answer is what came back: a status and the body as it was.
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

// send sends one request. An error means that no whole answer came.
func (s *system) send(to *cluster.Service, method, path, key, match string, body any) (answer, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	return s.sendIn(ctx, to, method, path, key, match, body)
}

func (s *system) sendIn(ctx context.Context, to *cluster.Service, method, path, key, match string, body any) (answer, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, method, to.URL+path, bytes.NewReader(data))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
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

// must sends a request that has to end with a status.
func (s *system) must(to *cluster.Service, method, path, key, match string, body any, status int) answer {
	s.t.Helper()
	a, err := s.send(to, method, path, key, match, body)
	if err != nil || a.status != status {
		s.t.Fatalf("%s %s: %d %v %s", method, path, a.status, err, a.body)
	}
	return a
}

// until asks until done gives nil: processes do not tell anybody when something has changed in
// them.
func (s *system) until(what string, done func() error) {
	s.t.Helper()
	err := errors.New("never asked")
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if err = done(); err == nil {
			return
		}
	}
	s.t.Fatalf("%s: %v", what, err)
}

// settled waits until billing's consumer group has exactly the members of the instances that run: a
// member that was killed leaves when its session ends, and a stop meanwhile would wait for the
// group.
func (s *system) settled() {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	// each instance reads the facts and what is sent round again, as a member for each
	const topics = 2
	s.until("billing's consumer group settled", func() error {
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

// insisted sends a write, with its key, until it is answered with a status: a broker that stalls
// makes an instance not ready for a moment, as clients know.
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

// subscribe makes a contract with a ceiling, and a mandate without which nothing can be bought.
func (s *system) subscribe(name string, ceiling int64) *contract {
	s.t.Helper()
	c := &contract{customer: "CE-" + name, ceiling: ceiling}
	a := s.insisted(s.Contract, "POST", "/refcontract/v1/contracts", "c-"+name, "", map[string]any{
		"customerRef": c.customer, "sellerRef": "AG-HORIZON", "ceiling": map[string]any{"amount": ceiling, "currency": "EUR"}, "validFrom": "2026-01-01T00:00:00Z",
		"buyer": map[string]any{"legalName": "CSE ACME", "siren": "732829320", "vatNumber": "FR44732829320",
			"billingAddress": map[string]any{"line1": "12 rue de la Paix", "postalCode": "75002", "city": "Paris", "country": "FR"}},
	}, 201)
	c.ref = a.text("contractRef")
	s.insisted(s.Contract, "PUT", "/refcontract/v1/contracts/"+c.ref+"/mandate", "m-"+name, a.header.Get("ETag"), map[string]any{
		"rum": "RUM-" + name, "ics": "FR72ZZZ123456", "scheme": "B2B", "signedAt": time.Now().UTC().Add(-time.Minute).Format(time.RFC3339),
		"iban": "FR76 3000 6000 0112 3456 7890 189", "bic": "AGRIFRPP", "owner": "CSE ACME",
	}, 200)
	return c
}
