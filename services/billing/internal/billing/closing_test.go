package billing

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

var march = Period{2026, time.March}

// knows makes the book know contracts of the customer acme.
func (b *book) knows(t fataler, refs ...string) {
	t.Helper()
	for n, ref := range refs {
		c := contract()
		c.Ref, c.SubscriptionRef, c.Version = ref, strings.Replace(ref, "CTR", "SUB", 1), 1
		c.Buyer.LegalName = "as told by " + ref
		b.must(t, date("2026-01-06").Add(time.Duration(n)*time.Hour), Observe{ContractObserved: ContractObserved{Contract: c}})
	}
}

func TestOneInvoicePerCustomer(t *testing.T) {
	b := newBook()
	b.knows(t, "CTR-10", "CTR-9", "CTR-8")
	b.buy(t, date("2026-03-14"), "CTR-10", 100)
	b.buy(t, date("2026-03-14"), "CTR-9", 20)
	b.buy(t, date("2026-03-14"), "CTR-10", 3)
	e := b.must(t, date("2026-04-01"), Close{Customer: acme, Period: march}).(PeriodClosed)
	if got := fmt.Sprintf("%v {%d %s} %s %d", e.Contracts, e.Total.Amount, e.Total.Currency, e.Buyer.LegalName, e.Lines()); got != "[CTR-8 CTR-9 CTR-10] {123 EUR} as told by CTR-9 3" {
		t.Errorf("closed %s", got)
	}
	i := b.invoices["BIL-2026-000001"]
	if len(i.Parts) != 2 || i.Parts[0].ContractRef != "CTR-9" || i.Parts[0].Total() != 20 || i.Parts[1].Total() != 103 || i.Total() != 123 || i.Lines() != 3 || i.CustomerRef != "CE-ACME" || i.SellerRef != "AG" {
		t.Errorf("invoice %+v", i)
	}
	if i.Hash() == i.Parts[0].Hash || i.Hash() != HashOf([]Hash{i.Parts[0].Hash, i.Parts[1].Hash}) {
		t.Error("the hash does not cover both parts")
	}
	for ref, want := range map[string]string{"CTR-8": "", "CTR-9": i.Ref, "CTR-10": i.Ref} {
		if a := b.accounts[ref]; a.LastClosed != march || a.InvoiceOf(march) != want || a.InvoiceOf(march.Next()) != "" {
			t.Errorf("%s: closed %s, invoice %q", ref, a.LastClosed, a.InvoiceOf(march))
		}
	}
	// A contract that is heard of afterwards, and an instance whose clock is late: the month stays
	// closed.
	b.knows(t, "CTR-11")
	if e := b.buy(t, date("2026-03-31"), "CTR-11", 5).(PurchaseAccepted); e.Period != march.Next() {
		t.Errorf("a purchase enters %s", e.Period)
	}
}

