package story

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/demo/story/internal/call"
	"github.com/deferpay/deferpay/tools/demo/story/internal/flow"
	"github.com/deferpay/deferpay/tools/demo/story/internal/screen"
	"github.com/deferpay/deferpay/tools/observer"
)

// run is a story that is being played: the system and what the steps hand on to each other.
type run struct {
	ctx    context.Context // of the present step
	c      *cluster.Cluster
	screen *screen.Screen
	seen   *observer.Observer
	flow   *flow.Flow
	client *http.Client
	checks int  // number of checks that have passed
	shared bool // others use the system, too
	onStep func(Progress)
	goesOn bool // whether the next step continues the last one

	// of keys and customers, so that the story can be played again on the same broker
	suffix   string
	customer string
	contract string   // CTR-... of the present contract
	etag     string   // ETag of the last answer about it
	second   string   // CTR-... of the second contract
	owned    []string // all contracts of the customer
	keys     int
	ahead    time.Duration // of the services' clock

	contracts int // of the customer

	purchases []purchase
	periods   []string // billed months, oldest first
	invoices  []string
}

// purchase is an accepted purchase, whose request may be repeated.
type purchase struct {
	key, ref string
	body     map[string]any
}

// failed is the value with which a failed check panics. The function scene turns it into an error.
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

func (r *run) billing(i int) *cluster.Service { return r.c.Billing[i-1] }

func (r *run) newKey(what string) string {
	r.keys++
	return fmt.Sprintf("%s-%d%s", what, r.keys, r.suffix)
}

// ask sends a request without showing it.
func (r *run) ask(q call.Request) call.Answer {
	a, err := call.Send(r.ctx, r.client, q)
	r.must(err)
	return a
}

// send sends a request and shows it with its answer.
func (r *run) send(q call.Request) call.Answer {
	r.screen.Request(q)
	a := r.ask(q)
	r.screen.Answer(a)
	return a
}

// onContract sends a change of the contract with its ETag. The change must succeed.
func (r *run) onContract(method, path string, body any) call.Answer {
	a := r.send(call.Request{To: r.c.Contract, Method: method, Path: "/contracts/" + r.contract + path, Key: r.newKey("c"), Match: r.etag, Body: body})
	r.check(a.Status == http.StatusOK, "%s %s: status %d, want 200: %v", method, path, a.Status, a.Body)
	r.etag = a.Header.Get("ETag")
	return a
}

// flowed waits until every expected record has been written, and shows them together with the
// records that have no effect. At the end of the step no other record may have been written.
func (r *run) flowed(expected ...[]flow.Want) []observer.Record {
	taken, err := r.flow.Take(r.ctx, slices.Concat(expected...))
	r.must(err)
	r.screen.Records(taken, r.flow.Again)
	for _, rec := range taken {
		r.check(rec.Err == nil, "%s @%d: %v", rec.Topic, rec.Offset, rec.Err)
		want := map[string]string{contractFacts: r.contract, billingEvents: r.customer}[rec.Topic]
		r.check(want == "" || rec.Key == want, "%s @%d has the key %q, want %s", rec.Topic, rec.Offset, rec.Key, want)
		err := r.flow.Derived([]observer.Record{rec})
		r.check(err == nil, "%v", err)
	}
	return slices.DeleteFunc(taken, r.flow.NoEffect)
}

// nothingElse reads the topics to their ends. It returns an error if there is a record that the
// step did not expect.
func (r *run) nothingElse() error {
	taken, left, err := r.flow.Rest(r.ctx)
	if err != nil {
		return err
	}
	r.screen.Records(taken, r.flow.Again)
	if len(left) == 0 || r.shared {
		r.checks++
		return nil
	}
	r.screen.Records(left, r.flow.Again)
	return fmt.Errorf("%d unexpected records, the first is %s on %s @%d (%v)", len(left), left[0].Type, left[0].Topic, left[0].Offset, left[0].Err)
}

// eligibility asks every running instance of billing what the customer may still buy and shows the
// answer. The instances must agree.
func (r *run) eligibility(amount int64) call.Answer {
	path := "/eligibility/" + r.customer
	if amount > 0 {
		path += fmt.Sprintf("?amount=%d&currency=EUR", amount)
	}
	var first call.Answer
	var instances []string
	for i, s := range r.c.Billing {
		if !s.Running() && !r.c.Attached() {
			continue
		}
		a := r.ask(call.Request{To: s, Method: http.MethodGet, Path: path, Fresh: r.flow.Position(billingLog)})
		r.check(a.Status == http.StatusOK, "eligibility of %s on %s: status %d: %v", r.customer, s.Name(), a.Status, a.Body)
		contracts, _ := a.Body["contracts"].([]any)
		r.check(len(contracts) == r.contracts, "%s shows %d contracts of %s, want %d", s.Name(), len(contracts), r.customer, r.contracts)
		of := slices.IndexFunc(contracts, func(c any) bool { v, _ := c.(map[string]any); return v["contractRef"] == r.contract })
		r.check(of >= 0, "%s does not show %s", s.Name(), r.contract)
		a.Body, _ = contracts[of].(map[string]any)
		if first.Body != nil {
			same := fmt.Sprint(a.Body) == fmt.Sprint(first.Body)
			r.check(same, "billing-%d does not agree with the other instance:\n%v\n%v", i+1, a.Body, first.Body)
		}
		first, instances = a, append(instances, s.Name())
	}
	r.screen.Eligibility(strings.Join(instances, " and "), first)
	return first
}

// outstanding checks the outstanding and the available amount on every instance.
func (r *run) outstanding(notInvoiced, notSettled int64) call.Answer {
	a := r.eligibility(0)
	r.check(a.Amount("outstanding.notInvoiced") == notInvoiced && a.Amount("outstanding.notSettled") == notSettled &&
		a.Amount("outstanding.total") == notInvoiced+notSettled,
		"outstanding is %s, want %s not invoiced and %s not settled", screen.Minor(a.Amount("outstanding.total")), screen.Minor(notInvoiced), screen.Minor(notSettled))
	r.check(a.Amount("available") == max(0, ceiling-notInvoiced-notSettled), "available is %s", screen.Minor(a.Amount("available")))
	return a
}

// setClock sets the clock of every service to a moment.
func (r *run) setClock(to time.Time) {
	r.ahead = time.Until(to).Round(time.Second)
	r.must(r.c.SetClock(r.ahead))
	r.screen.Line("    the clock of the services is now %s (%s ahead)", to.UTC().Format("2006-01-02 15:04 MST"), days(r.ahead))
}

func days(d time.Duration) string { return fmt.Sprintf("%.1f days", d.Hours()/24) }
