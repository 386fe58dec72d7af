package runs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/observer"
)

// The topics and logs of which pictures show records.
const (
	contractLog   = "contract.log.v1"
	contractFacts = "contract.facts.v1"
	billingLog    = "billing.log.v1"
	billingEvents = "billing.events.v1"
)

// patience is how long the recorder waits for a record.
const patience = 30 * time.Second

type object = map[string]any

// stopped is what the recorder panics with; Record returns its error.
type stopped struct{ error }

func must(err error) {
	if err != nil {
		panic(stopped{err})
	}
}

// recorder plays scenarios and keeps what it sees of the present one.
type recorder struct {
	ctx     context.Context
	cluster *cluster.Cluster
	seen    *observer.Observer
	run     *Run
	mark    int                        // records before it belong to earlier steps
	used    map[string]bool            // records that are in the run, by topic and position
	written map[string]observer.Record // records of logs by attempt
	keys    int

	invoice, second string // what the scenario month leaves for rejected
}

// Record starts the system, plays every scenario and returns the runs. The folder specs has the
// schemas. Each line of progress is passed to progress.
func Record(ctx context.Context, specs string, progress func(format string, args ...any)) (runs []Run, err error) {
	dir, err := os.MkdirTemp("", "deferpay-runs-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	c, err := cluster.Start(ctx, cluster.Options{Dir: dir, LogLevel: "warn", Progress: progress})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	seen, err := observer.Open(c.Brokers, c.Registry, specs, contractLog, contractFacts, billingLog, billingEvents)
	if err != nil {
		return nil, err
	}
	defer seen.Close()
	r := &recorder{ctx: ctx, cluster: c, seen: seen, used: map[string]bool{}, written: map[string]observer.Record{}}
	defer func() {
		switch p := recover().(type) {
		case nil:
		case stopped:
			err = errors.Join(err, p.error)
		default:
			panic(p)
		}
	}()
	for _, s := range scenarios {
		progress("%s", s.name)
		run := &Run{Name: s.name, Lanes: s.lanes}
		r.begin(run)
		s.play(r)
		if !s.others {
			r.complete()
		}
		runs = append(runs, *run)
	}
	return runs, nil
}

// begin makes a run the present one. What was on the topics before is not part of it.
func (r *recorder) begin(run *Run) {
	must(r.seen.Sync(r.ctx))
	r.mark = r.seen.Mark()
	r.run = run
}

// complete returns only if the picture shows every applied record of the run. An event belongs to
// the run if the record that it comes from does.
func (r *recorder) complete() {
	must(r.seen.Sync(r.ctx))
	list := r.seen.Since(r.mark)
	ours := map[string]bool{}
	for _, rec := range list {
		if rec.Envelope != nil {
			ours[rec.Envelope.Attempt] = true
		}
	}
	for _, rec := range list {
		shown := slices.Contains(r.run.Lanes, rec.Topic) && rec.Type != "barrier" && !rec.Void()
		if shown && (rec.Envelope != nil || ours[attempt(rec)]) && !r.used[place(rec)] {
			panic(stopped{fmt.Errorf("%s: %s at %s is not in the picture", r.run.Name, rec.Type, place(rec))})
		}
	}
}

// aside plays what prepares a scenario, without keeping it.
func (r *recorder) aside(prepare func()) {
	kept := r.run
	r.begin(&Run{Lanes: kept.Lanes})
	prepare()
	r.begin(kept)
}

func (r *recorder) add(s Step) { r.run.Steps = append(r.run.Steps, s) }

// lane returns the lane of an instance: its own, or that of its service.
func (r *recorder) lane(instance string) string {
	if slices.Contains(r.run.Lanes, instance) {
		return instance
	}
	service, _, _ := strings.Cut(instance, "-")
	return service
}

// ask is a request.
type ask struct {
	who          string
	to           *cluster.Service
	url          string // where to send it, if not to the service itself
	method, path string
	key          string // made if it is empty and the method is not GET
	match, fresh string
	body         object
	shown        string // what the picture shows of the body
	want         int
}

// reply is an answer. Its status is 0 if there was none.
type reply struct {
	status int
	header http.Header
	body   object
}

func (a reply) text(member string) string {
	s, _ := a.body[member].(string)
	return s
}

// number returns the amount of money at a path of members. It is an error if there is none.
func (a reply) number(path ...string) string {
	var v any = a.body
	for _, p := range path {
		m, _ := v.(object)
		v = m[p]
	}
	n, _ := v.(json.Number)
	cents, err := n.Int64()
	if err != nil {
		panic(stopped{fmt.Errorf("no amount %v in %v: %w", path, a.body, err)})
	}
	return fmt.Sprintf("%d.%02d", cents/100, cents%100)
}

func prefix(s *cluster.Service) string {
	if strings.HasPrefix(s.Name(), cluster.Contract) {
		return "/refcontract/v1"
	}
	return "/billing/v1"
}

// keyFor returns a key for a request without one.
func (r *recorder) keyFor() string {
	r.keys++
	return fmt.Sprintf("k-%d", r.keys)
}

// exchange sends a request. A connection that breaks leaves the status 0.
func (r *recorder) exchange(q ask) reply {
	var body io.Reader
	if q.body != nil {
		data, err := json.Marshal(q.body)
		must(err)
		body = bytes.NewReader(data)
	}
	base := q.to.URL
	if q.url != "" {
		base = q.url
	}
	req, err := http.NewRequestWithContext(r.ctx, q.method, base+prefix(q.to)+q.path, body)
	must(err)
	for name, v := range map[string]string{"X-API-Key": "demo", "Idempotency-Key": q.key, "If-Match": q.match, "Log-Position": q.fresh} {
		if v != "" {
			req.Header.Set(name, v)
		}
	}
	if q.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return reply{}
	}
	defer resp.Body.Close()
	a := reply{status: resp.StatusCode, header: resp.Header}
	d := json.NewDecoder(resp.Body)
	d.UseNumber()
	must(d.Decode(&a.body))
	return a
}

