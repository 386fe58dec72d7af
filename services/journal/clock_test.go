package journal

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/journal/record"
)

type nothing struct{}

func (nothing) Encode(int) (string, []byte, error) { return "n", nil, nil }
func (nothing) Decode(string, []byte) (int, error) { return 0, nil }

// An instance whose clock is more than five seconds off the broker's is not ready. Only stamps of
// the broker count.
func TestClockGuard(t *testing.T) {
	begun := time.Unix(1_700_000_000, 0)
	for _, test := range []struct {
		stamp   time.Time
		stamped bool
		want    time.Duration
	}{
		// between append and reading
		{begun.Add(20 * time.Millisecond), true, 0},
		// whole milliseconds
		{begun.Add(-400 * time.Microsecond), true, 0},
		{begun.Add(-6 * time.Second), true, 6 * time.Second},                     // we are ahead
		{begun.Add(50*time.Millisecond + 6*time.Second), true, -6 * time.Second}, // we are behind
		// the writer's own time
		{begun.Add(time.Hour), false, 0},
	} {
		j, err := New(Config[int, int]{Topic: "t", Writer: "w", Logger: slog.New(slog.DiscardHandler), Codec: nothing{}, Fold: func(*View[int], Entry[int]) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		j.becomeReady(t)
		r := &record.Record{Appended: test.stamp, Stamped: test.stamped}
		j.compareClock(r, begun, begun.Add(50*time.Millisecond))
		if j.skew != test.want {
			t.Errorf("stamp %s: skew %s, want %s", test.stamp.Sub(begun), j.skew, test.want)
		}
		off := test.want != 0
		if err := j.Ready(); off != errors.Is(err, ErrNotReady) || off && !strings.Contains(err.Error(), "off the broker's") {
			t.Errorf("skew %s: Ready returned %v", j.skew, err)
		}
		if j.unguarded == test.stamped {
			t.Errorf("stamped %v, and the guard is off: %v", test.stamped, j.unguarded)
		}
	}
}
