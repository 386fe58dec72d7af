package feed

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// message is a server-sent event.
type message struct{ id, event, data string }

// listen reads server-sent events into a channel until the test ends.
func listen(t *testing.T, url, lastID string) <-chan message {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); _ = resp.Body.Close() })
	out := make(chan message, 1000)
	go func() {
		defer close(out)
		var m message
		lines := bufio.NewScanner(resp.Body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				m.id = value
			case "event":
				m.event = value
			case "data":
				m.data = value
			case "":
				if m.event != "" {
					out <- m
				}
				m = message{}
			}
		}
	}()
	return out
}

// numbers reads messages until n events have come. It returns their numbers, the id of the last
// one, and the message that began them, if there was one.
func numbers(t *testing.T, from <-chan message, n int) (got []int64, id, begin string) {
	t.Helper()
	for len(got) < n {
		m, ok := <-from
		if !ok {
			t.Fatalf("the stream ended after %d of %d events", len(got), n)
		}
		switch m.event {
		case "begin":
			begin = m.data
		case "events":
			var list []Event
			if err := json.Unmarshal([]byte(m.data), &list); err != nil {
				t.Fatal(err)
			}
			for _, e := range list {
				got = append(got, e.Number)
			}
			id = m.id
		}
	}
	return got, id, begin
}

func inOrder(t *testing.T, got []int64, from, to int64) {
	t.Helper()
	want := []int64{}
	for n := from; n <= to; n++ {
		want = append(want, n)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("received %v, want %d to %d", got, from, to)
	}
}

func TestReconnect(t *testing.T) {
	f := New(1000)
	server := httptest.NewServer(f)
	t.Cleanup(server.Close) // after the streams have ended
	add := func(n int) {
		for range n {
			f.Add("test", map[string]any{})
		}
	}
	add(3)
	got, id, begin := numbers(t, listen(t, server.URL, ""), 3)
	inOrder(t, got, 1, 3)
	if !strings.Contains(begin, `"fresh":true`) {
		t.Errorf("a new browser was told %q", begin)
	}
	add(500)
	got, id, begin = numbers(t, listen(t, server.URL, id), 500)
	inOrder(t, got, 4, 503)
	if !strings.Contains(begin, `"back":true`) || !strings.Contains(begin, `"fresh":false`) || !strings.Contains(begin, `"lost":0`) {
		t.Errorf("a browser that came back was told %q", begin)
	}
	add(1200)
	got, id, begin = numbers(t, listen(t, server.URL+"?after="+id, ""), 1000)
	inOrder(t, got, 704, 1703)
	if !strings.Contains(begin, `"lost":200`) {
		t.Errorf("a browser that was away for long was told %q, want 200 lost events", begin)
	}
	f.Restart()
	add(2)
	got, _, begin = numbers(t, listen(t, server.URL, id), 2)
	inOrder(t, got, 1, 2)
	if !strings.Contains(begin, `"fresh":true`) {
		t.Errorf("a browser of an earlier run was told %q", begin)
	}
}

func TestWrongLastEventID(t *testing.T) {
	f := New(10)
	f.Add("test", nil)
	for _, id := range []string{"x", ".", f.run + ".-1", f.run + ".99", f.run, "." + f.run, "1.1"} {
		at := parseReader(id)
		p := f.next(&at)
		if !p.fresh || len(p.events) != 1 {
			t.Errorf("%q: fresh %t and %d events, want all of them", id, p.fresh, len(p.events))
		}
	}
}

func TestStateIsSentOnce(t *testing.T) {
	f := New(10)
	f.SetState(map[string]int{"a": 1})
	at := reader{}
	if p := f.next(&at); string(p.state) != `{"a":1}` {
		t.Errorf("state %s", p.state)
	}
	f.SetState(map[string]int{"a": 1})
	if p := f.next(&at); p.state != nil {
		t.Errorf("the same state was sent again: %s", p.state)
	}
	f.SetState(map[string]int{"a": 2})
	if p := f.next(&at); string(p.state) != `{"a":2}` {
		t.Errorf("state %s", p.state)
	}
}
