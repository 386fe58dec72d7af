package observer

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// A registry that is away for a moment costs no record; one that does not know a schema does.
func TestSchemaIsFetchedAgain(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked++; {
		case r.URL.Path == "/schemas/ids/2":
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"error_code":40403,"message":"Schema not found"}`)
		case asked < 3:
			panic(http.ErrAbortHandler) // closes the connection without an answer
		default:
			_, _ = io.WriteString(w, `{"schema":"\"string\""}`)
		}
	}))
	defer server.Close()
	c, err := newCodec(server.URL, "../../specs")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.schema(t.Context(), 1); err != nil || got.Schema != `"string"` || asked < 3 {
		t.Errorf("%+v %v after %d requests", got, err, asked)
	}
	if _, err := c.schema(t.Context(), 2); err == nil {
		t.Error("an unknown schema was found")
	}
}
