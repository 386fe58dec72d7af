package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/contracttest/judge"
)

func contracts(t *testing.T) (*judge.API, *judge.Events) {
	t.Helper()
	api, err := judge.LoadAPI("../../specs/contract/openapi.yaml", "../../specs/billing/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	events, err := judge.LoadEvents("../../specs/contract/asyncapi.yaml", "../../specs/billing/asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return api, events
}

// exercised returns a complete coverage.
func exercised(api *judge.API, events *judge.Events) *coverage {
	c := newCoverage()
	for _, op := range api.Operations() {
		for _, name := range names(op) {
			c.outcomes[name] = map[string]int{"200": 1}
		}
		for _, problem := range op.Problems {
			if excuse(op.ID, problem) == "" {
				c.outcomes[names(op)[0]][problem] = 1
			}
		}
	}
	c.outcomes[nowhere] = map[string]int{}
	for _, code := range api.Elsewhere() {
		c.outcomes[nowhere]["404 "+code] = 1
	}
	for _, topic := range events.Topics() {
		for _, m := range events.Messages(topic) {
			c.messages[m] = 1
		}
	}
	return c
}

func TestCompleteRun(t *testing.T) {
	api, events := contracts(t)
	c := exercised(api, events)
	if c.settle(api, events); len(c.faults) > 0 {
		t.Error(c.faults)
	}
}

func TestMissingIsFault(t *testing.T) {
	api, events := contracts(t)
	for name, spoil := range map[string]func(*coverage){
		"getInvoice: never succeeded":           func(c *coverage) { delete(c.outcomes["getInvoice"], "200") },
		"changeContract AMEND: never succeeded": func(c *coverage) { delete(c.outcomes, "changeContract AMEND") },
		"createOperation: 409 order-already-purchased is declared and was never answered": func(c *coverage) {
			delete(c.outcomes["createOperation PURCHASE"], "409 order-already-purchased")
		},
		"getContract: 404 contract-not-found is declared": func(c *coverage) { delete(c.outcomes["getContract"], "404 contract-not-found") },
		"getContract: 429 too-many-requests is declared":  func(c *coverage) { delete(c.outcomes["getContract"], "429 too-many-requests") },
		"not-found is declared for requests":              func(c *coverage) { delete(c.outcomes[nowhere], "404 not-found") },
		"ContractAmended: never seen":                     func(c *coverage) { delete(c.messages, "ContractAmended") },
	} {
		c := exercised(api, events)
		spoil(c)
		if c.settle(api, events); len(c.faults) != 1 || !strings.HasPrefix(c.faults[0].text, name) {
			t.Errorf("%s: faults %q", name, c.faults)
		}
	}
}

func TestRecorderKeepsExchanges(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("ETag", `"3"`)
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte("heard " + string(body)))
	}))
	defer server.Close()
	rec := &recorder{next: http.DefaultTransport}
	resp, err := (&http.Client{Transport: rec}).Post(server.URL+"/x?y=1", "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if answer, _ := io.ReadAll(resp.Body); string(answer) != "heard hello" {
		t.Errorf("the caller read %q", answer)
	}
	kept := rec.taken()
	if len(kept) != 1 || kept[0].Target != "/x?y=1" || string(kept[0].RequestBody) != "hello" || kept[0].Status != http.StatusTeapot ||
		string(kept[0].Answer) != "heard hello" || kept[0].AnswerHead.Get("ETag") != `"3"` {
		t.Errorf("kept %+v", kept)
	}
}

func TestReportNamesUnexercised(t *testing.T) {
	api, events := contracts(t)
	c := exercised(api, events)
	delete(c.outcomes, "getInvoice")
	var b strings.Builder
	c.print(&b, api, events)
	for _, want := range []string{"getInvoice                        NOT EXERCISED", "changeContract AMEND", "/billing/v1", "contract.facts.v1"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}
