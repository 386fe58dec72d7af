package journal

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	maxInFlight = 20_000  // records of ours not read back
	maxRecord   = 900_000 // bytes; brokers take 1 MiB by default
	maxSkew     = 5 * time.Second
	probeEvery  = time.Second
	probeLimit  = 3 * time.Second // for the broker to answer
	stuckAfter  = 10 * time.Second
	drainLimit  = 2 * time.Second
	applyAtOnce = 128 // records applied before others get the lock
)

var (
	errStarting = errors.New("starting")
	errStopped  = errors.New("stopped")
)

// errStuck: a record that this program cannot read. It is never skipped.
type errStuck struct{ error }

func (e errStuck) Unwrap() error { return e.error }

// Run verifies the topic, reads the log from its start, appends a barrier, reads
// it, and is then ready; it goes on reading until ctx is done and returns nil
// then, after a short wait for what is in flight. While the broker is away it
// keeps trying, and Ready says why. It returns an error, a *TopicError as a rule,
// when the topic is configured otherwise than a log must be. It runs once.
func (j *Journal[S, B]) Run(ctx context.Context) error {
	defer j.unready(errStopped)
	for {
		err := j.session(ctx)
		j.unready(err)
		var wrong *TopicError
		var stuck errStuck
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &wrong), errors.Is(err, errUnverified):
			return err
		case errors.As(err, &stuck):
			j.cfg.Logger.Error("the log holds a record this program cannot read; not ready until a newer one runs", "topic", j.cfg.Topic, "error", err)
			<-ctx.Done()
			return nil
		}
		j.cfg.Logger.Error("reading the log again from its start", "topic", j.cfg.Topic, "error", err)
		if !sleep(ctx, probeEvery) {
			return nil
		}
	}
}

// session reads the log from its start for as long as that is possible.
func (j *Journal[S, B]) session(ctx context.Context) error {
	client, err := newClient(j.cfg.Topic, j.cfg.ClientOptions)
	if err != nil {
		return &TopicError{j.cfg.Topic, "client options", "are not usable: " + err.Error()}
	}
	defer client.Close()
	if err := j.verify(ctx, client); err != nil {
		return err
	}
	reading, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	defer context.AfterFunc(ctx, func() { j.drain(); stop(ctx.Err()) })()
	go j.probe(reading, client, stop)

	j.mu.Lock()
	j.sender, j.reason = &sender{client: client, ctx: reading}, nil
	j.core.start()
	j.act()
	j.mu.Unlock()
	r := &reader{client: client, topic: j.cfg.Topic}
	for {
		records, err := r.poll(reading)
		if err == nil {
			err = j.take(records)
		}
		if cause := context.Cause(reading); cause != nil {
			return cause
		}
		if err != nil {
			return err
		}
	}
}

// verify asks until the broker answers.
func (j *Journal[S, B]) verify(ctx context.Context, client *kgo.Client) error {
	for {
		asking, cancel := context.WithTimeout(ctx, probeLimit)
		err := verifyTopic(asking, client, j.cfg.Topic, logSettings)
		cancel()
		var wrong *TopicError
		switch {
		case err == nil, ctx.Err() != nil, errors.As(err, &wrong):
			return err
		case errors.Is(err, errUnverified) && j.cfg.AllowUnverified:
			j.cfg.Logger.Warn("the log's configuration was not verified", "topic", j.cfg.Topic, "error", err)
			return nil
		case errors.Is(err, errUnverified):
			return err
		}
		j.say(err)
		if !sleep(ctx, probeEvery/4) {
			return ctx.Err()
		}
	}
}

