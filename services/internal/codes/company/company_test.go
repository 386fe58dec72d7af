package company

import (
	"slices"
	"strings"
	"testing"
)

func TestCheckSIREN(t *testing.T) {
	for _, siren := range []string{
		"732829320", "404833048", "552100554",
		"356000000", // La Poste
	} {
		if err := CheckSIREN(siren); err != nil {
			t.Errorf("%s: %v", siren, err)
		}
	}
	for _, siren := range []string{
		"", "732829321", "723829320", "73282932", "7328293200", "73282932O", "732 829 320", "-32829320", "٧٣٢٨٢٩٣٢٠",
		"35600000000048", // a SIRET of La Poste
	} {
		if CheckSIREN(siren) == nil {
			t.Errorf("%q passes", siren)
		}
	}
}

// The numbers are those of well-known companies and of the member states' own examples.
var rightVAT = []string{
	"ATU13585627", "BE0403019261", "BE0428759497", "BG175074752", "CY10259033P", "CZ25123891", "DE136695976", "DE129273398",
	"DK13585628", "EE100931558", "EL094259216", "EL023456780", "ES54362315K", "ESX2482300W", "ESB58378431", "ESA28017895",
	"ESJ99216582", "ESU99216632", "FI20774740", "FR40303265045", "FR44732829320", "FR23334175221", "FRK7399859412", "FR83404833048",
	"FR53000004605", "HR33392005961", "HU12892312", "IE6433435F", "IE6433435OA", "IE8D79739I", "IT00743110157", "LT119511515",
	"LU15027442", "LU10000356", "LV40003521600", "MT11679112", "NL004495445B01", "NL002455799B11", "PL8567346215", "PT501964843",
	"RO18547290", "RO11198699", "SE556188840401", "SI50223054", "SK2022749619", "XI980780684", "XIGD001", "XIHA599",
}

func TestCheckVAT(t *testing.T) {
	tested := map[string]bool{}
	for _, vat := range rightVAT {
		tested[vat[:2]] = true
		if err := CheckVAT(vat); err != nil {
			t.Errorf("%s: %v", vat, err)
		}
	}
	for prefix := range countries {
		if !tested[prefix] {
			t.Errorf("no number of %s is tested", prefix)
		}
	}
}

func TestWrongVAT(t *testing.T) {
	for _, tt := range []struct{ vat, want string }{
		{"", "must begin with"},
		{"F", "must begin with"},
		{"XX123456789", "must begin with"},
		{"GR094259216", "must begin with"},
		{"GB980780684", "must begin with"},
		{"fr44732829320", "must begin with"},
		{"FR", "must be FR followed by two characters and nine digits"},
		{"FR4473282932", "must be FR followed by"},
		{"FR447328293200", "must be FR followed by"},
		{"FR 44732829320", "must be FR followed by"},
		{"FRO4732829320", "must be FR followed by"},
		{"FR45732829320", "wrong check digits"},
		{"FR44732829321", "wrong check digits"},
		{"FRK7732829321", "wrong check digits"}, // the SIREN is checked even if the key is not
		{"ESI99216582", "wrong check digits"},   // no organisation has I
		{"NL000000000B97", "wrong check digits"},
		{"SE556188840402", "must be SE followed by"},
	} {
		err := CheckVAT(tt.vat)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.vat, err, tt.want)
		}
	}
}

// TestMistypedDigit changes each digit of right numbers. No change passes where the check digits
// find every mistyped digit.
func TestMistypedDigit(t *testing.T) {
	finds := strings.Fields("AT BE DE DK EE FI HR HU IE IT LU PL SE SI")
	for _, vat := range rightVAT {
		if !slices.Contains(finds, vat[:2]) && vat != "FR44732829320" && vat != "ESB58378431" {
			continue
		}
		for i := 2; i < len(vat); i++ {
			for d := byte('0'); d <= '9'; d++ {
				wrong := vat[:i] + string(d) + vat[i+1:]
				if vat[i] >= '0' && vat[i] <= '9' && wrong != vat && CheckVAT(wrong) == nil {
					t.Errorf("%s passes, mistyped from %s", wrong, vat)
				}
			}
		}
	}
}

func TestErrorsHideValues(t *testing.T) {
	for _, value := range []string{"FR45732829320", "FRsecret", "ZZsecret", "NL000000000B97"} {
		if err := CheckVAT(value); err == nil || strings.Contains(err.Error(), value[2:]) {
			t.Errorf("CheckVAT(%q) = %v", value, err)
		}
	}
	if err := CheckSIREN("732829321"); err == nil || strings.Contains(err.Error(), "7328") {
		t.Errorf("CheckSIREN: %v", err)
	}
}

// FuzzCheckVAT looks for a text that makes a check panic: the checks index and convert what the
// form let through.
func FuzzCheckVAT(f *testing.F) {
	for _, vat := range rightVAT {
		f.Add(vat)
	}
	f.Fuzz(func(t *testing.T, vat string) {
		if CheckVAT(vat) == nil && (len(vat) < 4 || strings.ToUpper(vat) != vat || strings.ContainsAny(vat, " \n")) {
			t.Errorf("%q passes", vat)
		}
	})
}

func FuzzCheckSIREN(f *testing.F) {
	f.Add("732829320")
	f.Fuzz(func(t *testing.T, siren string) {
		if CheckSIREN(siren) == nil && len(siren) != 9 {
			t.Errorf("%q passes", siren)
		}
	})
}
