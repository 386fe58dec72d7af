package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/kafka/artifacts"
	"github.com/deferpay/deferpay/tools/kafka/engine"
	"github.com/deferpay/deferpay/tools/observer"
	"github.com/deferpay/deferpay/tools/process"
)

var (
	full = flag.Bool("e2e.full", false, "run every test at its full length")
	seed = flag.Int64("e2e.seed", 1, "seed of what the tests choose at random")
)

// binaries is where TestMain built the processes.
var binaries string

func TestMain(m *testing.M) {
	flag.Parse()
	status, err := func() (int, error) {
		root, err := process.Root()
		if err != nil {
			return 1, err
		}
		if binaries, err = os.MkdirTemp("", "deferpay-e2e"); err != nil {
			return 1, err
		}
		defer os.RemoveAll(binaries)
		err = process.Build(context.Background(), root, binaries, false, "./services/contract/cmd/contract", "./services/billing/cmd/billing", "./tools/devkafka")
		if err != nil {
			return 1, err
		}
		stop, err := onKafka()
		if err != nil {
			return 1, err
		}
		return m.Run(), stop()
	}()
	if err != nil {
		status = max(status, 1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(status)
}

// engines is what BROKER=kafka adds to every test's options: a broker of its own, and a registry that the tests share, as it takes long to
// start. What it registers once is the same for all of them.
var engines cluster.Options

// onKafka prepares for tests on Apache Kafka when BROKER asks for it.
func onKafka() (stop func() error, err error) {
	stop = func() error { return nil }
	switch broker := os.Getenv("BROKER"); broker {
	case "", "embedded":
		return stop, nil
	case cluster.EngineKafka:
	default:
		return stop, fmt.Errorf("BROKER=%s: want embedded or kafka", broker)
	}
	cache, err := artifacts.Open(nil)
	if err != nil {
		return stop, err
	}
	if missing := cache.Missing(context.Background(), true); missing != "" {
		return stop, errors.New("BROKER=kafka: " + missing)
	}
	dir, err := os.MkdirTemp("", "deferpay-registry")
	if err != nil {
		return stop, err
	}
	registry, err := engine.StartRegistry(context.Background(), engine.RegistryOptions{Cache: cache, Dir: dir})
	if err != nil {
		return stop, errors.Join(err, os.RemoveAll(dir))
	}
	engines = cluster.Options{Engine: cluster.EngineKafka, Registry: registry.URL}
	return func() error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return errors.Join(registry.Stop(ctx), os.RemoveAll(dir))
	}, nil
}

// system is a running system and an observer of its topics.
type system struct {
	*cluster.Cluster
	t      *testing.T
	topics *observer.Observer
	client *http.Client
}

const (
	billingLog = "billing.log.v1"
	patience   = 30 * time.Second
)

// start runs the whole system; the observer reads billing's log and the topics named.
func start(t *testing.T, topics ...string) *system {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	options := engines
	options.Dir, options.Bin, options.LogLevel = t.TempDir(), binaries, "warn"
	c, err := cluster.Start(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			for _, p := range c.Processes() {
				t.Logf("last lines of %s:\n%s", p.Name(), p.Tail(20))
			}
		}
	})
	root, err := process.Root()
	if err != nil {
		t.Fatal(err)
	}
	o, err := observer.Open(c.Brokers, c.Registry, filepath.Join(root, "specs", "avro"), append(topics, billingLog)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return &system{Cluster: c, t: t, topics: o, client: &http.Client{
		Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 128, MaxConnsPerHost: 0},
	}}
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
	data, err := json.Marshal(body)
	if err != nil {
		return answer{}, err
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
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

// until polls until done gives nil.
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

// settled waits until billing's consumer group has exactly the members of the instances that run. The embedded broker can lose
// track of a member that is killed while the group is being rebalanced, which is not what these tests are about.
func (s *system) settled() {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	const topics = 2 // each instance reads the facts and what is sent round again, as a member for each
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

// subscribe makes a contract with a ceiling; known waits until billing has heard of it.
func (s *system) subscribe(name string, ceiling int64) (contractRef string) {
	s.t.Helper()
	a := s.must(s.Contract, "POST", "/refcontract/v1/contracts", "c-"+name, "", map[string]any{
		"customerRef": "CE-" + name, "sellerRef": "AG-HORIZON", "ceiling": map[string]any{"amount": ceiling, "currency": "EUR"}, "validFrom": "2026-01-01T00:00:00Z",
		"buyer": map[string]any{"legalName": "CSE ACME", "siren": "732829320", "vatNumber": "FR44732829320",
			"billingAddress": map[string]any{"line1": "12 rue de la Paix", "postalCode": "75002", "city": "Paris", "country": "FR"}},
	}, 201)
	contractRef = a.text("contractRef")
	s.must(s.Contract, "PUT", "/refcontract/v1/contracts/"+contractRef+"/mandate", "m-"+name, a.header.Get("ETag"), map[string]any{
		"rum": "RUM-" + name, "ics": "FR72ZZZ123456", "scheme": "B2B", "signedAt": time.Now().UTC().Add(-time.Minute).Format(time.RFC3339),
		"iban": "FR76 3000 6000 0112 3456 7890 189", "bic": "AGRIFRPP", "owner": "CSE ACME",
	}, 200)
	return contractRef
}

// known waits until every billing instance knows the customer's contract as active.
func (s *system) known(name string) {
	s.t.Helper()
	for _, b := range s.Billing {
		s.until(name+" active on "+b.Name(), func() error {
			a, err := s.send(b, "GET", "/billing/v1/eligibility/CE-"+name, "", "", nil)
			var e struct {
				Contracts []struct{ Status string }
			}
			if err == nil {
				err = json.Unmarshal([]byte(a.body), &e)
			}
			if err != nil || len(e.Contracts) != 1 || e.Contracts[0].Status != "ACTIVE" {
				return fmt.Errorf("status %d, %s, error %v", a.status, a.body, err)
			}
			return nil
		})
	}
}
