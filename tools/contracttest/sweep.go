package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/deferpay/deferpay/tools/contracttest/judge"
)

// sweep sends, for every operation of the documents, the mistakes that any operation with such a
// parameter or body must refuse. A new operation is swept without a line of code.
func (p *prober) sweep(ctx context.Context, s subjects) error {
	used, err := p.usedKeys(ctx, s)
	if err != nil {
		return err
	}
	var late []func()
	for _, op := range p.api.Operations() {
		m := p.mistake(op, s)
		m.used = used[1]
		if m.base == p.contract {
			m.used = used[0]
		}
		for _, q := range m.all() {
			p.send(ctx, m.base, q)
		}
		if _, ok := op.Parameter("Log-Position"); ok {
			q := m.probe(http.StatusServiceUnavailable, "position-not-reached")
			q.header["Log-Position"] = map[string]string{p.contract: "contract.log.v1", p.billing: "billing.log.v1"}[m.base] + ":99999999"
			late = append(late, func() { p.send(ctx, m.base, q) })
		}
	}
	var wg sync.WaitGroup // each of them waits for two seconds
	for _, send := range late {
		wg.Go(send)
	}
	wg.Wait()
	return nil
}

// usedKeys makes one write on each service, and returns the keys of both.
func (p *prober) usedKeys(ctx context.Context, s subjects) (keys [2]string, err error) {
	keys = [2]string{"sweep-contract-" + p.run, "sweep-billing-" + p.run}
	for i, w := range []struct {
		url, body string
		status    int
	}{
		{p.contract + "/refcontract/v1/contracts", newContract, http.StatusCreated},
		{p.billing + "/billing/v1/operations", refusedPurchase(s), http.StatusUnprocessableEntity},
	} {
		status, code, err := p.do(ctx, w.url, probe{method: http.MethodPost, body: w.body, header: map[string]string{"Idempotency-Key": keys[i]}})
		if err != nil {
			return keys, err
		}
		if status != w.status {
			return keys, fmt.Errorf("the write whose key is used again: %d %s", status, code)
		}
	}
	return keys, nil
}

// values returns the subjects by the names of path parameters.
func (s subjects) values() map[string]string {
	return map[string]string{
		"contractRef": s.contract, "customerRef": s.customer, "subscriptionRef": s.subscription, "operationRef": s.operation,
		"invoiceRef": s.invoice, "period": s.period,
	}
}

// nobody are references of nothing.
var nobody = map[string]string{
	"contractRef": "CTR-999999", "customerRef": "CE-NOBODY", "subscriptionRef": "SUB-999999", "operationRef": "BOP-1-999999",
	"invoiceRef": "BIL-2026-999999", "period": "2001-01",
}

func fill(path string, values map[string]string) string {
	for name, value := range values {
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	return path
}

// mistake makes the mistakes for one operation.
type mistake struct {
	op       judge.Operation
	at, base string // path, and base URL of the service
	used     string // a key that another write of the service has used
}

// probe returns a request that the operation would accept, and the answer to the mistake that the
// caller puts in.
func (m mistake) probe(status int, code string) probe {
	q := probe{method: m.op.Method, path: m.at, header: map[string]string{}, status: status, code: code}
	if len(m.op.Bodies) > 0 {
		q.body = string(m.op.Bodies[0])
	}
	if m.has("If-Match") {
		q.header["If-Match"] = "*"
	}
	return q
}

func (m mistake) has(header string) bool { _, ok := m.op.Parameter(header); return ok }

// all returns the mistakes that are answered at once.
func (m mistake) all() (out []probe) {
	add := func(status int, code string, spoil func(*probe)) {
		q := m.probe(status, code)
		spoil(&q)
		out = append(out, q)
	}
	add(400, "invalid-request", func(q *probe) { q.path += "?surprise=1" })
	if code := m.notFound(); code != "" {
		add(404, code, func(q *probe) { q.path = fill(m.op.Path, nobody) })
	}
	if m.has("Idempotency-Key") {
		add(400, "idempotency-key-missing", func(q *probe) { q.header["Idempotency-Key"] = none })
		add(422, "idempotency-key-reused", func(q *probe) { q.header["Idempotency-Key"] = m.used })
	}
	if m.has("If-Match") {
		add(428, "precondition-required", func(q *probe) { q.header["If-Match"] = none })
		add(412, "precondition-failed", func(q *probe) { q.header["If-Match"] = `"999999"` })
	}
	if len(m.op.Bodies) > 0 {
		add(415, "unsupported-media-type", func(q *probe) { q.header["Content-Type"] = "text/plain" })
		add(413, "body-too-large", func(q *probe) { q.body = `{"x":"` + strings.Repeat("x", 2<<20) + `"}` })
	}
	return out
}

// notFound returns the code for a reference in the path that is of nothing, "" if there is none. An
// operation on a part of a resource has a code for the part as well, which comes later.
func (m mistake) notFound() string {
	if !strings.Contains(m.op.Path, "{") {
		return ""
	}
	codes := ""
	for _, problem := range m.op.Problems {
		if code, ok := strings.CutPrefix(problem, "404 "); ok && (codes == "" || code == "contract-not-found") {
			codes = code
		}
	}
	return codes
}
