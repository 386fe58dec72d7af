package sepa

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// One of each country of the schemes, from the examples of the IBAN registry.
var rightIBAN = []string{
	"AD1200012030200359100100", "AL47212110090000000235698741", "AT611904300234573201", "BE68539007547034", "BG80BNBG96611020345678",
	"CH9300762011623852957", "CY17002001280000001200527600", "CZ6508000000192000145399", "DE89370400440532013000", "DK5000400440116243",
	"EE382200221020145685", "ES9121000418450200051332", "FI2112345600000785", "FR1420041010050500013M02606", "GB29NWBK60161331926819",
	"GI75NWBK000000007099453", "GR1601101250000000012300695", "HR1210010051863000160", "HU42117730161111101800000000", "IE29AIBK93115212345678",
	"IS140159260076545510730339", "IT60X0542811101000000123456", "LI21088100002324013AA", "LT121000011101001000", "LU280019400644750000",
	"LV80BANK0000435195001", "MC5811222000010123456789030", "MD24AG000225100013104168", "ME25505000012345678951", "MK07250120000058984",
	"MT84MALT011000012345MTLCAST001S", "NL91ABNA0417164300", "NO9386011117947", "PL61109010140000071219812874", "PT50000201231234567890154",
	"RO49AAAA1B31007593840000", "RS35260005601001611379", "SE4550000000058398257466", "SI56263300012039086", "SK3112000000198742637541",
	"SM86U0322509800000000270100", "VA59001123000012345678",
}

func TestParseIBAN(t *testing.T) {
	tested := map[string]bool{}
	for _, iban := range rightIBAN {
		tested[iban[:2]] = true
		got, err := ParseIBAN(iban)
		if err != nil || got != iban {
			t.Errorf("%s: %q %v", iban, got, err)
		}
	}
	for code := range structures {
		if !tested[code] {
			t.Errorf("no IBAN of %s is tested", code)
		}
	}
	if got, err := ParseIBAN("FR14 2004 1010 0505 0001 3M02 606"); err != nil || got != "FR1420041010050500013M02606" {
		t.Errorf("the print format: %q %v", got, err)
	}
}

func TestWrongIBAN(t *testing.T) {
	for _, tt := range []struct{ iban, want string }{
		{"", "must be two capital letters"},
		{"FR1", "must be two capital letters"},
		{"fr1420041010050500013M02606", "must be two capital letters"},
		{"FR1420041010050500013m02606", "must be two capital letters"},
		{"FR14\t20041010050500013M02606", "must be two capital letters"},
		{"FR14\u00a020041010050500013M02606", "must be two capital letters"},
		{"FR1420041010050500013M0260", "must have 27 characters in FR, has 26"},
		{"FR1420041010050500013M026066", "must have 27 characters in FR, has 28"},
		{"FR14", "must have 27 characters in FR, has 4"},
		{"FR14200410100505000A3M02606", "wrong check digits"},
		{"FR14A0041010050500013M02606", "the structure of an account number in FR"},
		{"FR1420041010050500013M0260A", "the structure of an account number in FR"},
		{"GB291WBK60161331926819", "the structure of an account number in GB"},
		{"FR1520041010050500013M02606", "wrong check digits"},
		{"FR1420041010050500013M02660", "wrong check digits"},
		{"US64SVBKUS6S3300958879", "must be of a country of the SEPA schemes, which US is not"},
		{"ZZ1420041010050500013M02606", "must begin with a country code"},
		{"XK051212012345678906", "must begin with a country code"},
	} {
		got, err := ParseIBAN(tt.iban)
		if got != "" || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %q %v, want %q", tt.iban, got, err, tt.want)
		}
	}
}

// TestCheckDigitsInRange has accounts whose right check digits are 97, 98 and 02: the digits 00, 01
// and 99 satisfy the sum too, and are refused.
func TestCheckDigitsInRange(t *testing.T) {
	tested := map[string]bool{}
	for n := range 2000 {
		account := fmt.Sprintf("3704004405320%05d", n)
		right := fmt.Sprintf("%02d", 98-mod97(account+"DE00"))
		other := map[string]string{"97": "00", "98": "01", "02": "99"}[right]
		if other == "" {
			continue
		}
		tested[right] = true
		if _, err := ParseIBAN("DE" + right + account); err != nil {
			t.Fatalf("DE%s%s: %v", right, account, err)
		}
		if _, err := ParseIBAN("DE" + other + account); err == nil || mod97(account+"DE"+other) != 1 {
			t.Fatalf("DE%s%s: %v, and the sum is %d", other, account, err, mod97(account+"DE"+other))
		}
	}
	if len(tested) != 3 {
		t.Fatalf("tested %v", tested)
	}
}

