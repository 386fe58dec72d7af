package pack_test

import (
	"testing"

	"github.com/deferpay/deferpay/services/journal/pack"
)

func TestBlockOfOneItem(t *testing.T) {
	for _, want := range []string{"", "one item"} {
		var got []string
		err := pack.BlockOf([]byte(want)).Items(pack.Layout{}, func(_ int, item []byte) error {
			got = append(got, string(item))
			return nil
		})
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("a block of %q holds %q, %v", want, got, err)
		}
	}
}
