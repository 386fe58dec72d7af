package callers

import (
	"net/http"
	"os"
	"strings"
	"testing"
)

func TestTransportSendsTheKey(t *testing.T) {
	s, err := New(t.TempDir(), Caller{Subject: "one", Scopes: Scopes})
	if err != nil {
		t.Fatal(err)
	}
	var sent []http.Header
	via := s.Transport("one", seen(func(r *http.Request) { sent = append(sent, r.Header) }))
	for _, own := range []string{"", "X-API-Key", "Authorization"} {
		r, _ := http.NewRequest(http.MethodGet, "http://x/", nil)
		if own != "" {
			r.Header.Set(own, "mine")
		}
		_, _ = via.RoundTrip(r)
	}
	for _, h := range sent {
		if h.Get("X-API-Key") != s.Key("one") || h.Get("Authorization") != "" {
			t.Errorf("sent %v", h)
		}
	}
	text, err := os.ReadFile(s.path("keys.json"))
	if err != nil || strings.Contains(string(text), s.Key("one")) {
		t.Errorf("the file has the key itself: %v", err)
	}
}

func TestNamesDiffer(t *testing.T) {
	if _, err := New(t.TempDir(), Caller{Subject: "one"}, Caller{Subject: "one"}); err == nil {
		t.Error("two callers of one name")
	}
	s, err := New(t.TempDir(), Caller{Subject: "one"}, Caller{Name: "other", Subject: "one"})
	if err != nil || s.Key("one") == s.Key("other") {
		t.Errorf("two keys of one subject: %v", err)
	}
}

type seen func(*http.Request)

func (s seen) RoundTrip(r *http.Request) (*http.Response, error) {
	s(r)
	return nil, http.ErrServerClosed
}
