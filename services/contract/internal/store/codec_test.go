package store

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/idempotency"
)

var (
	at       = time.Date(2026, 10, 1, 8, 0, 0, 123456000, time.UTC)
	money    = contract.Money{Amount: 500000, Currency: "EUR"}
	company1 = contract.Company{
		LegalName: "Comité social ACME", SIREN: "732829320", VATNumber: "FR44732829320",
		BillingAddress: contract.Address{Line1: "12 rue de la Paix", Line2: "Bât. B", PostalCode: "75002", City: "Paris", Country: "FR"},
	}
	asker = &idempotency.Request{Client: "agency", Key: "k-1", Operation: "op", Hash: []byte("0123456789abcdef0123456789abcdef")}
)

// bodies has one body of every event, and of each shape an event can have.
func bodies() []Body {
	return []Body{
		{contract.Subscribed{Ref: "CTR-1", CustomerRef: "CE", SellerRef: "AG", Buyer: company1, Ceiling: money, ValidFrom: at, ValidUntil: at.Add(time.Hour)}, asker},
		{contract.Subscribed{Ref: "CTR-1", CustomerRef: "CE", SellerRef: "AG", Buyer: contract.Company{}, Ceiling: money, ValidFrom: at}, asker},
		{contract.Activated{Ref: "CTR-1"}, nil},
		{contract.Amended{Ref: "CTR-1", Ceiling: &money, Buyer: &company1, ValidUntil: &at, Reason: "r"}, asker},
		{contract.Amended{Ref: "CTR-1", OpenEnded: true}, asker},
		{contract.Suspended{Ref: "CTR-1", Cause: contract.Requested, Reason: "dispute"}, asker},
		{contract.Suspended{Ref: "CTR-1", Cause: contract.DirectDebitRejected, Reason: "AM04", Debit: &contract.Debit{EventID: "e-0", InvoiceRef: "BIL-2026-000001", Presentation: 2, Reason: "AM04"}}, nil},
		{contract.Suspended{Ref: "CTR-1", Cause: contract.DirectDebitReturned, Reason: "MD06", Debit: &contract.Debit{EventID: "e-1"}}, nil},
		{contract.Reinstated{Ref: "CTR-1", Reason: "paid"}, asker},
		{contract.Terminated{Ref: "CTR-1", Reason: "left"}, asker},
		{contract.MandateAccepted{Ref: "CTR-1", Mandate: contract.Mandate{RUM: "R", ICS: "I", Scheme: contract.Core, IBANLastFour: "0189", SignedAt: at}}, asker},
		{contract.MandateWithdrawn{Ref: "CTR-1", Reason: "by letter"}, asker},
	}
}

func TestEveryBodySurvivesItsBytes(t *testing.T) {
	seen := map[string]bool{}
	for _, b := range bodies() {
		kind, data, err := codec{}.Encode(b)
		if err != nil {
			t.Fatalf("%T: %v", b.Event, err)
		}
		if want := strings.TrimPrefix(reflect.TypeOf(b.Event).String(), "contract."); kind != want {
			t.Errorf("kind %q, want %q", kind, want)
		}
		seen[kind] = true
		back, err := codec{}.Decode(kind, data)
		if err != nil || !reflect.DeepEqual(back, b) {
			t.Errorf("%s: got %+v, %v\nwant %+v", kind, back, err, b)
		}
	}
	if len(seen) != 8 {
		t.Errorf("%d kinds tested, there are 8", len(seen))
	}
}

func TestWhatTheCodecRefuses(t *testing.T) {
	for _, b := range bodies() {
		if b.Request == nil {
			continue
		}
		_, isSuspended := b.Event.(contract.Suspended)
		b.Request = nil
		if _, _, err := (codec{}).Encode(b); (err == nil) != isSuspended {
			t.Errorf("%T without a request: %v", b.Event, err)
		}
	}
	_, data, err := codec{}.Encode(Body{Event: contract.Activated{Ref: "CTR-1"}})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		kind string
		data []byte
	}{
		"another kind":   {"Suspended", data},
		"cut short":      {"Activated", data[:len(data)-1]},
		"trailing bytes": {"Activated", append(data[:len(data):len(data)], 0)},
		"no schema":      {"Activated", []byte{0xc3, 1, 1, 2, 3, 4, 5, 6, 7, 8}},
		"nothing":        {"Activated", nil},
	} {
		if b, err := (codec{}).Decode(c.kind, c.data); err == nil {
			t.Errorf("%s was read as %+v", name, b)
		}
	}
}
