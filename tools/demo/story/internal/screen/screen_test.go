package screen

import (
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/observer"
)

func TestLinesFitTheTerminal(t *testing.T) {
	var out strings.Builder
	show := &Screen{Out: &out}
	show.Legend()
	show.Line("%s", strings.Repeat("é", 300))
	show.wrapped("    < 422  ", "      ", strings.Repeat("reason ", 60))
	show.Records([]observer.Record{
		{Topic: "billing.events.v1", Offset: 123456, Key: "run/2026-11", Type: "BillingPeriodClosed", Headers: map[string]string{"ce_id": strings.Repeat("x", 40)},
			Value: map[string]any{"invoiceRef": strings.Repeat("y", 200)}},
		{Topic: "billing.log.v1", Type: "PeriodClosed", Envelope: &observer.Envelope{Expects: []observer.Expectation{{Stream: strings.Repeat("z", 200)}}}},
	}, func(observer.Record) bool { return false })
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
		if got := Minor(n); got != want {
			t.Errorf("Minor(%d) = %s, want %s", n, got, want)
		}
	}
}
