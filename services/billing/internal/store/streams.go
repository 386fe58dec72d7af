package store

import (
	"net/url"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/journal"
)

// The families of streams; see the package's comment.
const (
	accounts   ledger.Family[billing.Account]   = "contract/"
	operations ledger.Family[billing.Operation] = "operation/"
	invoices   ledger.Family[billing.Invoice]   = "invoice/"
	customers  ledger.Family[billing.Customer]  = "customer/"
	numberings ledger.Family[billing.Numbering] = "numbering/"
	runs       ledger.Family[billing.Run]       = "run/"
	orders     ledger.Family[string]            = "order/"
)

// customer names the stream of a customer. References may hold any character.
func customer(c billing.CustomerKey) string {
	return url.PathEscape(c.CustomerRef) + "/" + url.PathEscape(c.SellerRef)
}

// order names the stream of an order.
func order(k billing.OrderKey) string { return k.ContractRef + "/" + url.PathEscape(k.OrderRef) }

// streams lists the streams of what an event or a command is about. The first is the contract's if
// there is one.
func streams(about billing.Subject) []journal.Stream {
	on := make([]journal.Stream, 0, 4)
	if about.Contract != "" {
		on = append(on, accounts.Stream(about.Contract))
	}
	for _, ref := range about.Contracts {
		if ref != about.Contract {
			on = append(on, accounts.Stream(ref))
		}
	}
	if about.Customer != (billing.CustomerKey{}) {
		on = append(on, customers.Stream(customer(about.Customer)))
	}
	if about.Operation != "" {
		on = append(on, operations.Stream(about.Operation))
	}
	if about.Purchase != "" {
		on = append(on, operations.Stream(about.Purchase))
	}
	if about.Order != (billing.OrderKey{}) {
		on = append(on, orders.Stream(order(about.Order)))
	}
	if about.Invoice != "" {
		on = append(on, invoices.Stream(about.Invoice))
	}
	if about.Series != "" {
		on = append(on, numberings.Stream(string(about.Series)))
	}
	if about.Run != (billing.Period{}) {
		on = append(on, runs.Stream(about.Run.String()))
	}
	return on
}

// key is the Kafka key of an event's record: the contract, or the stream of a run.
func key(e billing.Event) string {
	about := e.About()
	if about.Contract != "" {
		return about.Contract
	}
	return string(runs.Stream(about.Run.String()))
}

// book is a billing.Book over streams. It puts states into the view, which is nil in a decision.
type book struct {
	ledger.Reader
	view *ledger.View
}

func (b book) Account(ref string) (billing.Account, bool)     { return accounts.Get(b.Reader, ref) }
func (b book) Operation(ref string) (billing.Operation, bool) { return operations.Get(b.Reader, ref) }
func (b book) Invoice(ref string) (billing.Invoice, bool)     { return invoices.Get(b.Reader, ref) }

func (b book) Customer(key billing.CustomerKey) billing.Customer {
	c, _ := customers.Get(b.Reader, customer(key))
	c.CustomerKey = key
	return c
}

func (b book) Numbering(s billing.Series) billing.Numbering {
	n, _ := numberings.Get(b.Reader, string(s))
	return n
}

func (b book) Run(p billing.Period) billing.Run {
	r, _ := runs.Get(b.Reader, p.String())
	return r
}

func (b book) Order(k billing.OrderKey) string {
	ref, _ := orders.Get(b.Reader, order(k))
	return ref
}

func (b book) PutAccount(a billing.Account)     { accounts.Put(b.view, a.Contract.Ref, a) }
func (b book) PutOperation(o billing.Operation) { operations.Put(b.view, o.Ref, o) }
func (b book) PutInvoice(i billing.Invoice)     { invoices.Put(b.view, i.Ref, i) }
func (b book) PutCustomer(c billing.Customer)   { customers.Put(b.view, customer(c.CustomerKey), c) }
func (b book) PutNumbering(s billing.Series, n billing.Numbering) {
	numberings.Put(b.view, string(s), n)
}
func (b book) PutRun(r billing.Run) { runs.Put(b.view, r.Period.String(), r) }

func (b book) PutOrder(k billing.OrderKey, purchaseRef string) {
	orders.Put(b.view, order(k), purchaseRef)
}
