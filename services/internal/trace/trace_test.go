package trace

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHTTP(t *testing.T) {
	var got string
	var off *Tracer
	h := off.HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = From(r.Context()) }))
	for header, kept := range map[string]bool{given: true, "": false, "00-nonsense": false, given + "\r\nx: y": false, "00-" + given[3:54] + "g": false} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set(Header, header)
		h.ServeHTTP(httptest.NewRecorder(), r)
		if (got == header) != kept || !valid(got) {
			t.Errorf("%q became %q", header, got)
		}
	}
	if From(t.Context()) != "" {
		t.Error("an invalid trace context was kept")
	}
}
