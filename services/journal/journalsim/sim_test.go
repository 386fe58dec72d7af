package journalsim_test

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/journalsim"
	"github.com/deferpay/deferpay/services/journal/journaltest"
)

type (
	state = journaltest.State
	body  = journaltest.Body
)

func accounts() journalsim.Domain[state, body] {
	return journalsim.Domain[state, body]{Codec: journaltest.Codec{}, Fold: journaltest.Fold,
		Next: func(r *rand.Rand) journalsim.Command[state, body] {
			account, key := fmt.Sprint(r.IntN(2)), fmt.Sprint(r.IntN(300))
			c := journaltest.Buy(account, key, 1+r.Int64N(40))
			if r.IntN(6) == 0 {
				c = journaltest.Open(account, "open"+account, 100)
			}
			return journalsim.Command[state, body]{Streams: c.Streams(), Decide: c.Decide}
		},
		Check: func(state func(journal.Stream) (state, bool), e journaltest.Entry) error {
			if s, _ := state(journaltest.Account(e.Body.Account)); s.Spent > s.Ceiling {
				return fmt.Errorf("spent %d of %d", s.Spent, s.Ceiling)
			}
			return nil
		}}
}

var seeds = flag.Int("seeds", 300, "how many interleavings to simulate")

// The interleavings meet what they are for, and the journal holds in all of them.
func TestInterleavings(t *testing.T) {
	var all journalsim.Stats
	for seed := range uint64(*seeds) {
		s, err := accounts().Run(seed, 400)
		if err != nil {
			t.Fatal(err)
		}
		all.Verdicts += s.Verdicts
		all.Refused += s.Refused
		all.Unknown += s.Unknown
		all.Void += s.Void
		all.Faults += s.Faults
		all.Snapshots += s.Snapshots
		all.FromSnapshots += s.FromSnapshots
	}
	if all.Verdicts < 1000 || all.Refused < 100 || all.Unknown < 100 || all.Void < 100 || all.Faults < 1000 || all.Snapshots < 100 || all.FromSnapshots < 100 {
		t.Errorf("the interleavings met too little: %+v", all)
	}
}

// A seed is one interleaving.
func TestSeedRepeats(t *testing.T) {
	first, _ := accounts().Run(7, 400)
	if again, _ := accounts().Run(7, 400); again != first {
		t.Errorf("%+v, then %+v", first, again)
	}
}

// The mistakes that a domain makes are found.
func TestMistakesAreFound(t *testing.T) {
	for want, change := range map[string]func(*journalsim.Domain[state, body]){
		// a rule that does not look at the ceiling
		"spent": func(d *journalsim.Domain[state, body]) {
			next := d.Next
			d.Next = func(r *rand.Rand) journalsim.Command[state, body] {
				c := next(r)
				decide := c.Decide
				c.Decide = func(v *journal.View[state]) (body, error) {
					b, err := decide(v)
					if b.Kind == "refused" {
						b.Kind = "bought"
					}
					return b, err
				}
				return c
			}
		},
		// a fold that is not a function of the log
		"different states": func(d *journalsim.Domain[state, body]) {
			n := int64(0)
			d.Check = nil
			d.Fold = func(v *journal.View[state], e journaltest.Entry) error {
				n++
				v.Set(e.Streams[0], state{Entries: n, Ceiling: 100})
				return nil
			}
		},
		// a fold that depends on where it runs
		"is impossible": func(d *journalsim.Domain[state, body]) {
			n := 0
			d.Check = nil
			d.Fold = func(v *journal.View[state], e journaltest.Entry) error {
				if n++; n%5 == 0 {
					return errors.New("now and then")
				}
				return journaltest.Fold(v, e)
			}
		},
	} {
		var found error
		for seed := uint64(0); seed < 50 && found == nil; seed++ {
			d := accounts()
			change(&d)
			_, found = d.Run(seed, 400)
		}
		if found == nil || !strings.Contains(found.Error(), want) {
			t.Errorf("found %v, want %q", found, want)
		}
	}
}
