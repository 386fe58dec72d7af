//go:build full

package foreign_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/foreign"
	"github.com/deferpay/deferpay/tools/observer"
)

func TestCompareFindsEachDifference(t *testing.T) {
	at := time.Date(2026, 11, 12, 9, 30, 0, 123456000, time.UTC)
	ours := observer.Record{Topic: facts, Offset: 7, Key: "CTR-1", Headers: map[string]string{"ce_id": "a"}, Time: at, Type: "Fact",
		Value: map[string]any{"at": at, "money": map[string]any{"amount": int64(98765432100), "currency": "EUR"}, "none": nil, "list": []any{"A", "B"}, "hash": []byte{0, 255}}}
	raw := map[place][]byte{{facts, 0, 7}: {0, 1}}
	theirs := func() foreignRecord {
		return foreignRecord{Topic: facts, Offset: 7, Key: "CTR-1", Headers: map[string]string{"ce_id": "a"}, Time: at.UnixMilli(), Raw: []byte{0, 1},
			Value: map[string]any{"at": "2026-11-12T09:30:00.123456+00:00", "money": map[string]any{"amount": json.Number("98765432100"), "currency": "EUR"},
				"none": nil, "list": []any{"A", "B"}, "hash": "00ff"}}
	}
	for name, change := range map[string]func(*foreignRecord){
		"":             func(*foreignRecord) {},
		"was not read": func(r *foreignRecord) { r.Topic = events },
		"key":          func(r *foreignRecord) { r.Key = "CTR-2" },
		"headers":      func(r *foreignRecord) { r.Headers["x"] = "y" },
		"time":         func(r *foreignRecord) { r.Time++ },
		"bytes":        func(r *foreignRecord) { r.Raw[1]++ },
		".at":          func(r *foreignRecord) { r.Value["at"] = "2026-11-12T10:30:00.123456+01:00" },
		".money.amount": func(r *foreignRecord) {
			r.Value["money"].(map[string]any)["amount"] = json.Number("98765432101")
		},
		".hash":    func(r *foreignRecord) { r.Value["hash"] = "00fe" },
		".none":    func(r *foreignRecord) { delete(r.Value, "none") },
		".more":    func(r *foreignRecord) { r.Value["more"] = nil },
		".list[1]": func(r *foreignRecord) { r.Value["list"].([]any)[1] = "C" },
		".list:":   func(r *foreignRecord) { r.Value["list"] = []any{"A"} },
	} {
		them := theirs()
		change(&them)
		got := strings.Join(compare([]observer.Record{ours}, []foreignRecord{them}, raw, asText), "\n")
		if (name == "") != (got == "") || !strings.Contains(got, name) {
			t.Errorf("%q: %q", name, got)
		}
	}
	numbers := theirs()
	numbers.Value["at"] = json.Number("1794475800123456")
	if got := compare([]observer.Record{ours}, []foreignRecord{numbers}, raw, asNumber); got != nil {
		t.Error(got)
	}
	if got := compare([]observer.Record{ours}, []foreignRecord{theirs(), theirs()}, raw, asText); len(got) != 1 || !strings.Contains(got[0], "twice") {
		t.Error(got)
	}
	if got := compare(nil, []foreignRecord{theirs()}, raw, asText); len(got) != 1 || !strings.Contains(got[0], "by them only") {
		t.Error(got)
	}
}

func TestKcatRecord(t *testing.T) {
	text := "t 0 5 1700000000000 3 4\na=1,b=2=3\nkey\x00\n\n\x01\nt 0 6 1 0 0\n\n\n"
	r, rest, err := kcatRecord([]byte(text))
	if err != nil || r.Key != "key" || string(r.Raw) != "\x00\n\n\x01" || r.Offset != 5 || r.Time != 1700000000000 || r.Headers["b"] != "2=3" {
		t.Fatalf("%+v %v", r, err)
	}
	if r, rest, err = kcatRecord(rest); err != nil || r.Offset != 6 || len(rest) != 0 {
		t.Fatalf("%+v %q %v", r, rest, err)
	}
	if _, _, err := kcatRecord([]byte("t 0 5 1 3 400\n\nkey")); err == nil {
		t.Error("a truncated record was read")
	}
}

func TestCompleteWantsEveryMessage(t *testing.T) {
	err := complete([]observer.Record{{Type: "ContractActivated"}, {Type: "CreditNoteIssued"}})
	if err == nil || strings.Contains(err.Error(), "ContractActivated") || strings.Contains(err.Error(), "CreditNoteIssued") {
		t.Fatal(err)
	}
	for _, want := range []string{"no MandateRevoked was compared", "no InvoiceIssued was compared", "no OperationCancelled was compared"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestMissingClients(t *testing.T) {
	t.Setenv("DEFERPAY_CACHE", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	c, err := foreign.Open()
	if err != nil {
		t.Fatal(err)
	}
	_, noPython := c.Python()
	_, _, noNode := c.Node()
	_, noKcat := c.Kcat()
	for _, err := range []error{noPython, noNode} {
		if err == nil || !strings.Contains(err.Error(), "make foreign-install") {
			t.Error(err)
		}
	}
	if noKcat == nil || !strings.Contains(noKcat.Error(), "apt-get install kcat") {
		t.Error(noKcat)
	}
	if err := c.Install(t.Context(), false, t.Logf); err == nil {
		t.Error("installed without python3 and npm")
	}
	if left, err := os.ReadDir(os.Getenv("DEFERPAY_CACHE")); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestListsArePinned(t *testing.T) {
	for file, want := range map[string]string{"requirements.txt": "confluent-kafka==2.16.0\n", "package.json": `"kafkajs": "2.2.4"`, ".npmrc": "omit-lockfile-registry-resolved=true"} {
		text, err := os.ReadFile(filepath.Join(".", file))
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s has no %q: %v", file, want, err)
		}
	}
	requirements, err := os.ReadFile("requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(requirements)) {
		if strings.Count(line, "==") != 1 {
			t.Errorf("%q is not one exact version", line)
		}
	}
}
