package stage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
	_ "time/tzdata" // for Europe/Paris on machines without a time zone database

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/live/watch"
)

// scenes are the actions that play something with a fault in it. They use customers of their own.
var scenes = map[string]func(*Stage, context.Context) error{
	"buy":    (*Stage).buyOnce,
	"lost":   (*Stage).lost,
	"crash":  (*Stage).crash,
	"twins":  (*Stage).twins,
	"race":   (*Stage).race,
	"rush":   (*Stage).rush,
	"replay": (*Stage).replay,
	"poison": (*Stage).poison,
	"month":  (*Stage).month,
}

const factsTopic = "contract.facts.v1"

// guest is a customer of the scenes.
type guest struct {
	customer, contract string
	buys               int
	made               time.Time // by the clock of the services
}

// A guest is replaced after that many purchases, which lie below its ceiling, and before its
// mandate can lapse.
const (
	guestCeiling = 500000 // minor units
	guestBuys    = 100
	guestFor     = 365 * 24 * time.Hour
	attempts     = 4 // to send one request
)

type answer struct {
	status int
	body   map[string]any
	header http.Header
}

func (a answer) text(name string) string {
	s, _ := a.body[name].(string)
	return s
}

// request is a request of a scene. Empty headers are not sent.
type request struct {
	to           *cluster.Service
	method, path string
	key, match   string
	body         any
	lose         bool // the answer
}

func (s *Stage) send(ctx context.Context, q request) (answer, error) {
	data, err := json.Marshal(q.body)
	if err != nil {
		return answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, q.method, q.to.URL+q.path, bytes.NewReader(data))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("X-API-Key", "live")
	req.Header.Set("Content-Type", "application/json")
	if q.key != "" {
		req.Header.Set("Idempotency-Key", q.key)
	}
	if q.match != "" {
		req.Header.Set("If-Match", q.match)
	}
	if q.lose {
		req.Header.Set(watch.LoseAnswer, "true")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, header: resp.Header}
	if err := json.Unmarshal(text, &a.body); err != nil {
		return a, fmt.Errorf("%s %s: %d, not a JSON object: %w", q.method, q.path, resp.StatusCode, err)
	}
	return a, nil
}

// want returns an error unless an answer has a status.
func want(a answer, err error, status int) (answer, error) {
	if err == nil && a.status != status {
		err = fmt.Errorf("status %d, want %d: %s", a.status, status, a.text("code"))
	}
	return a, err
}

func (s *Stage) newKey(what string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys++
	return fmt.Sprintf("%s-%d-%s", what, s.keys, uuid.NewString()[:8])
}

func (s *Stage) now() time.Time { return time.Now().Add(s.o.Cluster.Ahead()) }

func eur(amount int64) map[string]any { return map[string]any{"amount": amount, "currency": "EUR"} }

func (s *Stage) isReady(ctx context.Context, x *cluster.Service) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, x.URL+"/readyz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// readyBilling returns the instances of billing that are ready. There must be at least n.
func (s *Stage) readyBilling(ctx context.Context, n int) ([]*cluster.Service, error) {
	var out []*cluster.Service
	for _, x := range s.o.Cluster.Billing {
		if s.isReady(ctx, x) == nil {
			out = append(out, x)
		}
	}
	if len(out) < n {
		return nil, fmt.Errorf("%d of %d instances of billing are ready, and this takes %d: bring the others back first", len(out), len(s.o.Cluster.Billing), n)
	}
	return out, nil
}

// aGuest returns the present guest, or a new one if there is none or fresh is set.
func (s *Stage) aGuest(ctx context.Context, fresh bool) (guest, error) {
	g := s.guest
	if !fresh && g.contract != "" && g.buys < guestBuys && s.now().Sub(g.made) < guestFor {
		return g, nil
	}
	if err := s.isReady(ctx, s.o.Cluster.Contract); err != nil {
		return guest{}, errors.New("this takes a new contract, and contract-1 is not ready: bring it back first")
	}
	g = guest{customer: "CE-LIVE-" + uuid.NewString()[:4], made: s.now()}
	a, err := s.send(ctx, request{to: s.o.Cluster.Contract, method: http.MethodPost, path: "/refcontract/v1/contracts", key: s.newKey("c"), body: map[string]any{
		"customerRef": g.customer, "sellerRef": "AG-HORIZON", "ceiling": eur(guestCeiling), "validFrom": "2026-01-01T00:00:00Z",
		"buyer": map[string]any{"legalName": "CSE Live", "siren": "732829320", "vatNumber": "FR44732829320",
			"billingAddress": map[string]any{"line1": "12 rue de la Paix", "postalCode": "75002", "city": "Paris", "country": "FR"}}}})
	if a, err = want(a, err, http.StatusCreated); err != nil {
		return guest{}, err
	}
	g.contract = a.text("contractRef")
	mandate := map[string]any{"rum": "RUM-" + g.customer, "ics": "FR72ZZZ123456", "scheme": "B2B", "signedAt": g.made.UTC().Add(-time.Minute).Format(time.RFC3339),
		"iban": "FR76 3000 6000 0112 3456 7890 189", "bic": "AGRIFRPP", "owner": "CSE Live"}
	a, err = s.send(ctx, request{to: s.o.Cluster.Contract, method: http.MethodPut, path: "/refcontract/v1/contracts/" + g.contract + "/mandate", key: s.newKey("c"),
		match: a.header.Get("ETag"), body: mandate})
	if _, err = want(a, err, http.StatusOK); err != nil {
		return guest{}, err
	}
	s.guest = g
	return g, s.eligible(ctx, g)
}

