package effect

import (
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/ledger/ledgertest"
)

// values draws the types of the domain that not every value is good for.
func values() ledgertest.Values {
	v := ledgertest.Values{}
	v.Among(billing.StatusUnknown, billing.StatusPending, billing.StatusActive, billing.StatusSuspended, billing.StatusExpired, billing.StatusTerminated)
	v.Among(billing.ContractNotActive, billing.ContractNotStarted, billing.ContractExpired, billing.MandateNotValid, billing.CeilingExceeded, billing.CurrencyMismatch)
	ledgertest.With(v, func(t *rapid.T) billing.Period {
		return billing.Period{Year: rapid.IntRange(2000, 2999).Draw(t, "year"), Month: time.Month(rapid.IntRange(1, 12).Draw(t, "month"))}
	})
	// a closing without a customer is one of the former version
	ledgertest.With(v, func(t *rapid.T) billing.CustomerKey {
		return billing.CustomerKey{CustomerRef: rapid.StringN(1, 5, 20).Draw(t, "customer"), SellerRef: rapid.String().Draw(t, "seller")}
	})
	// The lines of all parts together have to fit into the record.
	ledgertest.With(v, func(t *rapid.T) billing.ClosedPart {
		return billing.ClosedPart{
			ContractRef: rapid.String().Draw(t, "contract"), Lines: rapid.Int64Range(0, 1<<24).Draw(t, "lines"),
			Total: billing.Money{Amount: rapid.Int64().Draw(t, "total"), Currency: "EUR"}, Hash: billing.Hash{rapid.Byte().Draw(t, "hash")},
		}
	})
	scheme := rapid.SampledFrom([]string{"UNKNOWN", "CORE", "B2B"})
	cause := rapid.SampledFrom([]string{"UNKNOWN", "REQUESTED", "DIRECT_DEBIT_REJECTED"})
	instant := rapid.Custom(func(t *rapid.T) time.Time { return time.UnixMicro(rapid.Int64Range(1, 4e15).Draw(t, "micros")).UTC() })
	ledgertest.With(v, func(t *rapid.T) billing.Mandate {
		if rapid.Bool().Draw(t, "none") {
			return billing.Mandate{}
		}
		m := billing.Mandate{RUM: "RUM-1", ICS: "FR72ZZZ123456", Scheme: scheme.Draw(t, "scheme"), IBANLastFour: "0189", SignedAt: instant.Draw(t, "signed")}
		if rapid.Bool().Draw(t, "revoked") {
			m.RevokedAt = instant.Draw(t, "revoked at")
		}
		return m
	})
	ledgertest.With(v, func(t *rapid.T) billing.Suspension {
		if rapid.Bool().Draw(t, "none") {
			return billing.Suspension{}
		}
		return billing.Suspension{Cause: cause.Draw(t, "cause"), Detail: "why", Since: instant.Draw(t, "since"), InvoiceRef: rapid.SampledFrom([]string{"", "BIL-2026-000001"}).Draw(t, "invoice")}
	})
	return v
}

func TestCodec(t *testing.T) { ledgertest.Codec[billing.Visitor](t, Codec(), values()) }

func TestEveryEventIsDecided(t *testing.T) {
	ledgertest.Decided[billing.Visitor](t, "../billing")
}

func TestEveryMessageIsPublished(t *testing.T) {
	ledgertest.Published(t, reflect.TypeFor[*billingbus.Publisher]())
}

func TestCodecRefuses(t *testing.T) {
	if _, _, err := Codec().Encode(Body{Event: billing.PeriodClosed{Parts: []billing.ClosedPart{{Lines: 1 << 31}}}}); err == nil {
		t.Error("too many lines were written")
	}
	if _, err := Codec().Decode("x", []byte("nonsense")); err == nil {
		t.Error("nonsense was read")
	}
}

// TestSymbolUnknownToLog observes a contract with symbols that the log's types do not have yet.
func TestSymbolUnknownToLog(t *testing.T) {
	c := billing.Contract{
		Ref: "CTR-7", Status: "PAUSED", Mandate: billing.Mandate{RUM: "RUM-1", Scheme: "INSTANT", SignedAt: time.Unix(1, 0)},
		Suspension: billing.Suspension{Cause: "FRAUD", Since: time.Unix(1, 0)}, ValidFrom: time.Unix(1, 0),
	}
	kind, data, err := Codec().Encode(Body{Event: billing.ContractObserved{Contract: c, OccurredAt: time.Unix(1, 0)}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := Codec().Decode(kind, data)
	if err != nil {
		t.Fatal(err)
	}
	got := b.Event.(billing.ContractObserved).Contract
	if got.Status != billing.StatusUnknown || got.Mandate.Scheme != "UNKNOWN" || got.Suspension.Cause != "UNKNOWN" {
		t.Errorf("status %s, scheme %s, cause %s", got.Status, got.Mandate.Scheme, got.Suspension.Cause)
	}
}
