package effect

import (
	"math/big"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
)

// Owed is what contracts in one currency owe together, in its minor units.
type Owed struct {
	Currency                string
	NotInvoiced, NotSettled float64
}

// total is Owed as it is summed: exact, and more than int64 holds for many contracts.
type total struct {
	currency                string
	notInvoiced, notSettled *big.Int
}

// totals are the outstanding amounts of all contracts. The states have those of each contract, so a
// snapshot has no totals: a contract is noted when its account has changed, or when it was loaded,
// and what it owes is brought into the sums when they are asked for.
type totals struct {
	sums  []total
	owed  []owed   // by the number of the contract, as it is in the sums
	stale []uint32 // contracts that may owe something else by now
}

type owed struct {
	notInvoiced, notSettled int64
	stale                   bool
}

// add adds a contract.
func (t *totals) add(contract uint32) {
	t.owed = append(t.owed, owed{stale: true})
	t.stale = append(t.stale, contract)
}

// touch notes that the account of a contract has changed.
func (m *Model) touch(contractRef string) {
	n, known := m.contractOf[contractRef]
	if known && !m.owed[n].stale {
		m.owed[n].stale = true
		m.stale = append(m.stale, n)
	}
}

// Sum brings at most so many contracts that have changed into the sums, and returns these, in the
// order of the currencies. It reports whether more contracts have changed. It changes the model, so
// no two calls may run at the same time.
func (m *Model) Sum(st billing.States, most int) (sums []Owed, more bool) {
	for range min(most, len(m.stale)) {
		last := len(m.stale) - 1
		n := m.stale[last]
		m.stale = m.stale[:last]
		a, _ := st.Account(m.refs[n])
		m.totals.set(n, a)
	}
	if len(m.stale) > 0 {
		return nil, true
	}
	sums = make([]Owed, 0, len(m.sums))
	for _, t := range m.sums {
		invoice, _ := t.notInvoiced.Float64()
		settle, _ := t.notSettled.Float64()
		sums = append(sums, Owed{t.currency, invoice, settle})
	}
	slices.SortFunc(sums, func(a, b Owed) int { return strings.Compare(a.Currency, b.Currency) })
	return sums, false
}

// set brings what a contract owes into the sums. The currency of an account never changes.
func (t *totals) set(contract uint32, a billing.Account) {
	was := t.owed[contract]
	if a.Currency == "" { // no version of the contract is known yet
		t.owed[contract].stale = false
		return
	}
	at := slices.IndexFunc(t.sums, func(o total) bool { return o.currency == a.Currency })
	if at < 0 {
		at = len(t.sums)
		t.sums = append(t.sums, total{a.Currency, new(big.Int), new(big.Int)})
	}
	sum := t.sums[at]
	sum.notInvoiced.Add(sum.notInvoiced, big.NewInt(a.NotInvoiced-was.notInvoiced))
	sum.notSettled.Add(sum.notSettled, big.NewInt(a.NotSettled-was.notSettled))
	t.owed[contract] = owed{notInvoiced: a.NotInvoiced, notSettled: a.NotSettled}
}