// eligible waits until every ready instance of billing knows that the guest may buy.
func (s *Stage) eligible(ctx context.Context, g guest) error {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	instances, err := s.readyBilling(ctx, 1)
	if err != nil {
		return err
	}
	plain := &http.Client{Timeout: time.Second} // these queries are not shown
	for _, x := range instances {
		for !mayBuy(ctx, plain, x.URL+"/billing/v1/eligibility/"+g.customer) {
			select {
			case <-ctx.Done():
				return fmt.Errorf("%s does not know %s yet: %w", x.Name(), g.contract, ctx.Err())
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return nil
}

func mayBuy(ctx context.Context, client *http.Client, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	req.Header.Set("X-API-Key", "live")
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	var a struct{ Contracts []struct{ Eligible bool } }
	return json.NewDecoder(resp.Body).Decode(&a) == nil && len(a.Contracts) == 1 && a.Contracts[0].Eligible
}

// purchase returns a request to buy for the guest. It may be sent again, to any instance.
func (s *Stage) purchase(g guest, amount int64) request {
	key := s.newKey("o")
	s.guest.buys++
	return request{method: http.MethodPost, path: "/billing/v1/operations", key: key,
		body: map[string]any{"type": "PURCHASE", "contractRef": g.contract, "orderRef": "ORD-" + key, "amount": eur(amount)}}
}

func (q request) on(x *cluster.Service) request {
	q.to = x
	return q
}

// buyOnce buys as a client should: after a 503, or no answer, it sends the same request to another
// instance.
func (s *Stage) buyOnce(ctx context.Context) error {
	g, instances, err := s.prepare(ctx, 1, false)
	if err != nil {
		return err
	}
	q := s.purchase(g, 2000)
	var a answer
	for i := range attempts {
		a, err = s.send(ctx, q.on(instances[i%len(instances)]))
		if err == nil && a.status != http.StatusServiceUnavailable {
			break
		}
	}
	_, err = want(a, err, http.StatusCreated)
	return err
}

// prepare returns a guest and at least n ready instances.
func (s *Stage) prepare(ctx context.Context, n int, fresh bool) (guest, []*cluster.Service, error) {
	instances, err := s.readyBilling(ctx, n)
	if err != nil {
		return guest{}, nil, err
	}
	g, err := s.aGuest(ctx, fresh)
	return g, instances, err
}

// lost loses the answer to a purchase and sends the same request to another instance, if there is
// one.
func (s *Stage) lost(ctx context.Context) error {
	g, instances, err := s.prepare(ctx, 1, false)
	if err != nil {
		return err
	}
	q := s.purchase(g, 2000)
	q.lose = true
	if _, err := s.send(ctx, q.on(instances[0])); err == nil {
		return errors.New("the answer was not lost")
	}
	q.lose = false
	return s.again(ctx, q.on(instances[len(instances)-1]))
}

// crash kills an instance after it has decided a purchase and before its answer arrives, and sends
// the same request to another one.
func (s *Stage) crash(ctx context.Context) error {
	g, instances, err := s.prepare(ctx, 2, false)
	if err != nil {
		return err
	}
	q := s.purchase(g, 2000)
	q.lose = true
	if _, err := s.send(ctx, q.on(instances[0])); err == nil {
		return errors.New("the answer was not lost")
	}
	if err := s.kill(ctx, instances[0]); err != nil {
		return err
	}
	q.lose = false
	return s.again(ctx, q.on(instances[1]))
}

// again sends a request that has been decided, and returns an error unless the answer is that of
// the first time.
func (s *Stage) again(ctx context.Context, q request) error {
	a, err := s.send(ctx, q)
	if a, err = want(a, err, http.StatusCreated); err == nil && a.header.Get("Idempotent-Replayed") != "true" {
		err = errors.New("the second answer is not that of the first request")
	}
	return err
}

// together sends each request to an instance of its own, all at the same time.
func (s *Stage) together(ctx context.Context, instances []*cluster.Service, requests ...request) ([]answer, error) {
	out := make([]answer, len(requests))
	var g errgroup.Group
	for i, q := range requests {
		g.Go(func() (err error) {
			out[i], err = s.send(ctx, q.on(instances[i]))
			return err
		})
	}
	return out, g.Wait()
}

// twins sends one request to two instances at the same time.
func (s *Stage) twins(ctx context.Context) error {
	g, instances, err := s.prepare(ctx, 2, false)
	if err != nil {
		return err
	}
	q := s.purchase(g, 2000)
	got, err := s.together(ctx, instances, q, q)
	if err != nil {
		return err
	}
	if got[0].status != http.StatusCreated || got[1].status != http.StatusCreated || got[0].text("operationRef") != got[1].text("operationRef") {
		return fmt.Errorf("two answers: %d %s and %d %s", got[0].status, got[0].text("operationRef"), got[1].status, got[1].text("operationRef"))
	}
	return nil
}

// race makes two purchases at the same time on two instances. The ceiling has room for one.
func (s *Stage) race(ctx context.Context) error {
	g, instances, err := s.prepare(ctx, 2, true)
	if err != nil {
		return err
	}
	got, err := s.together(ctx, instances, s.purchase(g, 300000), s.purchase(g, 300000))
	s.guest = guest{} // it has spent too much for another scene
	if err != nil {
		return err
	}
	if got[0].status+got[1].status != http.StatusCreated+http.StatusUnprocessableEntity {
		return fmt.Errorf("answers %d and %d, want one 201 and one 422", got[0].status, got[1].status)
	}
	return nil
}

// Purchases of a rush, and how many are sent at the same time.
const (
	rushBuys    = 200
	rushCallers = 8
)

// rush makes many small purchases on all ready instances.
func (s *Stage) rush(ctx context.Context) error {
	g, instances, err := s.prepare(ctx, 1, true)
	if err != nil {
		return err
	}
	var all errgroup.Group
	all.SetLimit(rushCallers)
	var once sync.Mutex
	for i := range rushBuys {
		all.Go(func() error {
			once.Lock()
			q := s.purchase(g, 100)
			once.Unlock()
			a, err := s.send(ctx, q.on(instances[i%len(instances)]))
			_, err = want(a, err, http.StatusCreated)
			return err
		})
	}
	err = all.Wait()
	s.guest = guest{}
	return err
}

// replay writes the newest fact of contract twice more, as it is.
func (s *Stage) replay(ctx context.Context) error {
	partition, offset, ok := s.o.Newest(factsTopic)
	if !ok {
		if _, err := s.aGuest(ctx, false); err != nil {
			return err
		}
		if partition, offset, ok = s.o.Newest(factsTopic); !ok {
			return errors.New("there is no message yet")
		}
	}
	r, err := s.read(ctx, partition, offset)
	if err != nil {
		return err
	}
	return s.write(ctx, r, r)
}

// read reads one record of contract's facts.
func (s *Stage) read(ctx context.Context, partition int32, offset int64) (*kgo.Record, error) {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	c, err := kgo.NewClient(kgo.SeedBrokers(s.o.Cluster.Brokers...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{factsTopic: {partition: kgo.NewOffset().At(offset)}}))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	for ctx.Err() == nil {
		for _, r := range c.PollFetches(ctx).Records() {
			if r.Offset == offset {
				return r, nil
			}
		}
	}
	return nil, fmt.Errorf("read %s @%d: %w", factsTopic, offset, ctx.Err())
}

// write appends copies of records to contract's facts, each to its partition.
func (s *Stage) write(ctx context.Context, records ...*kgo.Record) error {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	c, err := kgo.NewClient(kgo.SeedBrokers(s.o.Cluster.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer c.Close()
	for _, r := range records {
		again := &kgo.Record{Topic: factsTopic, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: r.Headers}
		if err := c.ProduceSync(ctx, again).FirstErr(); err != nil {
			return err
		}
	}
	return nil
}

// poison writes a message that nobody can decode.
func (s *Stage) poison(ctx context.Context) error {
	headers := []kgo.RecordHeader{{Key: "ce_id", Value: []byte(uuid.NewString() + "-0")}, {Key: "ce_type", Value: []byte("deferpay.event.ContractActivated")},
		{Key: "ce_source", Value: []byte("contract")}, {Key: "ce_specversion", Value: []byte("1.0")}, {Key: "content-type", Value: []byte("application/vnd.apache.avro")}}
	return s.write(ctx, &kgo.Record{Key: []byte("CTR-POISON"), Value: []byte("this is not an Avro message"), Headers: headers})
}

// month moves the clock past the end of the month, in which the guest has bought something, and
// bills it.
func (s *Stage) month(ctx context.Context) error {
	if err := s.buyOnce(ctx); err != nil {
		return err
	}
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return err
	}
	now := s.now().In(paris)
	end := time.Date(now.Year(), now.Month()+1, 1, 0, 5, 0, 0, paris)
	if err := s.o.Cluster.SetClock(time.Until(end).Round(time.Second)); err != nil {
		return err
	}
	s.o.Changed()
	instances, err := s.readyBilling(ctx, 1)
	if err != nil {
		return err
	}
	run := request{to: instances[0], method: http.MethodPost, path: "/billing/v1/billing-runs", key: s.newKey("run"),
		body: map[string]any{"period": now.Format("2006-01"), "dryRun": false}}
	a, err := s.untilOver(ctx, run)
	_, err = want(a, err, http.StatusOK)
	return err
}

// untilOver sends a run until the services have noticed that its month is over.
func (s *Stage) untilOver(ctx context.Context, run request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	for {
		a, err := s.send(ctx, run)
		if err != nil || a.status != http.StatusConflict {
			return a, err
		}
		select {
		case <-ctx.Done():
			return a, ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}
