// Package runs bills months: it closes the period of each customer, on request or automatically
// after the end of the month. Any number of instances may run at once, because each closing is one
// record, and only one of them is applied. The billing service and its HTTP layer import it.
package runs

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/trace"
	"github.com/deferpay/deferpay/services/journal"
)

// Runner bills periods while Run is running.
type Runner struct {
	Store  *store.Store
	Ready  func() error // no run is started automatically while it fails; nil: the store's
	Paris  *time.Location
	Now    func() time.Time
	Logger *slog.Logger
	// After is how long after the end of a month its billing starts automatically, 0 for never. An
	// unfinished run is resumed in any case.
	After time.Duration
	// Every is how often the runner checks for months that are due; 0 is 15 s.
	Every time.Duration

	mu      sync.Mutex
	going   map[billing.Period]chan struct{} // closed when the run of the period is over
	base    context.Context
	working sync.WaitGroup
}

// abandoned is the age at which an unfinished run is resumed by another instance: the one that
// started it has probably died.
const abandoned = time.Minute

// Run starts the billing of months that are due until ctx ends.
func (r *Runner) Run(ctx context.Context) error {
	r.mu.Lock()
	r.base, r.going = ctx, map[billing.Period]chan struct{}{}
	r.mu.Unlock()
	defer r.working.Wait()
	if r.Ready == nil {
		r.Ready = r.Store.Ready
	}
	every := r.Every
	if every == 0 {
		every = 15 * time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if r.Ready() == nil {
				r.startDue(ctx)
			}
		}
	}
}

// startDue resumes unfinished runs and starts those of months that are due. It bills the customers
// that can be billed now. The others wait until their reason is gone, and make no record meanwhile.
func (r *Runner) startDue(ctx context.Context) {
	for _, p := range r.Store.PeriodsDue() {
		if !r.due(ctx, p) {
			continue
		}
		done, _, err := r.Start(ctx, nil, p)
		if err != nil {
			r.Logger.Warn("billing run not started", "period", p.String(), "error", err.Error())
			continue
		}
		select { // one period after the other: a customer's periods are closed in order
		case <-done:
		case <-ctx.Done():
			return
		}
	}
}

// due reports whether a run of a period has to be started or resumed automatically. A period that
// was run is run again for the customers left out, even if months are billed only on request.
func (r *Runner) due(ctx context.Context, p billing.Period) bool {
	now, seen := r.Now(), r.Store.RunOf(p, store.Page{})
	if seen.Run.Running {
		return !now.Before(seen.Run.StartedAt.Add(abandoned))
	}
	if !seen.Known && (r.After == 0 || now.Before(p.End(r.Paris).Add(r.After))) {
		return false
	}
	possible, _ := r.Store.ToClose(p)
	for _, c := range possible {
		if !heldUp(seen.Run, c.Customer) {
			return true
		}
		// The states do not show what held it up. A failed attempt makes no record.
		if err := r.close(ctx, c, &billing.RunCompleted{}); err == nil {
			r.Logger.Info("customer that was left out is billed", "customer", c.Customer.CustomerRef, "period", p.String())
		}
	}
	return false
}

// heldUp reports whether the last run left a customer out for a reason that the states do not show.
func heldUp(run billing.Run, c billing.CustomerKey) bool {
	return slices.ContainsFunc(run.LeftOut, func(l billing.LeftOut) bool { return l.Customer == c && !l.Shown() })
}

// Start starts the billing of a period, joins the run of this instance, or resumes an unfinished
// one. Done is closed when the run is over. Replayed reports whether the same request started it
// before. If an earlier run left nothing to bill, nothing is recorded.
func (r *Runner) Start(ctx context.Context, req *idempotency.Request, p billing.Period) (done <-chan struct{}, replayed bool, err error) {
	replayed, err = r.Store.Answered(ctx, req)
	if replayed { // by an applied record: what came after it may not be read
		err = r.Store.Barrier(ctx)
	}
	if err != nil {
		return nil, false, err
	}
	over, joined := r.enter(p)
	if joined {
		return over, replayed, nil
	}
	tracing := trace.From(ctx)
	if tracing == "" {
		tracing = trace.New()
	}
	work, again, err := r.begin(trace.With(ctx, tracing), req, p)
	replayed = replayed || again
	if err != nil || !work {
		r.leave(p, over)
		return over, replayed, err
	}
	r.working.Go(func() {
		defer r.leave(p, over)
		r.over(trace.With(r.base, tracing), p)
	})
	return over, replayed, nil
}

