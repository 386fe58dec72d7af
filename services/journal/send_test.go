package journal

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/internal/core"
)

func TestReusedRecordKeepsNothing(t *testing.T) {
	s := &sender{spare: []*kgo.Record{{Key: []byte("CTR-1"), Value: []byte("old"), Offset: 7, Headers: []kgo.RecordHeader{{Key: "h"}}}}}
	s.put("log", &core.Append{Value: []byte("a barrier")})
	r := s.outbox[0]
	if r.Key != nil || string(r.Value) != "a barrier" || r.Offset != 0 || r.Headers != nil || r.Topic != "log" || len(s.spare) != 0 {
		t.Errorf("%+v", r)
	}
}
