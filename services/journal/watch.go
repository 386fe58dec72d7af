package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/record"
)

const (
	watchEvery = time.Second
	stuckAfter = 10 * time.Second // a record in flight
	maxSkew    = 5 * time.Second
)

// watch asks the broker at intervals where the log ends: the broker may be away, and the log may
// have become shorter than what was read of it.
func (j *Journal[S, B]) watch(ctx context.Context, client *kgo.Client, stop context.CancelCauseFunc) {
	for sleep(ctx, watchEvery) {
		read := j.Position() + 1
		asking, cancel := context.WithTimeout(ctx, answerLimit)
		end, err := topic.End(asking, client, j.cfg.Topic)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, ErrDataLoss):
			stop(err)
			return
		case err != nil:
			j.setReason(fmt.Errorf("the broker does not answer: %w", err))
			continue
		case end < read:
			stop(fmt.Errorf("%w: it ends at %d, and %d had been read", ErrDataLoss, end, read))
			return
		}
		j.setReason(j.ailing())
	}
}

// ailing returns what is wrong although the broker answers, nil if nothing is.
func (j *Journal[S, B]) ailing() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	since, ok := j.core.Oldest()
	if len(j.ahead) > 0 && (!ok || j.ahead[0].since.Before(since)) {
		since, ok = j.ahead[0].since, true
	}
	if ok && j.now().Sub(since) > stuckAfter {
		return fmt.Errorf("a record appended %s ago has not come back", j.now().Sub(since).Round(time.Second))
	}
	if j.skewed() != nil {
		j.core.Await(func(error) {}) // its barrier compares the clocks again
		j.act()
	}
	return nil
}

// setReason sets why nothing is served; nil if there is no reason.
func (j *Journal[S, B]) setReason(reason error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if (reason == nil) != (j.reason == nil) || reason != nil && reason.Error() != j.reason.Error() {
		j.cfg.Logger.Info("readiness", "topic", j.cfg.Topic, "reason", fmt.Sprint(reason))
	}
	j.reason = reason
}

// compareClock measures how far the system clock is off the broker's, by a record of ours that left
// at since, was read at now, and was stamped by the broker in between.
func (j *Journal[S, B]) compareClock(r *record.Record, since, now time.Time) {
	if !r.Stamped {
		if !j.unguarded {
			j.unguarded = true
			j.cfg.Logger.Warn("the broker does not stamp records with its own time: the clock guard is off", "topic", j.cfg.Topic)
		}
		return
	}
	switch {
	case r.Appended.Before(since.Add(-time.Millisecond)): // the stamp has whole milliseconds
		j.skew = since.Sub(r.Appended)
	case r.Appended.After(now):
		j.skew = now.Sub(r.Appended)
	default:
		j.skew = 0
	}
}

// skewed returns an error if the system clock is too far off the broker's.
func (j *Journal[S, B]) skewed() error {
	if j.skew.Abs() <= maxSkew {
		return nil
	}
	return fmt.Errorf("the system clock is %s off the broker's", j.skew.Round(time.Millisecond))
}
