package codes_test

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/services/internal/codes/company"
	"github.com/deferpay/deferpay/services/internal/codes/country"
	"github.com/deferpay/deferpay/services/internal/codes/currency"
	"github.com/deferpay/deferpay/services/internal/codes/sepa"
	"github.com/deferpay/deferpay/tools/fetched"
)

var withForeign = flag.Bool("foreign", false, "compare with schwifty, python-stdnum and pycountry, which are fetched the first time")

//go:embed requirements.txt
var requirements []byte

type question struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// ask returns the verdicts of the other implementations.
func ask(t *testing.T, questions []question) []bool {
	t.Helper()
	if !*withForeign {
		t.Skip("it fetches Python packages: make foreign-codes")
	}
	folder, err := fetched.Open()
	if err != nil {
		t.Fatal(err)
	}
	python, err := folder.Python(t.Context(), requirements)
	if err != nil {
		t.Fatal(err)
	}
	var in bytes.Buffer
	for _, q := range questions {
		if err := json.NewEncoder(&in).Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), python, "oracle.py")
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var verdicts []bool
	if err := json.Unmarshal(out, &verdicts); err != nil || len(verdicts) != len(questions) {
		t.Fatalf("%d verdicts for %d questions: %v", len(verdicts), len(questions), err)
	}
	return verdicts
}

// compare holds a check of ours to the other's verdicts, and both verdicts must occur. Where lax
// reports true, ours may accept what the other refuses; where strict does, the other way round.
func compare(t *testing.T, kind string, values []string, ours func(string) bool, lax, strict func(string) bool) {
	t.Helper()
	questions := make([]question, len(values))
	for i, v := range values {
		questions[i] = question{kind, v}
	}
	count := map[bool]int{}
	for i, theirs := range ask(t, questions) {
		v := values[i]
		count[theirs]++
		switch mine := ours(v); {
		case mine && !theirs && !lax(v):
			t.Errorf("%s %s passes, and is wrong elsewhere", kind, v)
		case theirs && !mine && !strict(v):
			t.Errorf("%s %s is refused, and is right elsewhere", kind, v)
		}
	}
	t.Logf("%s: compared %d right and %d wrong values", kind, count[true], count[false])
	if count[true] == 0 || count[false] == 0 {
		t.Errorf("%s: nothing was compared", kind)
	}
}

func never(string) bool { return false }

func passes(check func(string) error) func(string) bool {
	return func(s string) bool { return check(s) == nil }
}

