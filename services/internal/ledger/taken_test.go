package ledger

import "testing"

// How far messages were taken in moves forward, and back only in place of a position that is known
// to be wrong.
func TestTakenIn(t *testing.T) {
	b := open(t, options(t), "a", "Added", "Added")
	at := func(offset int64, id, digest string) Taken {
		return Taken{Topic: "facts", Partition: 2, TopicID: id, Offset: offset, Seen: Mark{offset, digest}}
	}
	first, second := at(5, "one", "x"), at(7, "one", "y")
	for _, step := range []struct {
		what  string
		wrong *Taken // nil: TakeIn
		t     Taken
		want  Taken
	}{
		{"first", nil, first, first},
		{"not back", nil, at(4, "one", "z"), first},
		{"on", nil, second, second},
		{"back, but another position is known", &first, at(0, "one", ""), second},
		{"back in place of the wrong one", &second, at(0, "one", ""), at(0, "one", "")},
		{"on again", nil, at(2, "one", "w"), at(2, "one", "w")},
		{"back in a topic that was created again", nil, at(1, "two", ""), at(1, "two", "")},
	} {
		var err error
		if step.wrong == nil {
			err = b.TakeIn(t.Context(), step.t)
		} else {
			err = b.TakeInAgain(t.Context(), *step.wrong, step.t)
		}
		if err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if got, ok := b.TakenIn("facts", 2); !ok || got != step.want {
			t.Errorf("%s: %+v, want %+v", step.what, got, step.want)
		}
	}
}
