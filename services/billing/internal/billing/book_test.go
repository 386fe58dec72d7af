package billing

import (
	"fmt"
	"testing"
	"time"
	_ "time/tzdata"
)

var paris = func() *time.Location {
	l, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	return l
}()

// book is a Book of maps, and the log that led to it.
type book struct {
	accounts   map[string]Account
	operations map[string]Operation
	invoices   map[string]Invoice
	runs       map[Period]Run
	customers  map[CustomerKey]Customer
	numberings map[Series]Numbering
	orders     map[OrderKey]string
	log        []entry
}

type entry struct {
	event Event
	at    time.Time
}

func newBook() *book {
	return &book{accounts: map[string]Account{}, operations: map[string]Operation{}, invoices: map[string]Invoice{}, runs: map[Period]Run{},
		customers: map[CustomerKey]Customer{}, numberings: map[Series]Numbering{}, orders: map[OrderKey]string{}}
}

func (b *book) Account(ref string) (Account, bool)     { a, ok := b.accounts[ref]; return a, ok }
func (b *book) PutAccount(a Account)                   { b.accounts[a.Contract.Ref] = a }
func (b *book) Operation(ref string) (Operation, bool) { o, ok := b.operations[ref]; return o, ok }
func (b *book) PutOperation(o Operation)               { b.operations[o.Ref] = o }
func (b *book) Invoice(ref string) (Invoice, bool)     { i, ok := b.invoices[ref]; return i, ok }
func (b *book) PutInvoice(i Invoice)                   { b.invoices[i.Ref] = i }
func (b *book) Numbering(s Series) Numbering           { return b.numberings[s] }
func (b *book) PutNumbering(s Series, n Numbering)     { b.numberings[s] = n }
func (b *book) Order(k OrderKey) string                { return b.orders[k] }
func (b *book) PutOrder(k OrderKey, ref string)        { b.orders[k] = ref }
func (b *book) PutCustomer(c Customer)                 { b.customers[c.CustomerKey] = c }
func (b *book) Customer(k CustomerKey) Customer {
	c := b.customers[k]
	c.CustomerKey = k
	return c
}
func (b *book) Run(p Period) Run { return b.runs[p] }
func (b *book) PutRun(r Run)     { b.runs[r.Period] = r }

func (b *book) apply(e Event, at time.Time) error {
	if err := Apply(b, e, at); err != nil {
		return err
	}
	b.log = append(b.log, entry{e, at})
	return nil
}

type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
}

// do applies a decision that must succeed.
func (b *book) do(t fataler, at time.Time, e Event, err error) Event {
	t.Helper()
	if err != nil {
		t.Fatalf("decide: %v", err)
	}
	if err := b.apply(e, at); err != nil {
		t.Fatalf("apply %+v: %v", e, err)
	}
	return e
}

func (b *book) buy(t fataler, at time.Time, ref string, cents int64) Event {
	t.Helper()
	return b.must(t, at, Purchase{ContractRef: ref, OrderRef: fmt.Sprint("O-", len(b.log)), Amount: eur(cents)})
}

// acme is the customer of the contracts of the tests.
var acme = CustomerKey{CustomerRef: "CE-ACME", SellerRef: "AG"}

func (b *book) closes(p Period, at time.Time) (Event, error) {
	return b.decides(Close{Customer: acme, Period: p}, at)
}

func (b *book) decides(c Command, at time.Time) (Event, error) {
	return Decide(b, c, Moment{Now: at, Paris: paris})
}

// must decides a command that must succeed, and applies it.
func (b *book) must(t fataler, at time.Time, c Command) Event {
	t.Helper()
	e, err := b.decides(c, at)
	return b.do(t, at, e, err)
}

func eur(cents int64) Money { return Money{Amount: cents, Currency: "EUR"} }

func date(s string) time.Time {
	for _, layout := range []string{time.RFC3339, "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	panic("bad date " + s)
}

// contract is active all of 2026, with a ceiling of 5,000 EUR and a valid mandate.
func contract() Contract {
	return Contract{
		Ref: "CTR-7", SubscriptionRef: "SUB-7", CustomerRef: "CE-ACME", SellerRef: "AG", Version: 3, Status: StatusActive, Ceiling: eur(500000),
		Buyer:     Company{LegalName: "CSE Acme", SIREN: "732829320"},
		ValidFrom: date("2026-01-01"), ValidUntil: date("2027-01-01"),
		Mandate: Mandate{RUM: "RUM-1", SignedAt: date("2026-01-05")},
	}
}

func account() Account { return Account{Contract: contract(), Currency: "EUR"} }

// opened is a book with the contract in it.
func opened(t *testing.T) *book {
	b := newBook()
	b.must(t, date("2026-01-06"), Observe{ContractObserved: ContractObserved{Contract: contract()}})
	return b
}
