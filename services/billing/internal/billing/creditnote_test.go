package billing

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// invoiced is a book with a purchase of 10 EUR that is on the first invoice.
func invoiced(t *testing.T) (b *book, now time.Time) {
	b = opened(t)
	b.buy(t, date("2026-03-14"), "CTR-7", 1000)
	now = date("2026-04-01")
	b.must(t, now, Close{Customer: acme, Period: Period{2026, time.March}})
	return b, now
}

func refund(cents int64) Refund {
	return Refund{PurchaseRef: "BOP-7-1", Reason: "trip given back", Amount: eur(cents)}
}

func TestCreditNotes(t *testing.T) {
	b, now := invoiced(t)
	for n, cents := range []int64{300, 200} {
		want := CreditNoteRecorded{fmt.Sprintf("BOP-7-%d", n+2), "CTR-7", "BOP-7-1", "BIL-2026-000001", fmt.Sprintf("AVO-2026-%06d", n+1), "trip given back", eur(cents)}
		if got := b.must(t, now, refund(cents)); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	i := b.invoices["BIL-2026-000001"]
	if i.Total() != 1000 || i.Due() != 500 || i.OpenAmount() != 500 || i.CreditDue() != 0 || i.Status() != InvoiceIssued {
		t.Errorf("invoice after two credit notes: %+v", i)
	}
	if got := b.accounts["CTR-7"].Outstanding(); got != eur(500) {
		t.Errorf("outstanding %s", got)
	}
	_, err := b.decides(refund(501), now)
	var exceeds *RefundError
	if !errors.As(err, &exceeds) || exceeds.Left != eur(500) {
		t.Errorf("one cent more than is left: %v", err)
	}
	b.must(t, now, refund(500))
	i = b.invoices["BIL-2026-000001"]
	if p := i.Parts[0]; p.Status != InvoiceSettled || p.Method != MethodNothingDue || b.accounts["CTR-7"].Outstanding() != eur(0) {
		t.Errorf("everything credited: %+v", p)
	}
}

// TestCreditNoteMeetsDebit issues a credit note at each state of the collection.
func TestCreditNoteMeetsDebit(t *testing.T) {
	c := Collecting{InvoiceRef: "BIL-2026-000001", ContractRef: "CTR-7"}
	for name, tt := range map[string]struct {
		before, after   []Command
		status          InvoiceStatus
		open, creditDue int64
	}{
		"issued":               {nil, nil, InvoiceSettled, 0, 0},
		"presented":            {[]Command{Present{c}}, nil, InvoicePresented, 0, 0},
		"presented, collected": {[]Command{Present{c}}, []Command{Collect{c}}, InvoiceSettled, 0, 1000},
		"presented, rejected":  {[]Command{Present{c}}, []Command{Reject{c, "AM04"}}, InvoiceSettled, 0, 0},
		"rejected":             {[]Command{Present{c}, Reject{c, "AM04"}}, nil, InvoiceSettled, 0, 0},
		"collected":            {[]Command{Present{c}, Collect{c}}, nil, InvoiceSettled, 0, 1000},
		"collected, returned":  {[]Command{Present{c}, Collect{c}}, []Command{Return{c, "MD06"}}, InvoiceSettled, 0, 0},
		"settled otherwise":    {[]Command{SettleOtherwise{c, "VIR"}}, nil, InvoiceSettled, 0, 1000},
	} {
		b, now := invoiced(t)
		for _, step := range tt.before {
			b.must(t, now, step)
		}
		b.must(t, now, refund(1000))
		for _, step := range tt.after {
			b.must(t, now, step)
		}
		i := b.invoices["BIL-2026-000001"]
		if i.Status() != tt.status || i.OpenAmount() != tt.open || i.CreditDue() != tt.creditDue || b.accounts["CTR-7"].Outstanding() != eur(tt.open) {
			t.Errorf("%s: status %s, open %d, credit due %d, outstanding %s", name, i.Status(), i.OpenAmount(), i.CreditDue(), b.accounts["CTR-7"].Outstanding())
		}
	}
}

// TestImpossibleCreditNotes applies records that no decision makes.
func TestImpossibleCreditNotes(t *testing.T) {
	good := CreditNoteRecorded{"BOP-7-3", "CTR-7", "BOP-7-1", "BIL-2026-000001", "AVO-2026-000001", "", eur(400)}
	for name, change := range map[string]func(*CreditNoteRecorded){
		"whole":              func(*CreditNoteRecorded) {},
		"number left out":    func(e *CreditNoteRecorded) { e.CreditNoteRef = "AVO-2026-000002" },
		"number of invoices": func(e *CreditNoteRecorded) { e.CreditNoteRef = "BIL-2026-000002" },
		"other invoice":      func(e *CreditNoteRecorded) { e.InvoiceRef = "BIL-2026-000002" },
		"other purchase":     func(e *CreditNoteRecorded) { e.PurchaseRef = "BOP-7-9" },
		"more than is left":  func(e *CreditNoteRecorded) { e.Amount = eur(1001) },
		"nothing":            func(e *CreditNoteRecorded) { e.Amount = eur(0) },
		"operation left out": func(e *CreditNoteRecorded) { e.OperationRef = "BOP-7-4" },
	} {
		b, _ := invoiced(t)
		b.buy(t, date("2026-04-14"), "CTR-7", 5000)
		now := date("2026-05-01")
		b.must(t, now, Close{Customer: acme, Period: Period{2026, time.April}}) // BIL-2026-000002
		e := good
		change(&e)
		if err := b.apply(e, now); (err == nil) != (name == "whole") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
