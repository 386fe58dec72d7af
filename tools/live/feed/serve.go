package feed

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	pause   = 60 * time.Millisecond // between two parcels, so that a burst comes in few of them
	beat    = 10 * time.Second      // between two signs of life
	writeIn = 10 * time.Second
)

// ServeHTTP sends events until the browser goes away or the context of the request ends. A browser
// that comes back names the last event that it has, in the header Last-Event-ID or in the query
// parameter after, and receives those after it. It is told how many of them are no longer kept, and
// to forget what it has if that belongs to an earlier run.
func (f *Feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	out := http.NewResponseController(w)
	id := r.Header.Get("Last-Event-ID")
	if id == "" { // a page that had to connect anew itself
		id = r.URL.Query().Get("after")
	}
	at := parseReader(id)
	alive := time.NewTicker(beat)
	defer alive.Stop()
	back := at.run != "" // it says so at once, even if nothing was missed
	for {
		p := f.next(&at)
		text := p.text(back)
		back = false
		if text != "" && !write(w, out, text) {
			return
		}
		if len(p.events) == most {
			continue
		}
		select {
		case <-r.Context().Done():
			return
		case <-p.changed:
		case <-alive.C:
			if !write(w, out, ": alive\n\n") {
				return
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(pause):
		}
	}
}

// write reports whether the text has been sent.
func write(w io.Writer, out *http.ResponseController, text string) bool {
	_ = out.SetWriteDeadline(time.Now().Add(writeIn)) // not every writer has deadlines
	_, err := io.WriteString(w, text)
	return err == nil && out.Flush() == nil
}

// text returns the server-sent events of a parcel. The parameter back is whether it is the first
// one of a browser that was here before.
func (p parcel) text(back bool) string {
	var b strings.Builder
	if p.fresh || p.lost > 0 || back {
		data, _ := json.Marshal(map[string]any{"fresh": p.fresh, "lost": p.lost, "back": back && !p.fresh})
		fmt.Fprintf(&b, "event: begin\ndata: %s\n\n", data)
	}
	if p.state != nil {
		fmt.Fprintf(&b, "event: state\ndata: %s\n\n", p.state)
	}
	if len(p.events) > 0 {
		parts := make([]string, len(p.events))
		for i, e := range p.events {
			parts[i] = string(e)
		}
		fmt.Fprintf(&b, "id: %s\nevent: events\ndata: [%s]\n\n", p.id, strings.Join(parts, ","))
	}
	return b.String()
}
