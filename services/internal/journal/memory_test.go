package journal

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// mutation: compare the length of a name with the whole piece, and not with what is left of it.
func TestNamesLieInFewPieces(t *testing.T) {
	a := newLedger[int, int](nil, nil, nil).attic
	const names = 5000
	var kept []Stream
	for n := range names {
		kept = append(kept, a.name(Stream(fmt.Sprint("key/shop/order-", n))))
		if a.names.Cap() > 2*namesTogether {
			t.Fatalf("after %d names, a piece has %d bytes", n+1, a.names.Cap())
		}
	}
	for n, s := range kept {
		if want := fmt.Sprint("key/shop/order-", n); string(s) != want {
			t.Fatalf("%s became %s", want, s)
		}
	}
	if long := Stream(make([]byte, 3*namesTogether)); a.name(long) != long {
		t.Error("a name longer than a piece is not kept")
	}
}

// mutation: leave the key of a record that is used again.
func TestARecordUsedAgainKeepsNothing(t *testing.T) {
	s := &sender{spare: []*kgo.Record{{Key: []byte("CTR-1"), Value: []byte("old"), Offset: 7, Headers: []kgo.RecordHeader{{Key: "h"}}}}}
	value := []byte("a barrier")
	s.put("log", &outgoing{value: value})
	r := s.outbox[0]
	if r.Key != nil || string(r.Value) != "a barrier" || r.Offset != 0 || r.Headers != nil || r.Topic != "log" || len(s.spare) != 0 {
		t.Errorf("%+v", r)
	}
}
