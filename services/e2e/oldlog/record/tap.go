package main

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/deferpay/deferpay/services/e2e/oldlog"
	"github.com/deferpay/deferpay/tools/demo/story"
)

// tap is a transport that records every write.
type tap struct {
	mu     sync.Mutex
	writes []write
}

type write struct {
	host     string
	exchange oldlog.Exchange // without service and answer
}

// recorded are the headers that are needed to repeat a write.
var recorded = []string{"Content-Type", "Idempotency-Key", "If-Match", "X-API-Key"}

func (t *tap) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet {
		return http.DefaultTransport.RoundTrip(req)
	}
	e := oldlog.Exchange{Method: req.Method, Path: req.URL.RequestURI(), Headers: map[string]string{}}
	for _, name := range recorded {
		if value := req.Header.Get(name); value != "" {
			e.Headers[name] = value
		}
	}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		_ = req.Body.Close()
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(body))
		e.Body = body
	}
	t.mu.Lock()
	t.writes = append(t.writes, write{req.URL.Host, e})
	t.mu.Unlock()
	return http.DefaultTransport.RoundTrip(req)
}

// exchanges returns the writes in their order.
func (t *tap) exchanges(at story.Addresses) []oldlog.Exchange {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []oldlog.Exchange
	for _, w := range t.writes {
		w.exchange.Service = oldlog.BillingService
		if strings.Contains(at.Contract, w.host) {
			w.exchange.Service = oldlog.ContractService
		}
		out = append(out, w.exchange)
	}
	return out
}
