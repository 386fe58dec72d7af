package bus

import (
	"maps"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// TestFillKeepsEnum fills headers of CloudEvents whose schemas have an enum: with the only value of
// it, with the value of the message if that is one of several, and not at all otherwise.
func TestFillKeepsEnum(t *testing.T) {
	s := &Sender{source: "/orders"}
	declared := []metadata.Header{
		{Name: "ce_type", Enum: []string{"OrderPlaced.v1"}},
		{Name: "ce_source", Enum: []string{"/other", "/orders"}},
		{Name: "ce_subject", Enum: []string{"a", "b"}},
	}
	m := message.Metadata{}
	s.fill(t.Context(), declared, m, "OrderPlaced", "O-1")
	if want := (message.Metadata{"ce_type": "OrderPlaced.v1", "ce_source": "/orders"}); !maps.Equal(m, want) {
		t.Errorf("got %v, not %v", m, want)
	}
	if err := metadata.Check(declared, m); err != nil {
		t.Error(err)
	}
}
