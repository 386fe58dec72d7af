//go:build full

package foreign_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/demo/story"
	"github.com/deferpay/deferpay/tools/foreign"
	"github.com/deferpay/deferpay/tools/kafka/artifacts"
	"github.com/deferpay/deferpay/tools/kafka/engine"
	"github.com/deferpay/deferpay/tools/observer"
	"github.com/deferpay/deferpay/tools/process"
	"github.com/deferpay/deferpay/tools/specfile"
)

var asked = flag.Bool("foreign", false, "play the story and read and write its topics with third-party clients")

const (
	facts      = "contract.facts.v1"
	events     = "billing.events.v1"
	billingLog = "billing.log.v1"
	deadLetter = "billing.dlq.v1"
)

var public = []string{facts, events}

// system is the running system after the story, and an observer that reads it with our own client.
type system struct {
	story.Addresses
	seen *observer.Observer
	http *http.Client
	run  string // distinguishes the customers of this run from those of an earlier one
	t    *testing.T
}

// TestForeignClients plays the story, lets foreign clients add contracts of their own, and compares
// how each client reads every record of the public topics with how ours reads it.
func TestForeignClients(t *testing.T) {
	if !*asked {
		t.Skip("run `make foreign-test`")
	}
	clients, err := foreign.Open()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	o := story.Options{Dir: t.TempDir()}
	startEngines(t, &o)
	o.BeforeStop = func(ctx context.Context, a story.Addresses) error {
		t.Logf("the story was played after %.0f s", time.Since(began).Seconds())
		root, err := process.Root()
		if err != nil {
			return err
		}
		seen, err := observer.Open(a.Brokers, a.Registry, filepath.Join(root, "specs"), facts, events, billingLog, deadLetter)
		if err != nil {
			return err
		}
		defer seen.Close()
		s := &system{Addresses: a, seen: seen, http: &http.Client{Timeout: 15 * time.Second}, run: fmt.Sprint(began.UnixMilli()), t: t}
		if err := s.amend(ctx); err != nil {
			return err
		}
		all := available(t, clients)
		t.Run("write", func(t *testing.T) { s.writers(t, all) })
		t.Run("read", func(t *testing.T) { s.readers(t, all) })
		t.Run("partition", func(t *testing.T) { s.partitions(t, all) })
		return nil
	}
	if err := story.Play(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Logf("%.0f s in all", time.Since(began).Seconds())
}

// startEngines starts Apache Kafka and Apicurio Registry if BROKER asks for them. The story starts
// the embedded ones itself.
func startEngines(t *testing.T, o *story.Options) {
	t.Helper()
	switch broker := os.Getenv("BROKER"); broker {
	case "", "embedded":
		return
	case "kafka":
	default:
		t.Fatalf("BROKER=%s: want embedded or kafka", broker)
	}
	cache, err := artifacts.Open(t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	brokers, err := engine.StartBrokers(t.Context(), engine.BrokersOptions{Cache: cache, Dir: filepath.Join(dir, "kafka"), Heap: "256m", LogLevel: "error", Tee: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	stop := func(what func(context.Context) error) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := what(ctx); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(func() { stop(brokers.Stop) })
	registry, err := engine.StartRegistry(t.Context(), engine.RegistryOptions{Cache: cache, Dir: filepath.Join(dir, "registry"), Brokers: brokers.Addrs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(registry.Stop) })
	o.Brokers, o.Registry = brokers.Addrs, registry.URL
	t.Logf("Apache Kafka on %v and Apicurio Registry on %s are up", o.Brokers, o.Registry)
}

// client is one foreign client, or why it is missing.
type client struct {
	name    string
	scripts *script // nil for kcat
	missing error
}

// available returns the clients. The tests of one that is missing are skipped on a person's
// machine, and fail in continuous integration.
func available(t *testing.T, c foreign.Clients) map[string]client {
	t.Helper()
	root, err := process.Root()
	if err != nil {
		t.Fatal(err)
	}
	here := filepath.Join(root, "tools", "foreign")
	python, noPython := c.Python()
	node, modules, noNode := c.Node()
	kcat, noKcat := c.Kcat()
	return map[string]client{
		"python": {"python", &script{command: []string{python, filepath.Join(here, "foreign.py")}}, noPython},
		"node":   {"node", &script{command: []string{node, filepath.Join(here, "foreign.mjs")}, env: "FOREIGN_MODULES=" + modules}, noNode},
		"kcat":   {"kcat", &script{command: []string{kcat}}, noKcat},
	}
}

func (c client) need(t *testing.T) {
	t.Helper()
	switch {
	case c.missing == nil:
	case os.Getenv("CI") == "true":
		t.Fatal(c.missing)
	default:
		t.Skipf("SKIPPED: %v", c.missing)
	}
}

// complete returns an error unless every message that a service sends to the public topics was
// seen.
func complete(records []observer.Record) error {
	sent, err := sentMessages()
	if err != nil {
		return err
	}
	count := map[string]int{}
	for _, r := range records {
		count[r.Type]++
	}
	var errs []error
	for _, m := range sent {
		if count[m] == 0 {
			errs = append(errs, fmt.Errorf("no %s was compared", m))
		}
	}
	return errors.Join(errs...)
}

// sentMessages returns the names of the messages that the two services' public documents send.
func sentMessages() ([]string, error) {
	root, err := process.Root()
	if err != nil {
		return nil, err
	}
	var names []string
	set := specfile.NewSet()
	for _, service := range []string{"contract", "billing"} {
		document, err := set.Open(filepath.Join(root, "specs", service, "asyncapi.yaml"))
		if err != nil {
			return nil, err
		}
		for _, operation := range document.Get("operations").Members() {
			if operation.Get("action").Str() != "send" {
				continue
			}
			for _, m := range specfile.Messages(operation.Get("channel")) {
				names = append(names, m.Name)
			}
		}
	}
	if len(names) == 0 {
		return nil, errors.New("the documents send no message")
	}
	return names, nil
}