// draw returns a text by a pattern: 9 stands for a digit, A for a capital letter, X for either, and
// everything else for itself.
func draw(r *rand.Rand, pattern string) string {
	const digits, letters = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	var b strings.Builder
	for _, c := range []byte(pattern) {
		switch c {
		case '9':
			b.WriteByte(digits[r.IntN(10)])
		case 'A':
			b.WriteByte(letters[r.IntN(26)])
		case 'X':
			b.WriteByte((digits + letters)[r.IntN(36)])
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

func generator() *rand.Rand { return rand.New(rand.NewPCG(4217, 3166)) }

func TestForeignCurrencies(t *testing.T) {
	// they have no decimals
	noCurrency := strings.Fields("XAG XAU XBA XBB XBC XBD XDR XPD XPT XSU XTS XUA XXX")
	compare(t, "currency", allCodes("", 3), passes(currency.Check), never, func(code string) bool { return slices.Contains(noCurrency, code) })
}

func TestForeignCountries(t *testing.T) {
	compare(t, "country", allCodes("", 2), country.Known, never, never)
}

// allCodes returns every code of so many capital letters.
func allCodes(prefix string, letters int) []string {
	if letters == 0 {
		return []string{prefix}
	}
	var all []string
	for c := 'A'; c <= 'Z'; c++ {
		all = append(all, allCodes(prefix+string(c), letters-1)...)
	}
	return all
}

func TestForeignSIREN(t *testing.T) {
	r := generator()
	values := []string{"356000000", "732829320"}
	for range 5000 {
		values = append(values, draw(r, "999999999"))
	}
	compare(t, "siren", values, passes(company.CheckSIREN), never, never)
}

// patterns of VAT numbers. Where a country has several kinds, each kind is drawn.
var patterns = map[string][]string{
	"AT": {"U99999999"}, "BE": {"0999999999", "1999999999"}, "BG": {"999999999", "9999999999"}, "CY": {"99999999A"}, "CZ": {"99999999"},
	"DE": {"999999999"}, "DK": {"99999999"}, "EE": {"999999999"}, "EL": {"999999999"},
	"ES": {"A9999999A", "A99999999", "99999999A", "X9999999A", "Y9999999A", "Z9999999A", "K9999999A", "B99999999", "Q9999999A"},
	"FI": {"99999999"}, "FR": {"99999999999", "00999999999", "99000999999", "XX999999999"}, "HR": {"99999999999"}, "HU": {"99999999"},
	"IE": {"9999999A", "9999999AA", "9A99999A", "9+99999A", "9*99999A"}, "IT": {"9999999001X", "99999990159", "99999991219", "99999999999"},
	"LT": {"999999919", "999999999919"}, "LU": {"99999999"}, "LV": {"40999999999"}, "MT": {"99999999"},
	"NL": {"999999999B01", "999999999B99"}, "PL": {"9999999999"}, "PT": {"999999999"}, "RO": {"99", "99999", "99999999", "999999999", "9999999999"},
	"SE": {"999999999901", "999999999902"}, "SI": {"99999999"}, "SK": {"9999999999"}, "XI": {"999999999", "GD999", "HA999"},
}

func TestForeignVAT(t *testing.T) {
	formOnly := strings.Fields("BG CY CZ LT LV MT SK XI")
	for _, prefix := range slices.Sorted(maps.Keys(patterns)) {
		r := generator()
		var values []string
		for _, pattern := range patterns[prefix] {
			for range 3000 {
				values = append(values, prefix+draw(r, pattern))
			}
		}
		compare(t, "vat", values, passes(company.CheckVAT), func(v string) bool {
			provinces := prefix == "IT" && (v[9:12] == "000" || v[9:12] > "100" || v[2:9] == "0000000")
			letterKey := prefix == "FR" && strings.Trim(v[2:4], "0123456789") != ""
			return provinces || letterKey || slices.Contains(formOnly, prefix)
		}, never)
	}
}

// national parts of IBANs by country, in patterns of draw.
var accounts = map[string]string{
	"AD": "99999999XXXXXXXXXXXX", "AT": "9999999999999999", "BG": "AAAA999999XXXXXXXX", "CH": "99999XXXXXXXXXXXX", "DE": "999999999999999999",
	"DK": "99999999999999", "FR": "9999999999XXXXXXXXXXX99", "GB": "AAAA99999999999999", "GI": "AAAAXXXXXXXXXXXXXXX", "IT": "A9999999999XXXXXXXXXXXX",
	"LV": "AAAAXXXXXXXXXXXXX", "MD": "XXXXXXXXXXXXXXXXXXXX", "MK": "999XXXXXXXXXX99", "MT": "AAAA99999XXXXXXXXXXXXXXXXXX", "NL": "AAAA9999999999",
	"RO": "AAAAXXXXXXXXXXXXXXXX", "RS": "999999999999999999", "SM": "A9999999999XXXXXXXXXXXX", "VA": "999999999999999999", "ES": "99999999999999999999",
}

func TestForeignIBAN(t *testing.T) {
	r := generator()
	var values []string
	for _, code := range slices.Sorted(maps.Keys(accounts)) {
		for range 100 {
			account := draw(r, accounts[code])
			for digits := 2; digits <= 98; digits += 1 + r.IntN(3) {
				if iban := fmt.Sprintf("%s%02d%s", code, digits, account); r.IntN(20) == 0 || parses(iban) {
					values = append(values, iban, mistype(r, iban))
				}
			}
		}
	}
	compare(t, "iban", values, parses, never, func(iban string) bool { return slices.Contains([]string{"00", "01", "99"}, iban[2:4]) })
}

func parses(iban string) bool {
	_, err := sepa.ParseIBAN(iban)
	return err == nil
}

// mistype changes one character after the country.
func mistype(r *rand.Rand, s string) string {
	at := 2 + r.IntN(len(s)-2)
	return s[:at] + draw(r, "X") + s[at+1:]
}

func TestForeignBIC(t *testing.T) {
	r := generator()
	var values []string
	for _, code := range allCodes("", 2) {
		values = append(values, draw(r, "AAAA")+code+draw(r, "XX"), draw(r, "AAAA")+code+draw(r, "XXXXX"), draw(r, "AAAA")+code+draw(r, "XXX"))
	}
	for range 1000 {
		values = append(values, draw(r, "XXXXXXXX"), draw(r, "AAAAFRXX"))
	}
	// assigned by SWIFT, not by ISO 3166
	kosovo := func(bic string) bool { return bic[4:6] == "XK" }
	compare(t, "bic", values, passes(sepa.CheckBIC), kosovo, never)
}

func TestForeignICS(t *testing.T) {
	r := generator()
	var values []string
	for _, pattern := range []string{"FR99ZZZ999999", "FR99XXXXXXXXX", "DE99ZZZ99999999999", "BE99ZZZ9999999999", "NL99ZZZ999999999999"} {
		for range 3000 {
			values = append(values, draw(r, pattern))
		}
	}
	compare(t, "ics", values, passes(sepa.CheckICS), never, func(ics string) bool { return slices.Contains([]string{"00", "01", "99"}, ics[2:4]) })
}
