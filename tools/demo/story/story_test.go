package story

import (
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/observer"
)

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

func TestForeignRecords(t *testing.T) {
	r := &run{customer: "CE-ACME", owned: []string{"CTR-1", "CTR-2"}}
	part := func(contract string) []any { return []any{map[string]any{"contractRef": contract}} }
	for name, c := range map[string]struct {
		rec  observer.Record
		want bool
	}{
		"fact":               {observer.Record{Topic: contractFacts, Key: "CTR-2"}, false},
		"fact of others":     {observer.Record{Topic: contractFacts, Key: "CTR-3"}, true},
		"event":              {observer.Record{Topic: billingEvents, Key: "CE-ACME"}, false},
		"event of others":    {observer.Record{Topic: billingEvents, Key: "CE-LIVE"}, true},
		"record":             {observer.Record{Topic: billingLog, Value: map[string]any{"customerRef": "CE-ACME", "parts": part("CTR-1")}}, false},
		"empty reference":    {observer.Record{Topic: billingLog, Value: map[string]any{"customerRef": "", "contractRef": "CTR-1"}}, false},
		"customer of others": {observer.Record{Topic: billingLog, Value: map[string]any{"customerRef": "CE-LIVE", "parts": part("CTR-1")}}, true},
		"part of others":     {observer.Record{Topic: billingLog, Value: map[string]any{"parts": part("CTR-3")}}, true},
		"names nobody":       {observer.Record{Topic: billingLog, Value: map[string]any{"period": "2026-11"}}, false},
	} {
		if got := r.foreign(c.rec); got != c.want {
			t.Errorf("%s: foreign %t", name, got)
		}
	}
}
