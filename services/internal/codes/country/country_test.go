package country

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/language"
)

func TestCheck(t *testing.T) {
	for _, code := range []string{"FR", "AD", "ZW", "SS", "AX"} {
		if err := Check(code); err != nil {
			t.Errorf("%s: %v", code, err)
		}
	}
	for _, code := range []string{
		"", "F", "fr", "FRA", "ZZ", "UK", "EU", "XK", "AN", "  ", " F", "F ", "R ", "D A", "AD AE",
	} {
		if Check(code) == nil {
			t.Errorf("%q passes", code)
		}
	}
}

// TestAgainstText compares every pair of letters with golang.org/x/text, whose countries are those
// of CLDR.
func TestAgainstText(t *testing.T) {
	// Countries of CLDR that ISO 3166-1 does not assign: reserved codes, former countries, unions.
	others := strings.Fields("AC AN CP CQ CS DG EA EZ FQ IC NT PC SU TA UN XK YU")
	known := 0
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			region, err := language.ParseRegion(code)
			theirs := err == nil && region.IsCountry() && region.Canonicalize().String() == code
			if other := slices.Contains(others, code); Known(code) != (theirs && !other) || other && !theirs {
				t.Errorf("%s: known %v, a country of CLDR %v", code, Known(code), theirs)
			}
			if Known(code) {
				known++
			}
		}
	}
	if known != 249 {
		t.Errorf("%d codes, ISO 3166-1 has 249", known)
	}
}
