package effect

import (
	"iter"
	"maps"

	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/shape"
)

// item is one item of a snapshot of the read model: the one of its members that is set. The other
// lists follow from the latest records, in the order of subscription.
type item struct {
	Latest  *Applied
	Account *account
	Erased  *erased
	Mandate *mandate
}

type account struct {
	Ref contract.Ref
	Account
}

type erased struct {
	Ref   contract.Ref
	Times int64
}

type mandate struct {
	Key string
	contract.Use
}

var items = func() *shape.Codec[item] {
	c, err := shape.Of[item](ledger.Events[contract.Visitor]()...)
	if err != nil {
		panic(err)
	}
	return c
}()

// Shape implements journal.ReadModel.
func (m *Model) Shape() string { return items.Shape() }

// modelCut is a model as it was at one record. The states in it are immutable.
type modelCut struct {
	next func() (item, bool)
	stop func()
}

// Cut implements journal.ReadModel.
func (m *Model) Cut() journal.ModelCut {
	all, latest := m.All, maps.Clone(m.Latest)
	accounts, erasures, mandates := maps.Clone(m.Accounts), maps.Clone(m.Erased), maps.Clone(m.Mandates)
	c := &modelCut{}
	c.next, c.stop = iter.Pull(func(yield func(item) bool) {
		for _, ref := range all {
			last := latest[ref]
			if !yield(item{Latest: &last}) {
				return
			}
		}
		for ref, a := range accounts {
			if !yield(item{Account: &account{ref, a}}) {
				return
			}
		}
		for ref, n := range erasures {
			if !yield(item{Erased: &erased{ref, n}}) {
				return
			}
		}
		for key, use := range mandates {
			if !yield(item{Mandate: &mandate{key, use}}) {
				return
			}
		}
	})
	return c
}

// Next implements journal.ModelCut.
func (c *modelCut) Next(dst []byte) (_ []byte, more bool, err error) {
	it, more := c.next()
	if !more {
		return dst, false, nil
	}
	dst, err = items.Append(dst, it)
	return dst, true, err
}

// End implements journal.ModelCut.
func (c *modelCut) End() { c.stop() }

// Load implements journal.ReadModel.
func (m *Model) Load() journal.ModelLoading { return &loading{into: m, made: NewModel()} }

// loading is a model that is being made of items.
type loading struct{ into, made *Model }

// Use implements journal.ModelLoading.
func (l *loading) Use() { *l.into = *l.made }

// Add implements journal.ModelLoading.
func (l *loading) Add(data []byte) error {
	it, err := items.Decode(data)
	if err != nil {
		return err
	}
	if it.Latest != nil {
		l.made.enter(*it.Latest)
		l.made.Latest[it.Latest.After.Ref] = *it.Latest
	}
	if it.Account != nil {
		l.made.Accounts[it.Account.Ref] = it.Account.Account
	}
	if it.Erased != nil {
		l.made.Erased[it.Erased.Ref] = it.Erased.Times
	}
	if it.Mandate != nil {
		l.made.Mandates[it.Mandate.Key] = it.Mandate.Use
	}
	return nil
}