func TestCustomerWaitsAsAWhole(t *testing.T) {
	at := date("2026-05-01")
	tests := map[string]struct {
		change func(*testing.T, *book)
		want   error
	}{
		"nothing in the way": {func(*testing.T, *book) {}, nil},
		"earlier period of another contract": {func(t *testing.T, b *book) {
			b.buy(t, date("2026-02-01"), "CTR-8", 1)
		}, ErrEarlierPeriodOpen},
		"another contract unreadable": {func(t *testing.T, b *book) {
			b.must(t, at, NoteUnreadable{ContractRef: "CTR-8", Source: Source{Topic: "t"}})
		}, ErrContractUnreadable},
		"closed": {func(t *testing.T, b *book) { b.must(t, at, Close{Customer: acme, Period: march}) }, ErrPeriodClosed},
	}
	for name, tt := range tests {
		b := newBook()
		b.knows(t, "CTR-7", "CTR-8")
		b.buy(t, date("2026-03-14"), "CTR-7", 100)
		tt.change(t, b)
		if _, err := b.closes(march, at); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	if _, err := newBook().closes(march, at); !errors.Is(err, ErrCustomerUnknown) {
		t.Errorf("unknown customer: %v", err)
	}
}

// Contracts observed by records of the former version are not in the customer's list. The caller
// names them.
func TestClosingUnlistedContracts(t *testing.T) {
	b := newBook()
	for _, ref := range []string{"CTR-7", "CTR-8"} {
		c := contract()
		c.Ref = ref
		b.do(t, date("2026-01-06"), ContractObserved{Contract: c}, nil)
		b.buy(t, date("2026-03-14"), ref, 100)
	}
	if len(b.customers) != 0 {
		t.Fatalf("a record of the former version lists %+v", b.customers)
	}
	old := closedOne(march, 1, 100)
	old.Customer, old.Contracts, old.Parts[0].Hash = CustomerKey{}, []string{"CTR-7"}, b.accounts["CTR-7"].Open[0].Hash
	b.do(t, date("2026-04-01"), old, nil)
	if len(b.customers) != 0 || b.accounts["CTR-7"].InvoiceOf(march) != "BIL-2026-000001" {
		t.Fatalf("a closing of the former version: %+v", b.customers)
	}
	e := b.must(t, date("2026-04-01"), Close{Customer: acme, Contracts: []string{"CTR-7", "CTR-8"}, Period: march}).(PeriodClosed)
	if !reflect.DeepEqual(e.Contracts, []string{"CTR-8"}) || len(e.Parts) != 1 {
		t.Errorf("closed %+v", e)
	}
}

func TestAnInvoiceHasOneCurrency(t *testing.T) {
	b := newBook()
	b.knows(t, "CTR-7")
	c := contract()
	c.Ref, c.Ceiling.Currency = "CTR-8", "CHF"
	b.must(t, date("2026-01-06"), Observe{ContractObserved: ContractObserved{Contract: c}})
	b.buy(t, date("2026-03-14"), "CTR-7", 100)
	b.must(t, date("2026-03-14"), Purchase{ContractRef: "CTR-8", OrderRef: "O", Amount: Money{50, "CHF"}})
	for _, want := range []Money{{100, "EUR"}, {50, "CHF"}} {
		if e := b.must(t, date("2026-04-01"), Close{Customer: acme, Period: march}).(PeriodClosed); len(e.Parts) != 1 || e.Total != want {
			t.Errorf("%d parts, %s, want %s", len(e.Parts), e.Total, want)
		}
	}
	if _, err := b.closes(march, date("2026-04-01")); !errors.Is(err, ErrPeriodClosed) {
		t.Errorf("a third invoice: %v", err)
	}
}

func TestAHundredContracts(t *testing.T) {
	b := newBook()
	for n := range 100 {
		ref := fmt.Sprint("CTR-", n+1)
		b.knows(t, ref)
		b.buy(t, date("2026-03-14"), ref, int64(n+1))
	}
	b.must(t, date("2026-04-01"), Close{Customer: acme, Period: march})
	i := b.invoices["BIL-2026-000001"]
	if len(i.Parts) != 100 || i.Total() != 5050 || i.Parts[99].ContractRef != "CTR-100" {
		t.Errorf("%d parts, %d", len(i.Parts), i.Total())
	}
	_, err := b.decides(Present{Collecting{InvoiceRef: i.Ref}}, date("2026-04-02"))
	var e *PartError
	if !errors.As(err, &e) || len(e.Parts) != 100 || !strings.Contains(err.Error(), "and 80 more") {
		t.Errorf("a step without a part: %v", err)
	}
}

func TestPartsAreCollectedApart(t *testing.T) {
	b := newBook()
	b.knows(t, "CTR-7", "CTR-8")
	b.buy(t, date("2026-03-14"), "CTR-7", 100)
	b.buy(t, date("2026-03-14"), "CTR-8", 50)
	at := date("2026-04-02")
	b.must(t, at, Close{Customer: acme, Period: march})
	part := func(ref string) Collecting { return Collecting{InvoiceRef: "BIL-2026-000001", ContractRef: ref} }
	want := func(status InvoiceStatus, open7, open8 int64) {
		t.Helper()
		i := b.invoices["BIL-2026-000001"]
		if i.Status() != status || b.accounts["CTR-7"].NotSettled != open7 || b.accounts["CTR-8"].NotSettled != open8 || i.OpenAmount() != open7+open8 {
			t.Errorf("%s, %d, %d, want %s, %d, %d", i.Status(), b.accounts["CTR-7"].NotSettled, b.accounts["CTR-8"].NotSettled, status, open7, open8)
		}
	}
	want(InvoiceIssued, 100, 50)
	b.must(t, at, Present{part("CTR-8")})
	want(InvoicePresented, 100, 50)
	b.must(t, at, Collect{part("CTR-8")})
	want(InvoiceIssued, 100, 0)
	b.must(t, at, Present{part("CTR-7")})
	b.must(t, at, Reject{part("CTR-7"), "AM04"})
	want(InvoiceRejected, 100, 0)
	b.must(t, at, Return{part("CTR-8"), "MD06"})
	want(InvoiceReturned, 100, 50)
	b.must(t, at, SettleOtherwise{part("CTR-7"), "VIR"})
	b.must(t, at, SettleOtherwise{part("CTR-8"), "VIR"})
	want(InvoiceSettled, 0, 0)
	for _, ref := range []string{"", "CTR-9"} {
		_, err := b.decides(Present{part(ref)}, at)
		var e *PartError
		if !errors.As(err, &e) || fmt.Sprint(e.Parts) != "[CTR-7 CTR-8]" {
			t.Errorf("part %q: %v", ref, err)
		}
	}
}

func TestNothingOpenIsSettled(t *testing.T) {
	at := date("2026-04-02")
	for status, want := range map[InvoiceStatus]InvoiceStatus{
		InvoiceIssued: InvoiceSettled, InvoiceRejected: InvoiceSettled, InvoiceReturned: InvoiceSettled, InvoicePresented: InvoicePresented,
	} {
		p := Part{Status: status, Purchases: 100, CreditNotes: 100, Failure: "AM04"}.settledIfNothingIsOpen(at)
		if p.Status != want || want == InvoiceSettled && (p.Method != MethodNothingDue || p.Failure != "" || p.SettledAt != at) {
			t.Errorf("%s: %+v", status, p)
		}
		if p := (Part{Status: status, Purchases: 100, CreditNotes: 99}).settledIfNothingIsOpen(at); p.Status != status {
			t.Errorf("%s with one cent open is %s", status, p.Status)
		}
	}
}

func TestSumsOfAccounts(t *testing.T) {
	a, b, c := account(), account(), account()
	// above its ceiling: nothing is left, and nothing is taken from others
	a.NotInvoiced, a.NotSettled = 100, 600000
	b.NotInvoiced = 1
	c.Currency, c.Contract.Ceiling.Currency = "CHF", "CHF"
	want := []Sum{{"CHF", 0, 0, 500000, 500000}, {"EUR", 101, 600000, 1000000, 499999}}
	if got := SumsOf([]Account{a, b, c}); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	a.NotInvoiced, b.NotInvoiced = 1<<62, 1<<62
	if got := SumsOf([]Account{a, b}); got[0].NotInvoiced != MaxAmount || got[0].Outstanding() != MaxAmount {
		t.Errorf("sums out of range: %+v", got)
	}
}
