package store

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/idempotency"
)

var (
	words   = rapid.StringMatching(`[A-Za-zé0-9 -]{1,20}`)
	maybe   = rapid.StringMatching(`|[A-Za-z0-9]{1,10}`)
	amounts = rapid.Custom(func(t *rapid.T) billing.Money {
		return billing.Money{Amount: rapid.Int64Range(0, 1<<62).Draw(t, "amount"), Currency: rapid.StringMatching(`[A-Z]{3}`).Draw(t, "currency")}
	})
	instants = rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMicro(rapid.Int64Range(1, 4e15).Draw(t, "micros")).UTC()
	})
	periods = rapid.Custom(func(t *rapid.T) billing.Period {
		return billing.Period{Year: rapid.IntRange(2000, 2999).Draw(t, "year"), Month: time.Month(rapid.IntRange(1, 12).Draw(t, "month"))}
	})
)

func drawContract(t *rapid.T) billing.Contract {
	text := func() string { return words.Draw(t, "text") }
	c := billing.Contract{
		Ref: text(), SubscriptionRef: text(), CustomerRef: text(), SellerRef: text(), Version: rapid.Int64Min(1).Draw(t, "version"),
		Status:  rapid.SampledFrom([]billing.Status{billing.StatusUnknown, billing.StatusPending, billing.StatusActive, billing.StatusSuspended, billing.StatusTerminated}).Draw(t, "status"),
		Buyer:   billing.Company{LegalName: text(), SIREN: text(), VATNumber: text(), Address: billing.Address{Line1: text(), Line2: maybe.Draw(t, "line2"), PostalCode: text(), City: text(), Country: text()}},
		Ceiling: amounts.Draw(t, "ceiling"), ValidFrom: instants.Draw(t, "from"),
	}
	if rapid.Bool().Draw(t, "ends") {
		c.ValidUntil = instants.Draw(t, "until")
	}
	if rapid.Bool().Draw(t, "mandate") {
		c.Mandate = billing.Mandate{RUM: text(), ICS: text(), Scheme: rapid.SampledFrom([]string{"UNKNOWN", "CORE", "B2B"}).Draw(t, "scheme"), IBANLastFour: text(), SignedAt: instants.Draw(t, "signed")}
		if rapid.Bool().Draw(t, "revoked") {
			c.Mandate.RevokedAt = instants.Draw(t, "revokedAt")
		}
	}
	if rapid.Bool().Draw(t, "suspended") {
		c.Suspension = billing.Suspension{Cause: "REQUESTED", Detail: text(), Since: instants.Draw(t, "since"), InvoiceRef: maybe.Draw(t, "invoice")}
	}
	return c
}

func drawEvent(t *rapid.T) (e billing.Event, asked bool) {
	text := func() string { return words.Draw(t, "text") }
	count := func() int64 { return rapid.Int64Range(0, 1<<31-1).Draw(t, "count") }
	money, period := amounts.Draw(t, "money"), periods.Draw(t, "period")
	switch rapid.IntRange(0, 10).Draw(t, "kind") {
	case 0:
		return billing.ContractObserved{Contract: drawContract(t), Fact: text(), EventID: text(), OccurredAt: instants.Draw(t, "at")}, false
	case 1:
		return billing.ContractUnreadable{ContractRef: text(), Source: billing.Source{Topic: text(), Partition: 3, Offset: count()}, Error: text()}, false
	case 2:
		return billing.PurchaseAccepted{OperationRef: text(), ContractRef: text(), OrderRef: text(), Label: maybe.Draw(t, "label"), Amount: money, Period: period, ContractVersion: count()}, true
	case 3:
		return billing.PurchaseRefused{OperationRef: text(), ContractRef: text(), OrderRef: text(), Label: maybe.Draw(t, "label"), Amount: money,
			Reasons: []billing.Reason{billing.ContractExpired, billing.CeilingExceeded}, ContractVersion: count()}, true
	case 4:
		return billing.RefundAccepted{OperationRef: text(), ContractRef: text(), PurchaseRef: text(), Reason: maybe.Draw(t, "reason"), Amount: money, Period: period}, true
	case 5:
		return billing.PeriodClosed{ContractRef: text(), Period: period, Lines: count(), Total: money, InvoiceRef: text(), Hash: billing.Hash{1, 2, 31: 9}, Buyer: drawContract(t).Buyer}, false
	case 6:
		return billing.DebitPresented{ContractRef: text(), InvoiceRef: text(), Presentation: count(), RUM: text(), Amount: money}, true
	case 7:
		return billing.DebitCollected{ContractRef: text(), InvoiceRef: text(), Presentation: count(), Amount: money}, true
	case 8:
		return billing.DebitRejected{ContractRef: text(), InvoiceRef: text(), Presentation: count(), Reason: text(), Amount: money}, true
	case 9:
		return billing.RunStarted{Period: period}, rapid.Bool().Draw(t, "asked")
	}
	return billing.RunCompleted{Period: period, Closed: count(), Invoices: count(), LeftOut: []billing.LeftOut{{ContractRef: text(), Code: text(), Detail: text()}}}, false
}

// What is decided on must be what every instance reads back, to the last member: else instances
// would fold differently.
func TestBodiesComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, asked := drawEvent(t)
		b := Body{Event: e}
		if asked {
			b.Request = &idempotency.Request{Client: words.Draw(t, "client"), Key: words.Draw(t, "key"), Operation: "createOperation", Hash: []byte{1, 2, 3}}
		}
		kind, data, err := codec{}.Encode(b)
		if err != nil {
			t.Fatalf("encode %+v: %v", b, err)
		}
		back, err := codec{}.Decode(kind, data)
		if err != nil {
			t.Fatalf("decode %+v: %v", b, err)
		}
		if !reflect.DeepEqual(back, b) {
			t.Fatalf("wrote %+v\nread  %+v", b, back)
		}
		if name := reflect.TypeOf(e).Name(); kind != name {
			t.Fatalf("a %s is written as %s", name, kind)
		}
	})
}

func TestWhatCannotBeWrittenOrRead(t *testing.T) {
	if _, _, err := (codec{}).Encode(Body{Event: billing.PeriodClosed{Lines: 1 << 31}}); err == nil {
		t.Error("too many lines were written")
	}
	if _, err := (codec{}).Decode("x", []byte("nonsense")); err == nil {
		t.Error("nonsense was read")
	}
	later := billinginternal.ExampleDebitReturned()
	data, err := billinginternal.EncodeLogBody(&later)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (codec{}).Decode("DebitReturned", data); err == nil || !strings.Contains(err.Error(), "DebitReturned") {
		t.Errorf("a record of a later version: %v", err) // never skipped: the instance is not ready then
	}
}
