package states_test

import (
	"testing"

	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

type nothing struct{}

func (nothing) Find(record.Stream) *states.Cell[int] { return nil }

// Name is the concatenation, and takes no memory for a stream that the view shows.
func TestName(t *testing.T) {
	v := states.NewDraft([]record.Stream{"a/b", "a/bc", "key/x"}, 0, nothing{}).View()
	for _, parts := range [][2]string{{"a/", "b"}, {"a/", "bc"}, {"a/b", "c"}, {"", "a/b"}, {"a/b", ""}, {"a/", "c"}, {"b/", "b"}, {"a/", "bcd"}, {"", ""}} {
		if got, want := v.Name(parts[0], parts[1]), record.Stream(parts[0]+parts[1]); got != want {
			t.Errorf("the name of %q is %q, want %q", parts, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { v.Name("key/", "x") }); n != 0 {
		t.Errorf("%v allocations for a stream that is shown", n)
	}
}
