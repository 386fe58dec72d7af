package effect

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deferpay/deferpay/services/contract/internal/contract"
)

// The schedule lists what a plain map of instants would.
func TestScheduleListsWhatIsDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, plain := newSchedule(), map[contract.Ref]time.Time{}
		instant := rapid.Custom(func(t *rapid.T) time.Time { return time.Unix(rapid.Int64Range(0, 9).Draw(t, "second"), 0) })
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			ref := rapid.SampledFrom([]contract.Ref{"CTR-1", "CTR-2", "CTR-3", "CTR-4", "CTR-5", "CTR-6", "CTR-7"}).Draw(t, "ref")
			if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
				s.remove(ref)
				delete(plain, ref)
			} else {
				at := instant.Draw(t, "at")
				s.set(ref, at)
				plain[ref] = at
			}
			now := instant.Draw(t, "now")
			var want []contract.Ref
			for ref, at := range plain {
				if !now.Before(at) {
					want = append(want, ref)
				}
			}
			got := s.Due(now)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Fatalf("due %v, want %v of %v", got, want, plain)
			}
		}
	})
}