// send sends a request and shows it, the records that it led to, its answer, and then what
// followed. The wanted records are named by topic and type, in the order in which they follow each
// other.
func (r *recorder) send(q ask, wants ...want) reply {
	if q.key == "" && q.method != http.MethodGet {
		q.key = r.keyFor()
	}
	a := r.exchange(q)
	r.status(q, a)
	r.request(q)
	later := wants
	for len(later) > 0 && later[0].topic == logOf(q.to) {
		r.flowed(later[0])
		later = later[1:]
	}
	r.answer(q, a)
	r.flowed(later...)
	return a
}

func (r *recorder) status(q ask, a reply) {
	if a.status != q.want {
		panic(stopped{fmt.Errorf("%s: %s %s: status %d, want %d: %v", r.run.Name, q.method, q.path, a.status, q.want, a.body)})
	}
}

func logOf(s *cluster.Service) string {
	if strings.HasPrefix(s.Name(), cluster.Contract) {
		return contractLog
	}
	return billingLog
}

func (r *recorder) request(q ask) {
	detail := []string{}
	if q.shown != "" {
		detail = append(detail, q.shown)
	}
	if q.key != "" {
		detail = append(detail, "{key} "+named(q.key))
	}
	if q.match != "" {
		detail = append(detail, "If-Match "+q.match)
	}
	if q.fresh != "" {
		detail = append(detail, "Log-Position")
	}
	r.add(Step{Kind: Request, From: q.who, To: r.lane(q.to.Name()), Text: q.method + " " + shortened(q.path), Detail: strings.Join(detail, ", ")})
}

// named returns a key as pictures show it: those that the recorder made have no meaning.
func named(key string) string {
	if strings.HasPrefix(key, "k-") {
		return "{new}"
	}
	return key
}

// shortened leaves out the front of a path that is too long for a picture.
func shortened(path string) string {
	path, _, _ = strings.Cut(path, "?")
	parts := strings.Split(path, "/")
	if len(parts) > 3 {
		return "…/" + parts[len(parts)-1]
	}
	return path
}

func (r *recorder) answer(q ask, a reply) {
	text := fmt.Sprint(a.status)
	for _, member := range []string{"contractRef", "operationRef", "code", "status"} {
		if v := a.text(member); v != "" && (member != "contractRef" || a.text("operationRef") == "") {
			text += " " + v
		}
	}
	r.add(Step{Kind: Answer, From: r.lane(q.to.Name()), To: q.who, Text: text, Detail: answerDetail(a)})
}

func answerDetail(a reply) string {
	var parts []string
	if a.header.Get("Idempotent-Replayed") == "true" {
		parts = append(parts, "Idempotent-Replayed")
	}
	if tag := a.header.Get("ETag"); tag != "" {
		parts = append(parts, "ETag "+tag)
	}
	if reasons, ok := a.body["reasons"].([]any); ok {
		for _, reason := range reasons {
			parts = append(parts, fmt.Sprint(reason))
		}
	}
	if a.body["judgement"] != nil {
		parts = append(parts, "{outstanding} "+a.number("judgement", "outstanding", "amount")+" {of} "+a.number("judgement", "ceiling", "amount"))
	}
	if v, ok := a.body["contractVersion"]; ok {
		parts = append(parts, fmt.Sprintf("{judged} %v", v))
	}
	return strings.Join(parts, ", ")
}

