// Package check asks a broker the same question until the answer is good, and keeps the reason why
// it is not. The packages that check topics and groups import it.
package check

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	askIn    = 5 * time.Second // for the broker to answer
	minPause = 250 * time.Millisecond
	maxPause = time.Second
)

// Question is asked again after each answer that is a reason.
type Question struct {
	Client []kgo.Opt
	// Unasked is the reason before the first answer.
	Unasked error
	// Again is how long after a good answer the question is asked again; 0 is never.
	Again time.Duration
	// Good and Bad are logged when the answer changes.
	Good, Bad string
	Logger    *slog.Logger

	reason atomic.Pointer[error] // nil: not asked yet
}

// Reason returns nil if the last answer was good, else why it was not.
func (q *Question) Reason() error {
	if reason := q.reason.Load(); reason != nil {
		return *reason
	}
	return q.Unasked
}

// Fatal is the reason of an answer that asking again cannot change.
type Fatal struct{ Reason error }

func (f Fatal) Error() string { return f.Reason.Error() }

// Unwrap returns the reason.
func (f Fatal) Unwrap() error { return f.Reason }

// Run asks until ctx ends, and returns nil then. The pause after a reason doubles up to a second.
// Run returns the reason if ask returns it as Fatal.
func (q *Question) Run(ctx context.Context, ask func(context.Context, *kgo.Client) error) error {
	client, err := kgo.NewClient(q.Client...)
	if err != nil {
		return err
	}
	defer client.Close()
	for pause := minPause; ; {
		reason := q.once(ctx, client, ask)
		var fatal Fatal
		if errors.As(reason, &fatal) {
			return fatal.Reason
		}
		q.keep(ctx, reason)
		wait := pause
		if reason == nil {
			wait, pause = q.Again, minPause
		} else {
			pause = min(2*pause, maxPause)
		}
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

func (q *Question) once(ctx context.Context, client *kgo.Client, ask func(context.Context, *kgo.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, askIn)
	defer cancel()
	return ask(ctx, client)
}

// keep keeps the reason, and logs it if it is another one than before.
func (q *Question) keep(ctx context.Context, reason error) {
	before := q.reason.Swap(&reason)
	switch {
	case ctx.Err() != nil:
	case reason == nil && (before == nil || *before != nil):
		q.Logger.InfoContext(ctx, q.Good)
	case reason != nil && (before == nil || *before == nil || (*before).Error() != reason.Error()):
		q.Logger.WarnContext(ctx, q.Bad, "error", reason.Error())
	}
}

// sleep waits, for ever if the time is 0, and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	var over <-chan time.Time
	if d > 0 {
		over = time.After(d)
	}
	select {
	case <-ctx.Done():
		return false
	case <-over:
		return true
	}
}
