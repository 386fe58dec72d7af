package trace

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHTTP(t *testing.T) {
	var got string
	h := HTTP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = From(r.Context()) }))
	const given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for header, kept := range map[string]bool{given: true, "": false, "00-nonsense": false, given + "\r\nx: y": false} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set(Header, header)
		h.ServeHTTP(httptest.NewRecorder(), r)
		if (got == header) != kept || !valid.MatchString(got) {
			t.Errorf("%q became %q", header, got)
		}
	}
	if From(t.Context()) != "" {
		t.Error("an invalid trace context was kept")
	}
}
