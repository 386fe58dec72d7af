package watch

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/live/feed"
)

func TestAccountsAreNotShown(t *testing.T) {
	got := string(shown([]byte(`{"iban": "FR76 3000 6000 0112 3456 7890 189", "bic": "AGRIFRPP"}`)))
	if strings.Contains(got, "3000") || !strings.Contains(got, ` 189"`) || !strings.Contains(got, "AGRIFRPP") {
		t.Errorf("shown: %s", got)
	}
	if got := shown([]byte("no JSON")); got != nil {
		t.Errorf("shown: %s", got)
	}
	if got := shown(append(append([]byte(`"`), bytes.Repeat([]byte("x"), maxShown)...), '"')); got != nil {
		t.Errorf("%d bytes are shown", len(got))
	}
}

func TestLostAnswer(t *testing.T) {
	var received []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		received = append(received, string(body)+r.Header.Get(LoseAnswer))
		if TraceID(r.Header.Get("traceparent")) == "" {
			t.Error("the request has no trace")
		}
		_, _ = io.WriteString(w, `{"a":1}`)
	}))
	defer server.Close()
	client := &http.Client{Transport: &Recorder{Next: http.DefaultTransport, Feed: feed.New(10), Name: func(string) string { return "x" }}}
	send := func(lose string) (string, error) {
		req, err := http.NewRequest(http.MethodPost, server.URL, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		if lose != "" {
			req.Header.Set(LoseAnswer, lose)
		}
		resp, err := client.Do(req)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return string(text), err
	}
	if text, err := send(""); err != nil || text != `{"a":1}` {
		t.Errorf("answer %q, %v", text, err)
	}
	if _, err := send("true"); err == nil {
		t.Error("the answer was not lost")
	}
	if strings.Join(received, " ") != "{} {}" {
		t.Errorf("the server received %q", received)
	}
}
