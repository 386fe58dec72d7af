package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/deferpay/deferpay/services/journal/record"
)

// Oldest returns when the oldest of the streams that Config.Passing names was last changed. It
// reports false if there is none.
func (j *Journal[S, B]) Oldest() (time.Time, bool) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	at, ok := j.core.OldestPassing()
	return record.Time(at), ok
}

// Forget appends a record that makes streams as if they had never been, on every instance: those
// that Config.Passing names, and whose last record was decided before a time. It returns nil once
// everything in the log has been read. Forgetting twice is the same as forgetting once. Forget is
// the only way to make the state smaller; no reader forgets by its clock.
//
// A record that was decided before that time and reaches the log afterwards cannot begin a
// forgotten stream again: it is void, and its caller decides again.
func (j *Journal[S, B]) Forget(ctx context.Context, before time.Time) error {
	if j.cfg.Passing == "" {
		return fmt.Errorf("journal: %s has no streams that may be forgotten", j.cfg.Topic)
	}
	return j.await(ctx, func(passed func(error)) {
		j.core.Forget(record.Forgetting{Prefix: j.cfg.Passing, Before: before.UnixMicro()}, passed)
	})
}
