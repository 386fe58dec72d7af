package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/deferpay/deferpay/tools/contracttest/judge"
)

// against judges a service that is already running, anybody's, by its documents.
type against struct {
	api     *judge.API
	url     *url.URL
	headers http.Header // sent with every request
	out     io.Writer

	mu       sync.Mutex
	coverage *coverage
}

// judged is a transport that judges each exchange when it is over, and writes its violations at
// once.
func (a *against) judged() http.RoundTripper {
	return &recorder{next: http.DefaultTransport, heard: func(e judge.Exchange) {
		a.mu.Lock()
		defer a.mu.Unlock()
		f := a.api.Judge(e)
		for _, v := range f.Violations {
			fmt.Fprintf(a.out, "FAULT %s %s -> %d: %s\n", e.Method, shorten(e.Target), e.Status, v)
		}
		a.coverage.exchange(e, f)
	}}
}

// proxy returns a handler that passes requests on and judges what comes back.
func (a *against) proxy() http.Handler {
	return &httputil.ReverseProxy{
		Transport: a.judged(),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(a.url)
			r.Out.Header.Del("Accept-Encoding") // a body is judged as it is
			a.dress(r.Out)
		},
	}
}

func (a *against) dress(r *http.Request) {
	for name, values := range a.headers {
		r.Header[name] = values
	}
}

// serve serves the proxy until the context ends.
func (a *against) serve(ctx context.Context, address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "the validating proxy for %s listens on http://%s; Ctrl-C ends it\n", a.url, listener.Addr())
	server := &http.Server{Handler: a.proxy(), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// send sends the examples of the documents: one request for each example of a body, and one for an
// operation without a body.
func (a *against) send(ctx context.Context) error {
	client := &http.Client{Transport: a.judged(), Timeout: 30 * time.Second}
	n := 0
	for _, op := range a.api.Operations() {
		bodies := op.Bodies
		if len(bodies) == 0 {
			bodies = [][]byte{nil}
		}
		for _, body := range bodies {
			n++
			r, err := a.request(ctx, op, body, n)
			if err != nil {
				fmt.Fprintf(a.out, "not sent: %s: %v\n", op.ID, err)
				continue
			}
			resp, err := client.Do(r)
			if err != nil {
				return err
			}
			_ = resp.Body.Close()
		}
	}
	return nil
}

// request makes the request number n from the examples of an operation's parameters.
func (a *against) request(ctx context.Context, op judge.Operation, body []byte, n int) (*http.Request, error) {
	path, query, headers := op.Path, url.Values{}, http.Header{}
	for _, p := range op.Parameters {
		value := p.Example
		if strings.EqualFold(p.Name, "Idempotency-Key") {
			value = fmt.Sprintf("contracttest-%d-%d", time.Now().UnixNano(), n)
		}
		switch {
		case value == "" && p.Required:
			return nil, fmt.Errorf("the document has no example of the parameter %s", p.Name)
		case p.In == "path":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(value))
		case p.In == "query" && value != "":
			query.Set(p.Name, value)
		case p.In == "header" && value != "":
			headers.Set(p.Name, value)
		}
	}
	to := strings.TrimSuffix(a.url.String(), "/") + path
	if len(query) > 0 {
		to += "?" + query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, op.Method, to, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header = headers
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	a.dress(r)
	return r, nil
}
