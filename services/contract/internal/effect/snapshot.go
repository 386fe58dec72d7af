package effect

import (
	"errors"
	"iter"

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

// modelCut is a model as it was at one record. What changes afterwards is noted first.
type modelCut struct {
	model *Model
	was   map[contract.Ref]kept
	uses  map[string]*contract.Use // nil: there was none
	next  func() (item, bool)
	stop  func()
}

// kept is what the model keeps of a contract. The states in it are immutable.
type kept struct {
	latest  Applied
	account *Account
	erased  int64
}

// kept returns what the model keeps of a contract.
func (m *Model) kept(ref contract.Ref) kept {
	k := kept{latest: m.Latest[ref], erased: m.Erased[ref]}
	if a, ok := m.Accounts[ref]; ok {
		k.account = &a
	}
	return k
}

// change is called before what the model keeps of a contract changes.
func (m *Model) change(ref contract.Ref) {
	if m.cut == nil {
		return
	}
	if _, noted := m.cut.was[ref]; !noted {
		m.cut.was[ref] = m.kept(ref)
	}
}

// changeUse is called before the use of a mandate changes.
func (m *Model) changeUse(key string) {
	if m.cut == nil {
		return
	}
	if _, noted := m.cut.uses[key]; noted {
		return
	}
	m.cut.uses[key] = nil
	if use, ok := m.Mandates[key]; ok {
		m.cut.uses[key] = &use
	}
}

// Cut implements journal.ReadModel.
func (m *Model) Cut() journal.ModelCut {
	// the maps stay these, also when the model is emptied
	of := *m
	c := &modelCut{model: m, was: map[contract.Ref]kept{}, uses: map[string]*contract.Use{}}
	c.next, c.stop = iter.Pull(func(yield func(item) bool) {
		for _, ref := range of.All {
			if !c.contract(&of, ref, yield) {
				return
			}
		}
		for key, use := range of.Mandates {
			if was, changed := c.uses[key]; changed && was != nil {
				use = *was
			} else if changed {
				continue
			}
			if !yield(item{Mandate: &mandate{key, use}}) {
				return
			}
		}
	})
	m.cut = c
	return c
}

// contract yields what was kept of a contract.
func (c *modelCut) contract(of *Model, ref contract.Ref, yield func(item) bool) bool {
	k, changed := c.was[ref]
	if !changed {
		k = of.kept(ref)
	}
	return yield(item{Latest: &k.latest}) &&
		(k.account == nil || yield(item{Account: &account{ref, *k.account}})) &&
		(k.erased == 0 || yield(item{Erased: &erased{ref, k.erased}}))
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
func (c *modelCut) End() {
	c.stop()
	if c.model.cut == c {
		c.model.cut = nil
	}
}

// Check implements journal.ReadModel.
func (m *Model) Check(data []byte) error {
	_, err := read(data)
	return err
}

// read reads an item.
func read(data []byte) (it item, err error) {
	if it, err = items.Decode(data); err == nil && it.Latest != nil && it.Latest.After == nil {
		err = errors.New("an item without the contract after a record")
	}
	return it, err
}

// Load implements journal.ReadModel.
func (m *Model) Load() journal.ModelLoading { return &loading{into: m, made: NewModel()} }

// loading is a model that is being made of items.
type loading struct{ into, made *Model }

// End implements journal.ModelLoading.
func (l *loading) End() error { return nil }

// Use implements journal.ModelLoading.
func (l *loading) Use() { *l.into = *l.made }

// Add implements journal.ModelLoading.
func (l *loading) Add(data []byte) error {
	it, err := read(data)
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
