package e2e

import (
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	collected "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// spans are what a collector has taken.
type spans struct {
	t   *testing.T
	mu  sync.Mutex
	raw []byte // all of it as text
	all []spanOf
}

// spanOf is a span of an instance.
type spanOf struct {
	*collected.Span
	instance string
}

// ServeHTTP takes spans as a collector does.
func (c *spans) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(r.Body)
	var taken collected.TracesData
	if err != nil || proto.Unmarshal(data, &taken) != nil {
		c.t.Errorf("not spans: %v", err)
	}
	text, err := protojson.Marshal(&taken)
	if err != nil {
		c.t.Error(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw = append(c.raw, text...)
	for _, of := range taken.ResourceSpans {
		instance := ""
		for _, a := range of.Resource.Attributes {
			if a.Key == "service.instance.id" {
				instance = a.Value.GetStringValue()
			}
		}
		for _, in := range of.ScopeSpans {
			for _, s := range in.Spans {
				c.all = append(c.all, spanOf{s, instance})
			}
		}
	}
}

// below returns the names of the spans below one, with their instances, as a path each.
func (c *spans) below(parent spanOf) (paths []string) {
	at := parent.instance + ": " + parent.Name
	paths = []string{at}
	for _, s := range c.all {
		if string(s.ParentSpanId) == string(parent.SpanId) && string(s.TraceId) == string(parent.TraceId) {
			for _, p := range c.below(s) {
				paths = append(paths, at+" > "+p)
			}
		}
	}
	return paths
}

var ignored = regexp.MustCompile(`deferpay_messages_total\{[^}]*outcome="ignored"\} [1-9]`)

// TestTraceOverBothServices follows the signing of a mandate and a purchase by their spans, through
// HTTP, the logs, Kafka and the other service. What is left when a process ends is exported then:
// nothing is exported before, unless a batch is full.
func TestTraceOverBothServices(t *testing.T) {
	c := &spans{t: t}
	collector := httptest.NewServer(c)
	defer collector.Close()
	t.Setenv("OTEL_TRACES_EXPORTER", "otlp")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
	s := start(t, setup{billing: 1, topics: []string{billingEvents}})
	ref := s.withSecret("traced")
	bought := &purchase{key: "traced", contract: &contract{ref: ref, customer: "CE-traced"}, amount: 100}
	s.shows(s.Billing[0], bought.contract, "ACTIVE")
	s.insist(bought, s.anyOf())
	s.published(0, []*purchase{bought})
	s.until("contract has read the event", func() error {
		if body := s.must(s.Contract, "GET", "/metrics", "", "", nil, 200).body; !ignored.MatchString(body) {
			return errors.New("nothing was ignored")
		}
		return nil
	})
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var paths []string
	for _, root := range c.all {
		if len(root.ParentSpanId) == 0 {
			paths = append(paths, c.below(root)...)
		}
	}
	const contract, billing = "contract-1: ", "billing-1: "
	decided := []string{"wait", "append", "apply"}
	signed := contract + "signMandate > " + contract + "decide contract.log.v1"
	ingested := signed + " > " + contract + "publish MandateAccepted > " + contract + "send contract.facts.v1 > " + billing + "process contract.facts.v1 > " + billing + "decide billing.log.v1"
	purchased := billing + "createOperation > " + billing + "decide billing.log.v1"
	want := []string{purchased + " > " + billing + "publish PurchaseAccepted > " + billing + "send billing.events.v1 > " + contract + "process billing.events.v1"}
	for _, phase := range decided {
		want = append(want, signed+" > "+contract+phase, ingested+" > "+billing+phase, purchased+" > "+billing+phase)
	}
	for _, path := range want {
		if !slices.Contains(paths, path) {
			t.Errorf("there is no %s", path)
		}
	}
	if t.Failed() {
		t.Logf("the spans:\n%s", strings.Join(paths, "\n"))
	}
	c.secretFree()
}

// secretFree checks that no span has anything of an account, and that the traces that requests
// began are not mixed.
func (c *spans) secretFree() {
	c.t.Helper()
	hide(c.t, "the spans", c.raw)
	roots := map[string]string{}
	for _, s := range c.all {
		if len(s.ParentSpanId) == 0 {
			id := hex.EncodeToString(s.TraceId)
			if other := roots[id]; other != "" {
				c.t.Errorf("the trace %s has two beginnings, %s and %s", id, other, s.Name)
			}
			roots[id] = s.Name
		}
	}
}
