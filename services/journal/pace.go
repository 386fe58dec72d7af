package journal

import (
	"context"
	"time"

	"github.com/deferpay/deferpay/services/journal/record"
)

// An instance that is alone reads its own records only to compare them with those that it applied
// when they were acknowledged. One request for each record costs the client and the broker as much
// as the append, so it reads at intervals. Once a record of another instance is read, it reads
// without waiting, until there was none for a while: decisions depend on reading then. Whoever
// waits for a record to be read wakes it and keeps it reading. Publication does not: it delivers
// only what was read, so an instance that is alone publishes up to readEvery late.

const (
	readEvery = 10 * time.Millisecond
	aloneFor  = time.Second
)

// pace is how often an instance reads.
type pace struct{ foreign time.Time } // when the last record of another instance was read

// after returns how long to wait after records were applied.
func (p *pace) after(records []record.Record, now time.Time) time.Duration {
	for i := range records {
		if !records[i].Own {
			p.foreign = now
			return 0
		}
	}
	if now.Sub(p.foreign) < aloneFor {
		return 0
	}
	return readEvery
}

// waker wakes the reader of a log that waits.
type waker chan struct{}

// wake has the log read now.
func (w waker) wake() {
	select {
	case w <- struct{}{}:
	default:
	}
}

// sleep returns after d, or sooner if the reader is woken or ctx ends.
func (w waker) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w:
	case <-ctx.Done():
	}
}