// take applies records, giving way to others now and then.
func (j *Journal[S, B]) take(records []record) error {
	for len(records) > 0 {
		n := min(len(records), applyAtOnce)
		err := j.applySome(records[:n])
		records = records[n:]
		if err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal[S, B]) applySome(records []record) error {
	now := j.now()
	j.mu.RLock()
	for i := range records {
		if records[i].offset >= j.core.ledger.next {
			j.core.recall(&records[i])
		} else {
			records[i].early = true
		}
	}
	j.mu.RUnlock()
	for i := range records {
		if !records[i].early && !records[i].own {
			records[i].decode()
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var err error
	for i := range records {
		if err = j.applyRead(&records[i], now); err != nil {
			break
		}
	}
	if err == nil {
		j.applyAhead(j.sender)
	}
	j.act()
	return err
}

func (j *Journal[S, B]) applyRead(r *record, now time.Time) error {
	if r.offset < j.core.ledger.next {
		return j.agree(r, now)
	}
	if since, ok := j.appended(r.attempt); ok {
		j.compareClock(r, since, now)
	}
	if err := j.core.read(r); err != nil {
		return errStuck{err}
	}
	return nil
}

// appended is when a record of ours left, unless it is none or was applied or given up.
func (j *Journal[S, B]) appended(a Attempt) (since time.Time, ok bool) {
	if f := j.core.flights[a]; f != nil {
		return f.since, true
	}
	b := &j.core.barriers
	return b.since, a == b.flying && !a.IsZero()
}

// compareClock looks how far the system clock is off the broker's, by a record of
// ours that the broker stamped between since, when it left, and now.
func (j *Journal[S, B]) compareClock(r *record, since, now time.Time) {
	if !r.stamped {
		if !j.unguarded {
			j.unguarded = true
			j.cfg.Logger.Warn("the broker does not stamp records with its own time: the clock guard is off", "topic", j.cfg.Topic)
		}
		return
	}
	switch {
	case r.appended.Before(since.Add(-time.Millisecond)): // the stamp has whole milliseconds
		j.skew = since.Sub(r.appended)
	case r.appended.After(now):
		j.skew = now.Sub(r.appended)
	default:
		j.skew = 0
	}
}

// act carries out what the core asks for. The lock is held, so records reach the
// producer in the order they were decided. The position moves first: who is answered
// finds it at the record of the answer, or behind it.
func (j *Journal[S, B]) act() {
	if at := j.core.ledger.next - 1; at != j.Position() {
		j.moved(at)
	}
	for i := range j.core.appends {
		j.sender.put(j.cfg.Topic, &j.core.appends[i])
	}
	j.send(j.sender)
	clear(j.core.appends)
	j.core.appends = j.core.appends[:0]
	for _, cmd := range j.core.done {
		cmd.signal <- struct{}{}
	}
	clear(j.core.done)
	j.core.done = j.core.done[:0]
	if at := j.core.wakeAt; !at.IsZero() && !at.Equal(j.alarm) {
		j.alarm = at
		j.timer.Reset(max(0, at.Sub(j.now())))
	}
}

// sender is the way of a session's records to the broker. Its client sends the first
// of the records decided together at once and alone, and then the broker's time goes
// into requests rather than records. So when it is busy, what is decided waits until
// what was sent is acknowledged, or until it is a full load, and leaves together.
type sender struct {
	client *kgo.Client
	// the process's: kgo fails all buffered records of the partition with the first whose own is
	// done
	ctx    context.Context
	outbox []*kgo.Record // in order
	sent   int           // records not acknowledged
	acked  []*kgo.Record // records acknowledged and not applied, in order
	spare  []*kgo.Record // to be used again
}

// put takes a record that leaves with the next wave.
func (s *sender) put(topic string, o *outgoing) {
	r := new(kgo.Record)
	if last := len(s.spare) - 1; last >= 0 {
		r, s.spare = s.spare[last], s.spare[:last]
	}
	*r = kgo.Record{Topic: topic, Value: o.value, Key: append(r.Key[:0], o.key...)}
	if o.key == "" {
		r.Key = nil
	}
	s.outbox = append(s.outbox, r)
}

const (
	busy = 4 // records that may be under way before others wait for them
	// records that wait for nothing: the broker has a request to work on while more are decided
	full = 256
)

// done takes out the first record that was acknowledged.
func (s *sender) done() {
	s.spare = append(s.spare, s.acked[0])
	s.acked[0] = nil
	s.acked = s.acked[1:]
}

// send lets the outbox leave, if it may. The lock is held.
func (j *Journal[S, B]) send(s *sender) {
	if s == nil || len(s.outbox) == 0 || s.sent >= busy && len(s.outbox) < full {
		return
	}
	wave := s.outbox
	s.outbox = nil
	s.sent += len(wave)
	var left atomic.Int64
	left.Store(int64(len(wave)))
	promise := func(r *kgo.Record, err error) {
		if err != nil {
			j.failed(r, err)
		}
		if left.Add(-1) == 0 {
			j.acknowledged(s, wave)
		}
	}
	for _, r := range wave {
		s.client.Produce(s.ctx, r, promise)
	}
}

// failed hears from the producer that a record was not acknowledged.
func (j *Journal[S, B]) failed(r *kgo.Record, err error) {
	e, fault := decodeEnvelope(r.Value)
	if fault != nil {
		panic("journal: read back a record that was appended: " + fault.Error())
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if now := j.now(); now.Sub(j.warned) > time.Second { // they come in bursts
		j.warned = now
		j.cfg.Logger.Warn("records were not acknowledged", "topic", j.cfg.Topic, "attempt", e.attempt, "error", err)
	}
	j.core.failed(e.attempt)
	j.act()
}

func (j *Journal[S, B]) rang() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.alarm = time.Time{}
	if j.sender == nil {
		return
	}
	j.core.tick()
	j.act()
}

// probe asks the broker, now and then, where the log ends: it may be away, and the
// log may have become shorter than what was read.
func (j *Journal[S, B]) probe(ctx context.Context, client *kgo.Client, stop context.CancelCauseFunc) {
	for sleep(ctx, probeEvery) {
		read := j.Position() + 1
		asking, cancel := context.WithTimeout(ctx, probeLimit)
		end, err := logEnd(asking, client, j.cfg.Topic)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && lossOf(err):
			stop(lost(err))
			return
		case err != nil:
			j.say(fmt.Errorf("the broker does not answer: %w", err))
			continue
		case end < read:
			stop(fmt.Errorf("%w: it ends at %d, and %d had been read", ErrDataLoss, end, read))
			return
		}
		j.say(j.ailing())
	}
}

// ailing is what is wrong although the broker answers.
func (j *Journal[S, B]) ailing() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	since, ok := j.core.oldest()
	if len(j.ahead) > 0 && (!ok || j.ahead[0].since.Before(since)) {
		since, ok = j.ahead[0].since, true
	}
	if ok && j.now().Sub(since) > stuckAfter {
		return fmt.Errorf("a record appended %s ago has not come back", j.now().Sub(since).Round(time.Second))
	}
	if j.skewed() != nil {
		j.core.await(ticket[S, B]{fn: func(error) {}}) // to look at the clocks again
		j.act()
	}
	return nil
}

// skewed is an error when the system clock is too far off the broker's.
func (j *Journal[S, B]) skewed() error {
	if j.skew.Abs() <= maxSkew {
		return nil
	}
	return fmt.Errorf("the system clock is %s off the broker's", j.skew.Round(time.Millisecond))
}

// say keeps why nothing is served, nil when nothing speaks against it.
func (j *Journal[S, B]) say(reason error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if (reason == nil) != (j.reason == nil) || reason != nil && reason.Error() != j.reason.Error() {
		j.cfg.Logger.Info("readiness", "topic", j.cfg.Topic, "reason", fmt.Sprint(reason))
	}
	j.reason = reason
}

// drain gives what is in flight a moment to come back.
func (j *Journal[S, B]) drain() {
	j.mu.Lock()
	j.stopping = true
	j.mu.Unlock()
	for until := j.now().Add(drainLimit); j.now().Before(until); time.Sleep(5 * time.Millisecond) {
		j.mu.RLock()
		n := len(j.core.flights)
		j.mu.RUnlock()
		if n == 0 {
			return
		}
	}
}

// unready discards the state: nobody is left waiting, and nothing is served until
// the log was read again.
func (j *Journal[S, B]) unready(reason error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if reason == nil {
		reason = errStopped
	}
	j.reason = reason
	if j.sender == nil {
		return
	}
	j.sender.outbox = nil
	j.sender, j.ahead = nil, nil
	j.core.reset(reason)
	j.core.appends = nil
	j.act()
	if j.cfg.Reset != nil {
		j.cfg.Reset()
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