// want names a record that is expected.
type want struct{ topic, kind string }

// flowed waits for the records that are wanted, in their order, and shows them.
func (r *recorder) flowed(wants ...want) {
	for _, w := range wants {
		rec := r.next(w)
		if rec.Envelope != nil {
			r.record(rec)
			continue
		}
		r.event(rec)
	}
}

// next returns the first record that is wanted and not yet shown.
func (r *recorder) next(w want) observer.Record {
	var found observer.Record
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	err := r.seen.Wait(ctx, r.mark, func(list []observer.Record) bool {
		for _, rec := range list {
			if rec.Envelope != nil {
				r.written[rec.Envelope.Attempt] = rec
			}
			if rec.Topic == w.topic && rec.Type == w.kind && !rec.Void() && !r.used[place(rec)] {
				found = rec
				return true
			}
		}
		return false
	})
	if err != nil {
		panic(stopped{fmt.Errorf("%s: no %s on %s: %w", r.run.Name, w.kind, w.topic, err)})
	}
	r.used[place(found)] = true
	return found
}

func place(rec observer.Record) string { return fmt.Sprintf("%s@%d", rec.Topic, rec.Offset) }

// record shows a record of a log that has a lane.
func (r *recorder) record(rec observer.Record) {
	if !slices.Contains(r.run.Lanes, rec.Topic) {
		return
	}
	s := Step{Kind: Applied, From: r.lane(rec.Envelope.Writer), To: rec.Topic, Text: fmt.Sprintf("@%d %s", rec.Offset, rec.Type), Detail: builds(rec)}
	if rec.Void() {
		s.Kind = Void
	}
	switch {
	case rec.Type == "ContractObserved":
		s.Via = contractFacts
		s.Text += version(rec)
	case rec.Type == "Activated":
		s.Detail = "{timer}"
	case rec.Topic == contractLog && rec.Type == "Suspended" && slices.Contains(r.run.Lanes, billingEvents):
		s.Via = billingEvents
	}
	r.add(s)
}

func version(rec observer.Record) string {
	if v, ok := rec.Value["version"]; ok {
		return fmt.Sprintf(" v%v", v)
	}
	if state, ok := rec.Value["contract"].(object); ok && state["version"] != nil {
		return fmt.Sprintf(" v%v", state["version"])
	}
	return ""
}

// builds returns what a record builds on, in words: its contract or customer, and its key.
func builds(rec observer.Record) string {
	var parts []string
	for _, e := range rec.Envelope.Expects {
		kind, _, _ := strings.Cut(e.Stream, "/")
		switch {
		case kind == "contract" && e.Offset >= 0:
			parts = append(parts, fmt.Sprintf("{on} @%d", e.Offset))
		case kind == "key" && e.Offset < 0:
			parts = append(parts, "{key} {new}")
		}
	}
	return strings.Join(slices.Compact(parts), ", ")
}

// attempt returns the attempt in the id of a message.
func attempt(rec observer.Record) string {
	id := rec.Headers["ce_id"]
	return id[:max(strings.LastIndex(id, "-"), 0)]
}

// event shows a message of a public topic. Its id must be that of a record of the log.
func (r *recorder) event(rec observer.Record) {
	cause, ok := r.written[attempt(rec)]
	if !ok || cause.Void() {
		panic(stopped{fmt.Errorf("%s: %s has the id %q of no applied record", r.run.Name, rec.Type, rec.Headers["ce_id"])})
	}
	from := cause.Topic
	if !slices.Contains(r.run.Lanes, from) {
		from, _, _ = strings.Cut(from, ".")
	}
	detail := ""
	for _, member := range []string{"contractRef", "operationRef", "invoiceRef"} {
		if v, ok := rec.Value[member].(string); ok && rec.Topic == billingEvents && (member != "invoiceRef" || rec.Type == "InvoiceIssued") {
			detail = v
		}
	}
	r.add(Step{Kind: Event, From: from, To: rec.Topic, Text: fmt.Sprintf("@%d %s%s", rec.Offset, rec.Type, version(rec)), Detail: detail})
}

// until asks again until a condition holds.
func (r *recorder) until(what string, holds func() bool) {
	for end := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			panic(stopped{fmt.Errorf("%s: %s: not after %v", r.run.Name, what, patience)})
		}
	}
}

// loses starts a proxy to a service which passes requests on, calls then with each answer, and
// closes the connection instead of passing the answer back.
func (r *recorder) loses(s *cluster.Service, then func()) *httptest.Server {
	target, err := url.Parse(s.URL)
	must(err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		proxy.ServeHTTP(httptest.NewRecorder(), q)
		then()
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
}