func TestLastFour(t *testing.T) {
	for iban, want := range map[string]string{"FR1420041010050500013M02606": "2606", "FR14 2004 1010 0505 0001 3M02 606": "2606", "06": "06", "": ""} {
		if got := LastFour(iban); got != want {
			t.Errorf("LastFour(%q) = %q, want %q", iban, got, want)
		}
	}
}

func TestCheckBIC(t *testing.T) {
	for _, bic := range []string{"BNPAFRPP", "BNPAFRPPXXX", "DEUTDEFF500", "AGRIMQMX", "NCBVXKPR", "1234FR2A"} {
		if err := CheckBIC(bic); err != nil {
			t.Errorf("%s: %v", bic, err)
		}
	}
	for _, bic := range []string{"", "BNPAFRP", "BNPAFRPPX", "BNPAFRPPXXXX", "bnpafrpp", "BNPAZZPP", "BNPA1RPP", "BNPAFRPP XX", "BNPAFRP-", "BNPAUKPP"} {
		if CheckBIC(bic) == nil {
			t.Errorf("%q passes", bic)
		}
	}
}

func TestCheckICS(t *testing.T) {
	for _, ics := range []string{
		"FR72ZZZ123456", "FR72ABC123456", "DE98ZZZ09999999999", "DE51ZZZ12345678901", "ES50ZZZM23456789", "NL79ZZZ999999990000",
		"BE69ZZZ050D000000008", "IT66ZZZA1B2C3D4E5F6G7H8", "AT61ZZZ01234567890",
	} {
		if err := CheckICS(ics); err != nil {
			t.Errorf("%s: %v", ics, err)
		}
	}
	for _, tt := range []struct{ ics, want string }{
		{"", "must be two capital letters"},
		{"FR72ZZZ", "must be two capital letters"},
		{"fr72zzz123456", "must be two capital letters"},
		{"FR72 ZZZ 123456", "must be two capital letters"},
		{"FRAAZZZ123456", "must be two capital letters"},
		{"BE69ZZZ" + strings.Repeat("0", 29), "must be two capital letters"},
		{"US72ZZZ123456", "must begin with a country of the SEPA schemes"},
		{"FR72ZZZ1234567", "must have 13 characters in FR, has 14"},
		{"FR73ZZZ123456", "wrong check digits"},
		{"FR72ZZZ123465", "wrong check digits"},
	} {
		if err := CheckICS(tt.ics); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %q", tt.ics, err, tt.want)
		}
	}
}

func TestCheckRUM(t *testing.T) {
	for _, rum := range []string{"1", "RUM-2026-0007", "a/b c", "+?/-:().,'x", strings.Repeat("x", 35), "A  B"} {
		if err := CheckRUM(rum); err != nil {
			t.Errorf("%q: %v", rum, err)
		}
	}
	for _, rum := range []string{"", strings.Repeat("x", 36), "é", "RUM_1", "RUM\n", "RUM#1", " RUM", "RUM ", "/RUM", "RUM/", "R//M", "R\tM", "*"} {
		if CheckRUM(rum) == nil {
			t.Errorf("%q passes", rum)
		}
	}
}

func TestMandateKey(t *testing.T) {
	one := MandateKey("FR72ZZZ123456", "RUM-2026 a7")
	for _, same := range [][2]string{{"FR72ZZZ123456", "rum-2026 A7"}, {"FR72ZZZ123456", "RUM-2026A7"}, {"FR72ABC123456", "R UM-2026a7"}} {
		if got := MandateKey(same[0], same[1]); got != one {
			t.Errorf("%v: %q, want %q", same, got, one)
		}
	}
	for _, other := range [][2]string{{"FR72ZZZ123456", "RUM-2026 a8"}, {"FR72ZZZ123456", "RUM2026a7"}, {"DE98ZZZ09999999999", "RUM-2026 a7"}} {
		if MandateKey(other[0], other[1]) == one {
			t.Errorf("%v is taken for %q", other, one)
		}
	}
}

