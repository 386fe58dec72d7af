package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestServedPages(t *testing.T) {
	h := handler(site(t))
	for path, want := range map[string]struct {
		status int
		kind   string
		text   string
	}{
		"/":                    {http.StatusOK, "text/html", "contract-api.html"},
		"/billing-events.html": {http.StatusOK, "text/html", "deferpay.event.InvoiceIssued"},
		"/style.css":           {http.StatusOK, "text/css", "{"},
		"/other.html":          {http.StatusNotFound, "text/plain", ""},
		"/../main.go":          {http.StatusNotFound, "text/plain", ""},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != want.status || !strings.HasPrefix(w.Header().Get("Content-Type"), want.kind) || !strings.Contains(w.Body.String(), want.text) {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
}
