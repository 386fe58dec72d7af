package main

import (
	"bytes"
	"io"
	"net/http"
	"sync"

	"github.com/deferpay/deferpay/tools/contracttest/judge"
)

// recorder is an HTTP transport that keeps every exchange. A request that got no answer, because an
// instance was killed, is left out.
type recorder struct {
	next  http.RoundTripper
	heard func(judge.Exchange) // gets each exchange, instead of keeping it, unless it is nil

	mu        sync.Mutex
	exchanges []judge.Exchange
}

// RoundTrip sends the request and keeps it with its answer.
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		_ = req.Body.Close()
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	resp, err := r.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	e := judge.Exchange{
		Method: req.Method, Target: req.URL.RequestURI(), Header: req.Header.Clone(), RequestBody: body,
		Status: resp.StatusCode, AnswerHead: resp.Header.Clone(), Answer: answer,
	}
	if r.heard != nil {
		r.heard(e)
		return resp, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.exchanges = append(r.exchanges, e)
	return resp, nil
}

// taken returns the exchanges, in the order of the answers.
func (r *recorder) taken() []judge.Exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]judge.Exchange(nil), r.exchanges...)
}
