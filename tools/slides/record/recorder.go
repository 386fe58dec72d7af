package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/observer"
)

// stopped is what a step of the scenario panics with; play returns its error.
type stopped struct{ error }

// recorder sends the requests of the scenario and keeps what has a name.
type recorder struct {
	ctx     context.Context
	cluster *cluster.Cluster
	files   map[string][]byte
}

type answer struct {
	status int
	header http.Header
	body   object
}

// send sends a request and keeps it with its answer under a name, unless the name is "".
func (r *recorder) send(name string, q request) answer {
	a := r.exchange(q)
	if q.want != 0 && a.status != q.want {
		panic(stopped{fmt.Errorf("%s %s: %d, want %d: %s", q.method, q.path, a.status, q.want, indented(a.body))})
	}
	if name != "" {
		r.files[name+".http"] = exchangeText(q, a)
	}
	return a
}

func (r *recorder) exchange(q request) answer {
	var body io.Reader
	if q.body != nil {
		body = bytes.NewReader(indented(q.body))
	}
	req, err := http.NewRequestWithContext(r.ctx, q.method, q.to.URL+prefix(q.to)+q.path, body)
	if err != nil {
		panic(stopped{err})
	}
	for _, h := range headers(q) {
		req.Header.Set(h[0], h[1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		panic(stopped{err})
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	d := json.NewDecoder(resp.Body)
	d.UseNumber()
	if err := d.Decode(&a.body); err != nil {
		panic(stopped{fmt.Errorf("%s %s: %w", q.method, q.path, err)})
	}
	return a
}

func prefix(s *cluster.Service) string {
	if strings.HasPrefix(s.Name(), cluster.Contract) {
		return "/refcontract/v1"
	}
	return "/billing/v1"
}

// headers returns the headers of a request in the order in which they are written.
func headers(q request) [][2]string {
	list := [][2]string{{"X-API-Key", "demo"}, {"Idempotency-Key", q.key}, {"If-Match", q.match}, {"Log-Position", q.fresh}}
	if q.body != nil {
		list = append(list, [2]string{"Content-Type", "application/json"})
	}
	return slices.DeleteFunc(list, func(h [2]string) bool { return h[1] == "" })
}

// exchangeText writes a request and its answer as HTTP does, with the bodies indented.
func exchangeText(q request, a answer) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s%s\n", q.method, prefix(q.to), q.path)
	for _, h := range headers(q) {
		fmt.Fprintf(&b, "%s: %s\n", h[0], h[1])
	}
	if q.body != nil {
		fmt.Fprintf(&b, "\n%s\n", indented(q.body))
	}
	fmt.Fprintf(&b, "\nHTTP/1.1 %d %s\n", a.status, http.StatusText(a.status))
	for _, name := range []string{"Content-Type", "Etag", "Location", "Log-Position", "Idempotent-Replayed", "Retry-After"} {
		if v := a.header.Get(name); v != "" {
			if name == "Etag" {
				name = "ETag"
			}
			fmt.Fprintf(&b, "%s: %s\n", name, v)
		}
	}
	fmt.Fprintf(&b, "\n%s\n", indented(a.body))
	return b.Bytes()
}

// until asks again until a condition holds.
func (r *recorder) until(what string, holds func() bool) {
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			panic(stopped{fmt.Errorf("%s: not after 30 s", what)})
		}
	}
}

// voidRecord reports whether the log of billing has a void record of one of the keys. It keeps the
// records of both.
func (r *recorder) voidRecord(keys [2]string) bool {
	o, err := observer.Open(r.cluster.Brokers, r.cluster.Registry, "specs", "billing.log.v1")
	if err != nil {
		panic(stopped{err})
	}
	defer o.Close()
	if err := o.Sync(r.ctx); err != nil {
		panic(stopped{err})
	}
	var lines []string
	void := false
	for _, rec := range o.Since(0) {
		if rec.Envelope == nil || !slices.ContainsFunc(rec.Envelope.Expects, func(e observer.Expectation) bool {
			return strings.HasSuffix(e.Stream, "/"+keys[0]) || strings.HasSuffix(e.Stream, "/"+keys[1])
		}) {
			continue
		}
		verdict := "applied"
		if rec.Void() {
			verdict, void = "void", true
		}
		var contract int64 = -1
		for _, e := range rec.Envelope.Expects {
			if strings.HasPrefix(e.Stream, "contract/") {
				contract = e.Offset
			}
		}
		lines = append(lines, fmt.Sprintf("@%d %s %s @%d %s", rec.Offset, rec.Envelope.Writer, rec.Type, contract, verdict))
	}
	if void {
		r.files["race.txt"] = []byte(strings.Join(lines, "\n") + "\n")
	}
	return void
}

// message is a message of a public topic as the slides need it.
type message struct {
	Topic   string            `json:"topic"`
	Offset  int64             `json:"offset"`
	Key     string            `json:"key"`
	Headers map[string]string `json:"headers"`
	Value   string            `json:"value"` // hexadecimal
}

// events keeps the first message of each type on the public topics, and the last suspension.
func (r *recorder) events() error {
	topics := []string{"contract.facts.v1", "billing.events.v1"}
	client, err := kgo.NewClient(kgo.SeedBrokers(r.cluster.Brokers...), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(r.ctx, topics...)
	if err != nil {
		return err
	}
	var left int64
	ends.Each(func(o kadm.ListedOffset) { left += o.Offset })
	for left > 0 {
		fetches := client.PollFetches(r.ctx)
		if err := fetches.Err0(); err != nil {
			return err
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			left--
			m := message{Topic: rec.Topic, Offset: rec.Offset, Key: string(rec.Key), Headers: map[string]string{}, Value: hex.EncodeToString(rec.Value)}
			for _, h := range rec.Headers {
				m.Headers[h.Key] = string(h.Value)
			}
			name := strings.TrimPrefix(m.Headers["ce_type"], "deferpay.event.") + ".json"
			if _, kept := r.files[name]; !kept {
				r.files[name] = append(indented(m), '\n')
			}
		})
	}
	return nil
}

func (r *recorder) write(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range r.files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	fmt.Printf("record: %d examples in %s\n", len(r.files), dir)
	return nil
}
