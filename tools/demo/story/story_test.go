package story

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/observer"
)

func TestMatchTakesWhatIsExpectedAndLeavesTheRest(t *testing.T) {
	rec := func(topic, kind string, offset int64) observer.Record {
		return observer.Record{Topic: topic, Type: kind, Offset: offset, Envelope: &observer.Envelope{Applied: true}}
	}
	void := rec("log", "A", 3)
	void.Envelope.Applied = false
	records := []observer.Record{rec("log", "A", 1), rec("events", "B", 1), rec("log", "A", 2), void}
	for name, c := range map[string]struct {
		want                 []one
		taken, left, missing int
	}{
		"all":           {append(on("log", "A", "A"), on("events", "B")...), 4, 0, 0},
		"one too many":  {append(on("log", "A"), on("events", "B")...), 3, 1, 0},
		"one missing":   {append(on("log", "A", "A", "A"), on("events", "B")...), 4, 0, 1},
		"another topic": {on("events", "A"), 1, 3, 1},
		"particular":    {[]one{{"log", "A", func(r observer.Record) bool { return r.Offset == 2 }}}, 2, 2, 0},
		"nothing":       {nil, 1, 3, 0},
	} {
		taken, left, missing := match(records, c.want, observer.Record.Void)
		if len(taken) != c.taken || len(left) != c.left || len(missing) != c.missing {
			t.Errorf("%s: took %d, left %d, missing %d; want %d, %d, %d", name, len(taken), len(left), len(missing), c.taken, c.left, c.missing)
		}
	}
}

func TestNoLineIsLongerThanTheTerminal(t *testing.T) {
	var out strings.Builder
	tell := &teller{out: &out}
	tell.legend()
	tell.line("%s", strings.Repeat("é", 300))
	tell.wrapped("    < 422  ", "      ", strings.Repeat("reason ", 60))
	(&run{t: tell}).show([]observer.Record{
		{Topic: billingEvents, Offset: 123456, Key: "run/2026-11", Type: "BillingPeriodClosed", Headers: map[string]string{"ce_id": strings.Repeat("x", 40)},
			Value: map[string]any{"invoiceRef": strings.Repeat("y", 200)}},
		{Topic: billingLog, Type: "PeriodClosed", Envelope: &observer.Envelope{Expects: []observer.Expectation{{Stream: strings.Repeat("z", 200)}}}},
	})
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > width {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	if !strings.Contains(out.String(), "VOID") {
		t.Error("a void record is not marked")
	}
}

func TestMinor(t *testing.T) {
	for n, want := range map[int64]string{0: "0.00", 5: "0.05", 120000: "1,200.00", 123456789: "1,234,567.89", -99999: "-999.99", 100000: "1,000.00"} {
		if got := minor(n); got != want {
			t.Errorf("minor(%d) = %s, want %s", n, got, want)
		}
	}
}

func TestAfterMonthIsParisTime(t *testing.T) {
	for period, want := range map[string]string{"2026-11": "2026-11-30T23:05:00Z", "2026-12": "2026-12-31T23:05:00Z", "2026-06": "2026-06-30T22:05:00Z"} {
		got, err := afterMonth(period)
		if err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("after %s: %v %v, want %s", period, got.UTC(), err, want)
		}
	}
	if _, err := afterMonth(""); err == nil {
		t.Error("no period, and no error")
	}
}

func TestAnswerReadsNestedMembers(t *testing.T) {
	var a answer
	d := json.NewDecoder(strings.NewReader(`{"outstanding":{"total":{"amount":9007199254740991,"currency":"EUR"}},"status":"ACTIVE"}`))
	d.UseNumber()
	if err := d.Decode(&a.body); err != nil {
		t.Fatal(err)
	}
	if a.amount("outstanding.total") != 9007199254740991 || a.text("status") != "ACTIVE" || a.amount("available") != -1 || a.text("no.such.thing") != "" {
		t.Errorf("%v", a)
	}
}
