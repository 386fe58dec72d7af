package story

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/observer"
)

// run is a story being played: the system, what was seen of it, and what the steps hand on to each
// other.
type run struct {
	ctx    context.Context // of the step
	c      *cluster.Cluster
	t      *teller
	seen   *observer.Observer
	client *http.Client
	checks int

	mark    int               // records before it have been taken by a step
	waiting []observer.Record // seen since, in order, and not yet taken

	// CloudEvents ids seen by topic, to know a message that is delivered twice
	ids   map[string]bool
	twice map[place]bool

	suffix   string // of keys and customers, so that a broker may see the story more than once
	customer string
	contract string // CTR-...
	etag     string // of the contract, as last answered
	keys     int
	ahead    time.Duration // of the clock

	purchases []purchase
	periods   []string // months that were billed, oldest first
	invoices  []string
}

type place struct {
	topic  string
	offset int64
}

// purchase is one that the story made and may ask for again.
type purchase struct {
	key, ref string
	body     map[string]any
}

// failed is what a check panics with; scene turns it into the step's error.
type failed struct{ error }

func (r *run) check(ok bool, format string, args ...any) {
	r.checks++
	if !ok {
		panic(failed{fmt.Errorf(format, args...)})
	}
}

func (r *run) must(err error) {
	if err != nil {
		panic(failed{err})
	}
}

// answer is what a service answered.
type answer struct {
	status int
	header http.Header
	body   map[string]any
}

