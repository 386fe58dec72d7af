package billingtest

import (
	"time"
	_ "time/tzdata"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
)

var paris = func() *time.Location {
	l, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		panic(err)
	}
	return l
}()

// book is a billing.Book of maps, and the log that led to it.
type book struct {
	accounts   map[string]billing.Account
	operations map[string]billing.Operation
	invoices   map[string]billing.Invoice
	runs       map[billing.Period]billing.Run
	customers  map[billing.CustomerKey]billing.Customer
	numberings map[billing.Series]billing.Numbering
	orders     map[billing.OrderKey]string
	log        []entry
}

type entry struct {
	event billing.Event
	at    time.Time
}

func newBook() *book {
	return &book{accounts: map[string]billing.Account{}, operations: map[string]billing.Operation{}, invoices: map[string]billing.Invoice{},
		runs: map[billing.Period]billing.Run{}, customers: map[billing.CustomerKey]billing.Customer{},
		numberings: map[billing.Series]billing.Numbering{}, orders: map[billing.OrderKey]string{}}
}

func (b *book) Account(ref string) (billing.Account, bool) { a, ok := b.accounts[ref]; return a, ok }
func (b *book) Operation(ref string) (billing.Operation, bool) {
	o, ok := b.operations[ref]
	return o, ok
}
func (b *book) Invoice(ref string) (billing.Invoice, bool)         { i, ok := b.invoices[ref]; return i, ok }
func (b *book) Numbering(s billing.Series) billing.Numbering       { return b.numberings[s] }
func (b *book) Run(p billing.Period) billing.Run                   { return b.runs[p] }
func (b *book) Order(k billing.OrderKey) string                    { return b.orders[k] }
func (b *book) PutAccount(a billing.Account)                       { b.accounts[a.Contract.Ref] = a }
func (b *book) PutOperation(o billing.Operation)                   { b.operations[o.Ref] = o }
func (b *book) PutInvoice(i billing.Invoice)                       { b.invoices[i.Ref] = i }
func (b *book) PutNumbering(s billing.Series, n billing.Numbering) { b.numberings[s] = n }
func (b *book) PutRun(r billing.Run)                               { b.runs[r.Period] = r }
func (b *book) PutOrder(k billing.OrderKey, ref string)            { b.orders[k] = ref }
func (b *book) PutCustomer(c billing.Customer)                     { b.customers[c.CustomerKey] = c }
func (b *book) Customer(k billing.CustomerKey) billing.Customer {
	c := b.customers[k]
	c.CustomerKey = k
	return c
}

func (b *book) apply(e billing.Event, at time.Time) error {
	if err := billing.Apply(b, e, at); err != nil {
		return err
	}
	b.log = append(b.log, entry{e, at})
	return nil
}

func eur(cents int64) billing.Money { return billing.Money{Amount: cents, Currency: "EUR"} }
