package bus

import (
	"maps"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/metadata"
)

// A constant is filled in where it is a header's only value, and not where it stands inside a
// header that somebody left out.
func TestConstantsAreFilledIn(t *testing.T) {
	declared := []metadata.Header{{Name: "kind", Const: "order"}, {Name: "about", Below: []string{"what", "wind"}, Const: "strong"}, {Name: "level", Enum: []string{"low"}}, {Name: "ce_type"}}
	m := message.Metadata{}
	NewSender(nil).fill(t.Context(), declared, m, "shop.Order", "")
	if want := (message.Metadata{"kind": "order", "ce_type": "shop.Order"}); !maps.Equal(m, want) {
		t.Errorf("got %v, want %v", m, want)
	}
}
