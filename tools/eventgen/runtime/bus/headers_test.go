package bus

import (
	"maps"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
)

// A constant is filled in where it is a header's only value, and not where it stands inside a
// header that somebody left out.
func TestConstantsAreFilledIn(t *testing.T) {
	declared := []Header{{Name: "kind", Const: "order"}, {Name: "about", Below: []string{"what", "wind"}, Const: "strong"}, {Name: "level", Enum: []string{"low"}}, {Name: "ce_type"}}
	m := message.Metadata{}
	NewSender(nil).fill(t.Context(), declared, m, "shop.Order", "")
	if want := (message.Metadata{"kind": "order", "ce_type": "shop.Order"}); !maps.Equal(m, want) {
		t.Errorf("got %v, want %v", m, want)
	}
}

// What is said of a place inside a header holds for what stands there.
func TestHeadersAreCheckedInside(t *testing.T) {
	declared := []Header{{Name: "about", Below: []string{"what", "wind"}, Required: true, Const: "strong"}, {Name: "about", Below: []string{"n"}, Enum: []string{"1", "true"}}}
	for about, want := range map[string]string{
		`{"what":{"wind":"strong"}}`:          "",
		`{"what":{"wind":"strong"},"n":1}`:    "",
		`{"what":{"wind":"strong"},"n":true}`: "",
		`{"what":{"wind":"strong"},"n":2}`:    `header about/n is "2", not one of`,
		`{"what":{"wind":"weak"}}`:            `header about/what/wind is "weak", not "strong"`,
		`{"what":{}}`:                         "header about/what/wind is missing",
		`{"what":"wind"}`:                     "header about/what/wind is missing",
		`no JSON`:                             "header about/what/wind is missing",
	} {
		err := checkHeaders(declared, message.Metadata{"about": about})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", about, err, want)
		}
	}
}
