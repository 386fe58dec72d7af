package slides

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/avro"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/gen/contractbus"
)

const again = "the examples are out of date: go run ./tools/slides/record"

// TestEventsDecode decodes the recorded messages by the present schemas with another Avro codec and
// compares each value with what the slides show. It also checks that the pieces are all the bytes.
func TestEventsDecode(t *testing.T) {
	schemas := map[string]*avro.Schema{}
	for _, s := range append(contractbus.Subjects(), billingbus.Subjects()...) {
		schema, err := avro.Parse(s.Schema)
		if err != nil {
			t.Fatal(err)
		}
		schemas[strings.TrimPrefix(schema.Root().Name, "deferpay.event.")] = schema
	}
	names, err := filepath.Glob(docs + "/examples/*.json")
	if err != nil || len(names) < 10 {
		t.Fatalf("%d events, %v", len(names), err)
	}
	r := &renderer{docs: docs, specs: specs}
	for _, path := range names {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		_, value, pieces, err := r.message(name)
		if err != nil {
			t.Errorf("%s: %v; %s", name, err, again)
			continue
		}
		var data []byte
		for _, p := range pieces {
			data = append(data, p.Bytes...)
		}
		if schemas[name] == nil {
			t.Errorf("%s: no such schema", name)
			continue
		}
		var want any
		rest, err := schemas[name].Decode(data[framing:], &want)
		if err != nil || len(rest) > 0 {
			t.Errorf("%s: %v, %d bytes left; %s", name, err, len(rest), again)
		} else if diff := differ("", value, want); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// differ returns the first place at which two values of a message differ, or "".
func differ(path string, got, want any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s: %v, want %v", path, got, want)
		}
		for name := range w {
			if d := differ(path+"."+name, g[name], w[name]); d != "" {
				return d
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s: %v, want %v", path, got, want)
		}
		for i := range w {
			if d := differ(fmt.Sprintf("%s[%d]", path, i), g[i], w[i]); d != "" {
				return d
			}
		}
		return ""
	case time.Time:
		want = w.UTC().Format(time.RFC3339Nano)
	case []byte:
		want = fmt.Sprintf("%x", w)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Sprintf("%s: %v, want %v", path, got, want)
	}
	return ""
}

// body is a generated type of a request or an answer.
type body interface {
	json.Unmarshaler
	json.Marshaler
}

// TestExchangesFitTheirContracts reads the recorded bodies with the generated types, and writes
// them again: a member that the contract does not have is missing then.
func TestExchangesFitTheirContracts(t *testing.T) {
	problem := func() body { return new(billingapi.Problem) }
	operation := func() body { return new(billingapi.Operation) }
	ask := func() body { return new(billingapi.OperationRequest) }
	contract := func() body { return new(contractapi.Contract) }
	invoice := func() body { return new(billingapi.Invoice) }
	settle := func() body { return new(billingapi.SettlementRequest) }
	types := map[string][2]func() body{
		"subscribe": {func() body { return new(contractapi.NewContract) }, contract},
		"sign":      {func() body { return new(contractapi.SignedMandate) }, contract},
		"suspend":   {func() body { return new(contractapi.ContractChange) }, contract},
		"suspended": {nil, contract},
		"purchase":  {ask, operation}, "again": {ask, operation},
		"refused": {ask, problem}, "inactive": {ask, problem}, "reused": {ask, problem}, "unknown": {ask, problem},
		"read":    {nil, func() body { return new(billingapi.Eligibility) }},
		"run":     {func() body { return new(billingapi.BillingRunRequest) }, func() body { return new(billingapi.BillingRun) }},
		"invoice": {nil, invoice},
		"present": {settle, invoice}, "collect": {settle, invoice}, "reject": {settle, invoice},
	}
	names, err := filepath.Glob(docs + "/examples/*.http")
	if err != nil || len(names) != len(types) {
		t.Fatalf("%d exchanges for %d types, %v", len(names), len(types), err)
	}
	r := &renderer{docs: docs, specs: specs}
	for name, pair := range types {
		request, answer, err := r.exchange(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, half := range []string{request, answer} {
			if pair[i] != nil {
				checkBody(t, name, half, pair[i]())
			}
		}
	}
}

func checkBody(t *testing.T, name, half string, into body) {
	t.Helper()
	_, text, _ := strings.Cut(half, "\n\n")
	if err := into.UnmarshalJSON([]byte(text)); err != nil {
		t.Errorf("%s: %T: %v; %s", name, into, err, again)
		return
	}
	if v, ok := into.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			t.Errorf("%s: %T: %v; %s", name, into, err, again)
		}
	}
	out, err := into.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	got, want := members(t, out), members(t, []byte(text))
	for m := range want {
		if !got[m] {
			t.Errorf("%s: %T has no member %s; %s", name, into, m, again)
		}
	}
}

// members returns the paths of all members of a JSON text.
func members(t *testing.T, text []byte) map[string]bool {
	t.Helper()
	v, err := decodeJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, m := range v {
				found[path+"/"+name] = true
				walk(path+"/"+name, m)
			}
		case []any:
			for _, it := range v {
				walk(path+"[]", it)
			}
		}
	}
	walk("", v)
	return found
}

// The slide of the race shows a void record between two that are applied.
func TestRaceHasVoidRecord(t *testing.T) {
	text, err := os.ReadFile(docs + "/examples/race.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 3 || !strings.HasSuffix(lines[0], " applied") ||
		!strings.HasSuffix(lines[1], " void") || !strings.Contains(lines[2], "PurchaseRefused") {
		t.Errorf("%q", lines)
	}
}

func TestDecodeMessageRefuses(t *testing.T) {
	r := &renderer{docs: docs, specs: specs}
	_, _, pieces, err := r.message("OperationRefused")
	if err != nil {
		t.Fatal(err)
	}
	var data []byte
	for _, p := range pieces {
		data = append(data, p.Bytes...)
	}
	dir := specs + "/avro"
	for end := range data {
		if _, _, err := decodeMessage(dir, "OperationRefused", data[:end]); err == nil {
			t.Errorf("no error for the first %d bytes", end)
		}
	}
	if _, _, err := decodeMessage(dir, "OperationRefused", append(bytes.Clone(data), 0)); err == nil {
		t.Error("no error for a byte too many")
	}
}

// What slides and pictures say in words about the recorded run.
func TestWordsFitTheRun(t *testing.T) {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(docs, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, c := range []struct{ slide, words, example, has string }{
		{"suspended", "version 4", "inactive.http", `"contractVersion": 4`},
		{"suspended", "CONTRACT_NOT_ACTIVE", "inactive.http", `"CONTRACT_NOT_ACTIVE"`},
	} {
		if !strings.Contains(read("examples/"+c.example), c.has) {
			t.Errorf("%s has no %s", c.example, c.has)
		}
		list, _ := decks(t)
		for _, d := range list {
			if s := d.Slides[d.Number(c.slide)-1]; !strings.Contains(s.Body, c.words) {
				t.Errorf("%s: slide %s has no %q", d.Lang, c.slide, c.words)
			}
		}
	}
	for _, lang := range Languages {
		picture := read("pictures/cqrs." + lang + ".svg")
		for line := range strings.Lines(read("examples/race.txt")) {
			if offset := strings.Fields(line)[0]; !strings.Contains(picture, ">"+offset+" ") {
				t.Errorf("cqrs.%s.svg has no record %s of the race", lang, offset)
			}
		}
	}
}
