package metadata

import (
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
)

func TestCheckInsideHeader(t *testing.T) {
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
		err := Check(declared, message.Metadata{"about": about})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", about, err, want)
		}
	}
}

// A text is UTF-8, whatever else is declared of it.
func TestCheckTextIsUTF8(t *testing.T) {
	for text, want := range map[string]bool{"plain": true, "": true, "caf\u00e9": true, "\xff\xfe": false, "caf\xc3": false} {
		if err := (&Header{Name: "x"}).CheckText(text); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}
