package ledger

import (
	"cmp"
	"context"
	"log/slog"
	"time"
)

// A key is remembered for 90 days. Then a record of the log makes it as if it had never been used,
// so that the state does not grow for ever. Each instance proposes that record when it sees a key
// that is a day older; a second one changes nothing.
const (
	keysLast    = 90 * 24 * time.Hour
	forgetAfter = keysLast + 24*time.Hour
	forgetEvery = time.Minute
)

// Run reads the log until ctx ends, and forgets old keys; see Log.
func (l *Ledger[E, S, A]) Run(ctx context.Context) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.forgetAtTimes(ctx)
	}()
	err := l.Log.Run(ctx)
	end()
	<-ended
	return err
}

func (l *Ledger[E, S, A]) forgetAtTimes(ctx context.Context) {
	ticker := time.NewTicker(forgetEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if err := l.forgetKeys(ctx); err != nil && ctx.Err() == nil {
				cmp.Or(l.logger, slog.Default()).Warn("old keys were not forgotten, trying again", "topic", l.Topic(), "error", err.Error())
			}
		}
	}
}

// forgetKeys forgets the keys that are old enough, if this instance has read of one that is more
// than old enough.
func (l *Ledger[E, S, A]) forgetKeys(ctx context.Context) error {
	if l.Ready() != nil {
		return nil
	}
	now := l.clock()
	if oldest, ok := l.journal.Oldest(); !ok || !oldest.Before(now.Add(-forgetAfter)) {
		return nil
	}
	return l.journal.Forget(ctx, now.Add(-keysLast))
}

// clock returns the time of decisions.
func (l *Ledger[E, S, A]) clock() time.Time {
	if l.now == nil {
		return time.Now()
	}
	return l.now()
}