func TestReasons(t *testing.T) {
	type fails struct{ rejects, returns, core, b2b bool }
	for code, want := range map[string]fails{
		"AM04": {true, true, true, true}, "MD01": {true, true, true, true}, "MD06": {false, true, true, false}, "AC13": {true, true, false, true},
		"MD02": {true, false, true, true}, "FF01": {true, false, true, true}, "TM01": {true, false, true, true}, "MS02": {true, true, true, true},
	} {
		rejected, rejectErr := RejectReason(code)
		returned, returnErr := ReturnReason(code)
		r := rejected
		if rejectErr != nil {
			r = returned
		}
		if got := (fails{rejectErr == nil, returnErr == nil, r.Core, r.B2B}); got != want || r.Code != code {
			t.Errorf("%s: %+v, want %+v", code, got, want)
		}
	}
	for _, code := range []string{"", "am04", "AM4", "AM04 ", "ZZ99", "NARR"} {
		rejected, err := RejectReason(code)
		returned, returnErr := ReturnReason(code)
		if err == nil || returnErr == nil || rejected != (Reason{}) || returned != (Reason{}) {
			t.Errorf("%q: %+v %v, %+v %v", code, rejected, err, returned, returnErr)
		}
	}
	if r, err := RejectReason("MD06"); err == nil || r != (Reason{}) || !strings.Contains(err.Error(), "is a reason for a return") {
		t.Errorf("rejected for MD06: %+v %v", r, err)
	}
}

func TestReasonsInOrder(t *testing.T) {
	codes := []string{}
	for _, r := range Reasons() {
		codes = append(codes, r.Code)
		if len(r.Code) != 4 || r.Text == "" || !r.Rejects && !r.Returns || !r.Core && !r.B2B {
			t.Errorf("%+v", r)
		}
	}
	if !slices.IsSorted(codes) || len(slices.Compact(codes)) != len(Reasons()) {
		t.Errorf("not in order, or twice: %v", codes)
	}
}

func TestErrorsHideValues(t *testing.T) {
	_, err := ParseIBAN("FR1520041010050500013M02606")
	for what, err := range map[string]error{
		"IBAN": err, "BIC": CheckBIC("BNPAZZPP2004"), "ICS": CheckICS("FR73ZZZ200410"), "RUM": CheckRUM("2004/"),
	} {
		if err == nil || strings.Contains(err.Error(), "2004") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzParseIBAN holds what passes to the standard's own definition of the check digits, computed
// another way.
func FuzzParseIBAN(f *testing.F) {
	for _, iban := range rightIBAN {
		f.Add(iban)
	}
	f.Fuzz(func(t *testing.T, s string) {
		iban, err := ParseIBAN(s)
		if err != nil {
			return
		}
		if again, err := ParseIBAN(iban); err != nil || again != iban {
			t.Fatalf("%q is not stable: %q %v", iban, again, err)
		}
		var digits strings.Builder
		for _, c := range iban[4:] + iban[:2] + "00" {
			fmt.Fprint(&digits, strings.IndexRune("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", c))
		}
		number, _ := new(big.Int).SetString(digits.String(), 10)
		rest := new(big.Int).Mod(number, big.NewInt(97)).Int64()
		if want := fmt.Sprintf("%02d", 98-rest); iban[2:4] != want {
			t.Fatalf("%q passes, check digits are %s", iban, want)
		}
	})
}

// FuzzIdentifiers looks for a text that makes a check panic, or passes and cannot be put into a
// message of the schemes.
func FuzzIdentifiers(f *testing.F) {
	f.Add("FR72ZZZ123456")
	f.Add("BNPAFRPPXXX")
	f.Add("RUM-2026/7")
	f.Fuzz(func(t *testing.T, s string) {
		ics, rum, bic := CheckICS(s) == nil, CheckRUM(s) == nil, CheckBIC(s) == nil
		if (ics || rum || bic) && (len(s) > 35 || !latin(s)) {
			t.Fatalf("%q passes: creditor %v, mandate %v, bank %v", s, ics, rum, bic)
		}
		if ics && MandateKey(s, "x") == MandateKey(s, "y") {
			t.Fatalf("%q: two mandates have one key", s)
		}
	})
}
