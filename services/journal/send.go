package journal

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/internal/core"
	"github.com/deferpay/deferpay/services/journal/record"
)

// act carries out what the core asks for. The lock is held, so records reach the producer in the
// order in which they were decided. The position moves first: a caller that is answered finds it at
// the record of the answer, or after it.
func (j *Journal[S, B]) act() {
	if at := j.core.Next() - 1; at != j.Position() {
		j.read.moveTo(at)
	}
	appends, done := j.core.Take()
	for i := range appends {
		j.sender.put(j.cfg.Topic, &appends[i])
	}
	j.send(j.sender)
	for _, cmd := range done {
		cmd.Signal <- struct{}{}
	}
	if at := j.core.WakeAt(); !at.IsZero() && !at.Equal(j.alarm) {
		j.alarm = at
		j.timer.Reset(max(0, at.Sub(j.now())))
	}
}

// tick is called by the timer that act sets.
func (j *Journal[S, B]) tick() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.alarm = time.Time{}
	if j.sender == nil {
		return
	}
	j.core.Tick()
	j.act()
}

// sender sends the records of a session to the broker, in waves. Its client sends the first of the
// records that are decided together at once and alone, and then the broker spends its time on
// requests, not on records. So while several are under way, what is decided waits until they are
// acknowledged, or until it is a full load, and leaves together.
type sender struct {
	client *kgo.Client
	// ctx is the session's and no caller's: kgo judges a batch by the context of its first record,
	// and fails all of the partition's buffered records with it.
	ctx    context.Context
	outbox []*kgo.Record // in order
	sent   int           // records that are not acknowledged
	acked  []*kgo.Record // records that are acknowledged and not applied, in order
	spare  []*kgo.Record // to be used again
}

const (
	busy = 4 // records that may be under way before others wait for them
	// full is how many waiting records leave without waiting for others, so that the broker has a
	// request to work on while more are decided.
	full = 256
)

// put takes a record that leaves with the next wave.
func (s *sender) put(topic string, a *core.Append) {
	r := new(kgo.Record)
	if last := len(s.spare) - 1; last >= 0 {
		r, s.spare = s.spare[last], s.spare[:last]
	}
	*r = kgo.Record{Topic: topic, Value: a.Value, Key: append(r.Key[:0], a.Key...)}
	if a.Key == "" {
		r.Key = nil
	}
	s.outbox = append(s.outbox, r)
}

// done removes the first acknowledged record.
func (s *sender) done() {
	s.spare = append(s.spare, s.acked[0])
	s.acked[0] = nil
	s.acked = s.acked[1:]
}

// send lets the outbox leave, unless it has to wait. The lock is held.
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

// failed is called when a record was not acknowledged.
func (j *Journal[S, B]) failed(r *kgo.Record, err error) {
	e, fault := record.Decode(r.Value)
	if fault != nil {
		panic("journal: decode a record that was appended: " + fault.Error())
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if now := j.now(); now.Sub(j.warned) > time.Second { // they come in bursts
		j.warned = now
		j.cfg.Logger.Warn("records were not acknowledged", "topic", j.cfg.Topic, "attempt", e.Attempt, "error", err)
	}
	j.core.Failed(e.Attempt)
	j.act()
}
