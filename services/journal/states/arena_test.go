package states

import (
	"fmt"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/services/journal/record"
)

func TestNamesLieInFewPieces(t *testing.T) {
	a := arena[int]{names: new(strings.Builder)}
	const names = 5000
	var kept []record.Stream
	for n := range names {
		kept = append(kept, a.name(record.Stream(fmt.Sprint("key/shop/order-", n))))
		if a.names.Cap() > 2*namesTogether {
			t.Fatalf("after %d names, a piece has %d bytes", n+1, a.names.Cap())
		}
	}
	for n, s := range kept {
		if want := fmt.Sprint("key/shop/order-", n); string(s) != want {
			t.Fatalf("%s became %s", want, s)
		}
	}
	if long := record.Stream(make([]byte, 3*namesTogether)); a.name(long) != long {
		t.Error("a name longer than a piece is not kept")
	}
}
