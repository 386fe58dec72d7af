package ledger

import (
	"errors"
	"testing"
)

// How far messages were taken in moves forward, and back only in place of a position that is known
// to be wrong.
func TestTakenIn(t *testing.T) {
	b := open(t, options(t), "a", "Added", "Added")
	at := func(offset int64, id, digest string) Taken {
		return Taken{Topic: "facts", Partition: 2, TopicID: id, Offset: offset, Seen: Mark{offset, digest}}
	}
	first, second := at(5, "one", "x"), at(7, "one", "y")
	for _, step := range []struct {
		what   string
		again  bool // TakeInAgain
		before Taken
		t      Taken
		want   Taken
		err    error
	}{
		{"first", false, Taken{}, first, first, nil},
		{"not back", false, first, at(4, "one", "z"), first, nil},
		{"as far, by another instance", false, Taken{}, first, first, nil},
		{"on", false, first, second, second, nil},
		{"back, but another position is known", true, first, at(0, "one", ""), second, nil},
		{"back in place of the wrong one", true, second, at(0, "one", ""), at(0, "one", ""), nil},
		{"on from the one that was taken back", false, second, at(8, "one", "z"), at(0, "one", ""), errOvertook},
		{"on again", false, at(0, "one", ""), at(2, "one", "w"), at(2, "one", "w"), nil},
		{"back in a topic that was created again", false, at(2, "one", "w"), at(1, "two", ""), at(1, "two", ""), nil},
	} {
		take := b.TakeIn
		if step.again {
			take = b.TakeInAgain
		}
		if err := take(t.Context(), step.before, step.t); !errors.Is(err, step.err) {
			t.Fatalf("%s: %v", step.what, err)
		}
		if got, ok := b.TakenIn("facts", 2); !ok || got != step.want {
			t.Errorf("%s: %+v, want %+v", step.what, got, step.want)
		}
	}
}
