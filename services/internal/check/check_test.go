package check

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// answers returns the answers of a question one after the other, the last one for ever.
func answers(list ...error) func(context.Context, *kgo.Client) error {
	n := 0
	return func(context.Context, *kgo.Client) error {
		n++
		return list[min(n, len(list))-1]
	}
}

func TestReasonIsLoggedWhenItChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		unasked := errors.New("unasked")
		q := &Question{Unasked: unasked, Good: "good", Bad: "bad", Again: time.Second, Logger: slog.New(slog.NewTextHandler(&out, nil))}
		if !errors.Is(q.Reason(), unasked) {
			t.Errorf("reason %v before the first answer", q.Reason())
		}
		away, denied := errors.New("away"), errors.New("denied")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := q.Run(ctx, answers(away, away, denied, nil, nil, away, nil)); err != nil {
			t.Error(err)
		}
		var said []string
		for line := range strings.Lines(out.String()) {
			_, text, _ := strings.Cut(strings.TrimSpace(line), "msg=")
			said = append(said, text)
		}
		if got, want := strings.Join(said, ", "), `bad error=away, bad error=denied, good, bad error=away, good`; got != want {
			t.Errorf("logged %s, want %s", got, want)
		}
		if q.Reason() != nil {
			t.Errorf("reason %v after a good answer", q.Reason())
		}
	})
}

func TestFatalEndsRun(t *testing.T) {
	wrong := errors.New("wrong")
	q := &Question{Logger: slog.New(slog.DiscardHandler)}
	if err := q.Run(t.Context(), answers(Fatal{wrong})); !errors.Is(err, wrong) {
		t.Errorf("got %v", err)
	}
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var at []time.Duration
		start := time.Now()
		q := &Question{Logger: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := q.Run(ctx, func(context.Context, *kgo.Client) error {
			if at = append(at, time.Since(start)); len(at) == 5 {
				return nil
			}
			return errors.New("away")
		})
		if err != nil {
			t.Error(err)
		}
		want := []time.Duration{0, 250 * time.Millisecond, 750 * time.Millisecond, 1750 * time.Millisecond, 2750 * time.Millisecond}
		if len(at) != len(want) {
			t.Fatalf("asked at %v", at)
		}
		for i := range want {
			if at[i] != want[i] {
				t.Errorf("asked at %v, want %v", at, want)
				break
			}
		}
	})
}