func (a answer) at(path string) any {
	var v any = a.body
	for name := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func (a answer) text(path string) string {
	s, _ := a.at(path).(string)
	return s
}

// amount is an amount of money in minor units; -1 when there is none at that place.
func (a answer) amount(path string) int64 {
	n, ok := a.at(path + ".amount").(json.Number)
	if !ok {
		return -1
	}
	v, err := n.Int64()
	if err != nil {
		return -1
	}
	return v
}

func (a answer) replayed() bool { return a.header.Get("Idempotent-Replayed") == "true" }

// request is one to be sent.
type request struct {
	to     *cluster.Service
	method string
	path   string // without the service's prefix
	key    string
	match  string // If-Match
	fresh  string // Log-Position
	body   any
	quiet  bool // not shown: a question, whose answer is shown as a view
}

func (r *run) billing(i int) *cluster.Service { return r.c.Billing[i-1] }

func (r *run) newKey(what string) string {
	r.keys++
	return fmt.Sprintf("%s-%d%s", what, r.keys, r.suffix)
}

// send sends a request and shows it with its answer.
func (r *run) send(q request) answer {
	if !q.quiet {
		r.t.request(q)
	}
	a, err := r.exchange(q)
	r.must(err)
	if !q.quiet {
		r.t.answer(a)
	}
	return a
}

func (r *run) exchange(q request) (answer, error) {
	prefix := "/billing/v1"
	if q.to == r.c.Contract {
		prefix = "/refcontract/v1"
	}
	var body io.Reader
	if q.body != nil {
		data, err := json.Marshal(q.body)
		if err != nil {
			return answer{}, err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(r.ctx, q.method, q.to.URL+prefix+q.path, body)
	if err != nil {
		return answer{}, err
	}
	for name, value := range map[string]string{"X-API-Key": "demo", "Idempotency-Key": q.key, "If-Match": q.match, "Log-Position": q.fresh} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if q.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, header: resp.Header}
	data, err := io.ReadAll(resp.Body)
	if err != nil || len(data) == 0 {
		return a, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&a.body); err != nil {
		return a, fmt.Errorf("%s %s: the answer is no JSON object: %w: %.200s", q.method, q.path, err, data)
	}
	return a, nil
}

// onContract sends a change of the contract, which must succeed, with the key and the ETag it
// needs.
func (r *run) onContract(method, path string, body any) answer {
	a := r.send(request{to: r.c.Contract, method: method, path: "/contracts/" + r.contract + path, key: r.newKey("c"), match: r.etag, body: body})
	r.check(a.status == http.StatusOK, "%s %s: status %d, want 200: %v", method, path, a.status, a.body)
	r.etag = a.header.Get("ETag")
	return a
}

// one is a record that a step expects.
type one struct {
	topic, kind string
	about       func(observer.Record) bool // nil: any
}

func on(topic string, kinds ...string) []one {
	var out []one
	for _, k := range kinds {
		out = append(out, one{topic: topic, kind: k})
	}
	return out
}

// unshown takes what the observer has read since into waiting. Barriers are the journal's own
// business.
func (r *run) unshown() []observer.Record {
	fresh := r.seen.Since(r.mark)
	r.mark += len(fresh)
	for _, rec := range fresh {
		if id := rec.Headers["ce_id"]; id != "" {
			if r.ids[rec.Topic+id] {
				r.twice[place{rec.Topic, rec.Offset}] = true
			}
			r.ids[rec.Topic+id] = true
		}
		if rec.Type != "barrier" {
			r.waiting = append(r.waiting, rec)
		}
	}
	return r.waiting
}

// noEffect says whether a record changes nothing: void in its log, or published again by an
// instance that took over or came back.
func (r *run) noEffect(rec observer.Record) bool {
	return rec.Void() || r.twice[place{rec.Topic, rec.Offset}]
}

// flowed waits until the observer has read every record that is expected, and shows them with what
// is void between them. In the end nothing else may have been written.
func (r *run) flowed(expected ...[]one) []observer.Record {
	want := slices.Concat(expected...)
	var taken, left []observer.Record
	var missing []one
	enough := func([]observer.Record) bool {
		taken, left, missing = match(r.unshown(), want, r.noEffect)
		return len(missing) == 0
	}
	if err := r.seen.Wait(r.ctx, 0, enough); err != nil {
		var names []string
		for _, m := range missing {
			names = append(names, m.kind+" on "+m.topic)
		}
		panic(failed{fmt.Errorf("never seen: %s (%w)", strings.Join(names, ", "), err)})
	}
	r.waiting = left
	r.show(taken)
	for _, rec := range taken {
		r.check(rec.Err == nil, "%s @%d: %v", rec.Topic, rec.Offset, rec.Err)
		r.check(r.contract == "" || rec.Topic == contractLog || rec.Key == r.contract || !slices.Contains([]string{contractFacts, billingEvents}, rec.Topic),
			"%s @%d has the key %q, want %s", rec.Topic, rec.Offset, rec.Key, r.contract)
	}
	r.derived(taken)
	return slices.DeleteFunc(taken, r.noEffect)
}

// derived checks that every public message comes from an applied record of a log: that is what its
// CloudEvents id says.
func (r *run) derived(taken []observer.Record) {
	applied := map[string]bool{}
	for _, rec := range r.seen.Since(0) {
		if rec.Envelope != nil && rec.Envelope.Applied {
			applied[rec.Envelope.Attempt] = true
		}
	}
	for _, rec := range taken {
		if rec.Envelope == nil {
			id := rec.Headers["ce_id"]
			r.check(applied[id[:max(0, strings.LastIndexByte(id, '-'))]], "%s @%d has the id %q: no applied record of a log has that attempt", rec.Topic, rec.Offset, id)
		}
	}
}

// match pairs records with what is expected, first come first served. Those without effect are
// taken along.
func match(records []observer.Record, want []one, noEffect func(observer.Record) bool) (taken, left []observer.Record, missing []one) {
	missing = slices.Clone(want)
	for _, rec := range records {
		i := slices.IndexFunc(missing, func(w one) bool {
			return w.topic == rec.Topic && w.kind == rec.Type && (w.about == nil || w.about(rec))
		})
		switch {
		case noEffect(rec):
			taken = append(taken, rec)
		case i >= 0:
			taken, missing = append(taken, rec), slices.Delete(missing, i, i+1)
		default:
			left = append(left, rec)
		}
	}
	return taken, left, missing
}

// nothingElse reads the topics to their ends: what a step did not expect is a failure of the step.
func (r *run) nothingElse() error {
	if err := r.seen.Sync(r.ctx); err != nil {
		return err
	}
	taken, left, _ := match(r.unshown(), nil, r.noEffect)
	r.show(taken)
	r.waiting = left
	if len(left) == 0 {
		r.checks++
		return nil
	}
	r.show(left)
	return fmt.Errorf("%d records were not expected, the first is %s on %s @%d (%v)", len(left), left[0].Type, left[0].Topic, left[0].Offset, left[0].Err)
}

// ahead of everything read so far: the position that makes an answer of any instance at least that
// fresh.
func (r *run) position(topic string) string {
	last := int64(-1)
	for _, rec := range r.seen.Since(0) {
		if rec.Topic == topic {
			last = rec.Offset
		}
	}
	if last < 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", topic, last)
}

// eligibility asks every instance that is running what the customer may still buy; they must agree.
// It shows the answer.
func (r *run) eligibility(amount int64) answer {
	path := "/eligibility/" + r.customer
	if amount > 0 {
		path += fmt.Sprintf("?amount=%d&currency=EUR", amount)
	}
	var first answer
	var instances []string
	for i, s := range r.c.Billing {
		if !s.Running() {
			continue
		}
		a := r.send(request{to: s, method: http.MethodGet, path: path, fresh: r.position(billingLog), quiet: true})
		r.check(a.status == http.StatusOK, "eligibility of %s on %s: status %d: %v", r.customer, s.Name(), a.status, a.body)
		contracts, _ := a.body["contracts"].([]any)
		r.check(len(contracts) == 1, "%s knows %d contracts of %s, want 1", s.Name(), len(contracts), r.customer)
		a.body, _ = contracts[0].(map[string]any)
		if first.body != nil {
			same := fmt.Sprint(a.body) == fmt.Sprint(first.body)
			r.check(same, "billing-%d does not say what the other instance says:\n%v\n%v", i+1, a.body, first.body)
		}
		first, instances = a, append(instances, s.Name())
	}
	r.t.eligibility(strings.Join(instances, " and "), first)
	return first
}

// outstanding checks the figures that every instance must give.
func (r *run) outstanding(notInvoiced, notSettled int64) answer {
	a := r.eligibility(0)
	r.check(a.amount("outstanding.notInvoiced") == notInvoiced && a.amount("outstanding.notSettled") == notSettled &&
		a.amount("outstanding.total") == notInvoiced+notSettled,
		"outstanding is %s, want %s not invoiced and %s not settled", minor(a.amount("outstanding.total")), minor(notInvoiced), minor(notSettled))
	r.check(a.amount("available") == max(0, ceiling-notInvoiced-notSettled), "available is %s", minor(a.amount("available")))
	return a
}

// setClock puts every service's clock at a moment.
func (r *run) setClock(to time.Time) {
	r.ahead = time.Until(to).Round(time.Second)
	r.must(r.c.SetClock(r.ahead))
	r.t.line("    the clock of the services is now %s (%s ahead)", to.UTC().Format("2006-01-02 15:04 MST"), days(r.ahead))
}

func days(d time.Duration) string { return fmt.Sprintf("%.1f days", d.Hours()/24) }
