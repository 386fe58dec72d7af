package bus

import (
	"maps"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// TestFillConstants fills in a constant that is the value of a header, and not one inside a header
// that is missing.
func TestFillConstants(t *testing.T) {
	declared := []metadata.Header{{Name: "kind", Const: "order"}, {Name: "about", Below: []string{"what", "wind"}, Const: "strong"}, {Name: "level", Enum: []string{"low"}}, {Name: "ce_type"}}
	m := message.Metadata{}
	NewSender(nil).fill(t.Context(), declared, m, "shop.Order", "")
	if want := (message.Metadata{"kind": "order", "ce_type": "shop.Order"}); !maps.Equal(m, want) {
		t.Errorf("got %v, want %v", m, want)
	}
}
