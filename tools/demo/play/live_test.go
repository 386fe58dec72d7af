package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"

	"github.com/deferpay/deferpay/tools/demo/story"
	"github.com/deferpay/deferpay/tools/fulltest"
	"github.com/deferpay/deferpay/tools/live"
)

// TestStartAgain replaces the system of make live, twice at once, and after it was closed.
func TestStartAgain(t *testing.T) {
	fulltest.Only(t, "it starts three systems")
	x := &theatre{o: story.Options{Dir: t.TempDir()}, view: live.New()}
	if err := x.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = x.close() }()
	old := x.system.Contract.URL
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if err := x.restart(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if x.plays != 3 || !answers(t, x.system.Contract.URL) || answers(t, old) {
		t.Errorf("%d systems were started; the new one answers: %v, the first one: %v", x.plays, answers(t, x.system.Contract.URL), answers(t, old))
	}
	last := x.system.Contract.URL
	if err := x.close(); err != nil {
		t.Fatal(err)
	}
	if err := x.restart(t.Context()); !errors.Is(err, context.Canceled) || x.system != nil || answers(t, last) {
		t.Errorf("after the end: %v, %v", err, x.system)
	}
}

// answers reports whether a service is ready.
func answers(t *testing.T, url string) bool {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
