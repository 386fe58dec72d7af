package billing

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// RunVisitor has a method for every event of billing runs.
type RunVisitor interface {
	RunStarted(RunStarted) error
	RunCompleted(RunCompleted) error
}

// Run is the billing run of a period.
type Run struct {
	Period      Period
	Starts      int64 // how often it was started
	Running     bool
	StartedAt   time.Time
	CompletedAt time.Time // of the last completed one
	LeftOut     []LeftOut // by the last completed one
}

// LeftOut is a customer that a run could not bill.
type LeftOut struct {
	// the zero value in a record of the former version of the log, which named the contract alone
	Customer    CustomerKey
	ContractRef string
	Code        string
	Detail      string
}

// Codes of reasons that the states show: when the states change they are judged again.
const (
	LeftOutEarlierPeriod = "earlier-period-open"
	LeftOutNotEnded      = "period-not-ended"
	LeftOutUnreadable    = "contract-unreadable"
	LeftOutParked        = "stream-parked"
)

// Shown reports whether the states show the reason.
func (l LeftOut) Shown() bool {
	return slices.Contains([]string{LeftOutEarlierPeriod, LeftOutNotEnded, LeftOutUnreadable, LeftOutParked}, l.Code)
}

// Errors of runs. They record nothing.
var (
	ErrRunning    = errors.New("the run is going on")
	ErrRunStarted = errors.New("the run was started by another in the meantime")
)

// StartRun asks for a billing run of a period, unless one was started since the caller saw Starts
// of them.
type StartRun struct {
	Period Period
	Starts int64
}

// About implements Command.
func (r StartRun) About() Subject { return Subject{Run: r.Period} }

func (r StartRun) decide(s States, at Moment) (Event, error) {
	return DecideRun(s.Run(r.Period), r.Starts, r.Period, at.Now, at.Paris)
}

// DecideRun starts a run when none is going on, and none has been started since the caller saw that
// there is something to bill: then it is billed. A run that was left unfinished is taken up by
// going over the customers again.
func DecideRun(r Run, starts int64, p Period, now time.Time, paris *time.Location) (Event, error) {
	if end := p.End(paris); now.Before(end) {
		return nil, fmt.Errorf("%w: %s ends at %s", ErrPeriodNotEnded, p, end.Format(time.RFC3339))
	}
	if r.Running {
		return nil, fmt.Errorf("%w: %s", ErrRunning, p)
	}
	if r.Starts != starts {
		return nil, fmt.Errorf("%w: %s", ErrRunStarted, p)
	}
	return RunStarted{Period: p}, nil
}

// RunStarted: a billing run was asked for.
type RunStarted struct{ Period Period }

// About implements Event.
func (e RunStarted) About() Subject { return Subject{Run: e.Period} }

// Visit implements Event.
func (e RunStarted) Visit(v Visitor) error { return v.RunStarted(e) }

func (e RunStarted) apply(b Book, at time.Time) error {
	r := b.Run(e.Period)
	if r.Running {
		return impossible("the run of %s is going on", e.Period)
	}
	r.Starts++
	r.Period, r.Running, r.StartedAt = e.Period, true, at
	b.PutRun(r)
	return nil
}

// CompleteRun says that a run went over every customer.
type CompleteRun RunCompleted

// About implements Command.
func (c CompleteRun) About() Subject { return RunCompleted(c).About() }

func (c CompleteRun) decide(s States, _ Moment) (Event, error) {
	return DecideRunCompleted(s.Run(c.Period), RunCompleted(c))
}

// DecideRunCompleted ends a run that is going on.
func DecideRunCompleted(r Run, done RunCompleted) (Event, error) {
	if !r.Running {
		return nil, fmt.Errorf("the run of %s is not going on", done.Period)
	}
	return done, nil
}

// RunCompleted: a billing run went over every customer.
type RunCompleted struct {
	Period   Period
	Closed   int64 // customers whose period this run closed
	Invoices int64 // invoices issued by this run
	LeftOut  []LeftOut
}

// About implements Event.
func (e RunCompleted) About() Subject { return Subject{Run: e.Period} }

// Visit implements Event.
func (e RunCompleted) Visit(v Visitor) error { return v.RunCompleted(e) }

func (e RunCompleted) apply(b Book, at time.Time) error {
	r := b.Run(e.Period)
	if !r.Running {
		return impossible("the run of %s is not going on", e.Period)
	}
	r.Running, r.CompletedAt, r.LeftOut = false, at, e.LeftOut
	b.PutRun(r)
	return nil
}