// begin records the start of a run unless there is nothing to do or one is unfinished. It reports
// whether there is work. The caller has read everything that was in the log when the request came,
// because another instance may have billed the period.
func (r *Runner) begin(ctx context.Context, req *idempotency.Request, p billing.Period) (work, replayed bool, err error) {
	seen := r.Store.RunOf(p, store.Page{})
	switch {
	case seen.Run.Running:
		return true, false, nil // somewhere, or left unfinished
	case seen.Known && seen.ToInvoice == 0:
		return false, false, nil
	}
	out, err := r.Store.Decide(ctx, req, billing.StartRun{Period: p, Starts: seen.Run.Starts})
	switch {
	case errors.Is(err, billing.ErrRunning):
		return true, false, nil
	case errors.Is(err, billing.ErrRunStarted):
		return false, false, nil
	case err != nil:
		return false, false, err
	}
	return !out.Replayed || r.Store.RunOf(p, store.Page{}).Run.Running, out.Replayed, nil
}

// enter registers a run of a period in this process. It reports whether it joined one that is
// running.
func (r *Runner) enter(p billing.Period) (over chan struct{}, joined bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if over, joined = r.going[p]; joined {
		return over, true
	}
	over = make(chan struct{})
	if r.base != nil && r.base.Err() == nil {
		r.going[p] = over
		return over, false
	}
	close(over) // not started yet, or stopping
	return over, true
}

func (r *Runner) leave(p billing.Period, over chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.going, p)
	close(over)
}

// over closes the period of every customer with something in it, and then completes the run.
func (r *Runner) over(ctx context.Context, p billing.Period) {
	done := billing.RunCompleted{Period: p}
	possible, waiting := r.Store.ToClose(p)
	for _, c := range possible {
		err := r.close(ctx, c, &done)
		switch {
		case err == nil:
		case ctx.Err() != nil || errors.Is(err, journal.ErrNotReady) || errors.Is(err, journal.ErrUnknownOutcome):
			r.Logger.Warn("billing run interrupted", "period", p.String(), "error", err.Error())
			return // it stays unfinished and is resumed
		default:
			waiting = append(waiting, store.Waiting{Customer: c.Customer, ContractRef: c.Contracts[0], Err: err})
		}
	}
	for _, w := range waiting {
		r.Logger.Warn("customer left out of a billing run", "customer", w.Customer.CustomerRef, "period", p.String(), "error", w.Err.Error())
		done.LeftOut = append(done.LeftOut, billing.LeftOut{Customer: w.Customer, ContractRef: w.ContractRef, Code: code(w.Err), Detail: w.Err.Error()})
	}
	if !r.Store.RunOf(p, store.Page{}).Run.Running {
		return
	}
	if _, err := r.Store.Decide(ctx, nil, billing.CompleteRun(done)); err != nil {
		r.Logger.Warn("billing run not completed", "period", p.String(), "error", err.Error())
	}
}

// close closes a period of a customer and counts it. There is one invoice for each currency. It is
// no error if another instance did it, or an earlier record whose outcome was unknown.
func (r *Runner) close(ctx context.Context, c billing.Close, done *billing.RunCompleted) error {
	for closed := false; ; closed = true {
		out, err := r.Store.Decide(ctx, nil, c)
		if errors.Is(err, billing.ErrPeriodClosed) || errors.Is(err, billing.ErrNothingToClose) {
			return nil
		}
		if err != nil {
			return err
		}
		if !closed {
			done.Closed++
		}
		done.Invoices++
		r.Logger.Info("period closed", "customer", c.Customer.CustomerRef, "period", c.Period.String(), "invoice", out.Event.About().Invoice)
	}
}

// code returns the stable code of the reason for which a customer is left out.
func code(err error) string {
	switch {
	case errors.Is(err, billing.ErrEarlierPeriodOpen):
		return billing.LeftOutEarlierPeriod
	case errors.Is(err, billing.ErrPeriodNotEnded):
		return billing.LeftOutNotEnded
	case errors.Is(err, billing.ErrContractUnreadable):
		return billing.LeftOutUnreadable
	case errors.Is(err, journal.ErrParked):
		return billing.LeftOutParked
	}
	return "internal"
}
