package effect

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/numbers"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/pack"
	"github.com/deferpay/deferpay/services/journal/shape"
)

// item is one item of a snapshot of the read model: the next entries of one of its tables or lists.
// Seed and Orders come before everything else. The tables come in the order of the fields, and what
// follows from them is not in the snapshot.
type item struct {
	Seed     []byte // of the hashes of orders
	Orders   []byte // of their index
	Refs     []string
	Pairs    []pair
	Heard    []uint32
	Terms    []terms
	Parts    []uint32
	Invoices []invoice
	Running  []billing.Period
	Open     []uint32 // months that are not closed for all contracts
	Lists    []list
	Block    *packed
}

// list is the next operations of one of the lists of the model.
type list struct {
	Of      listOf
	Key     uint32
	Numbers []byte
}

// listOf says which list it is.
type listOf uint8

const (
	ofContract listOf = iota // the key is its number
	ofMonth                  // the key is its number
	ofOrder                  // beside its first operation, which is the key
	ofRefused
	ofCancelled
	ofCancelledLate
)

// packed is a block of operations. Recent ones follow all others, and stay unpacked.
type packed struct {
	Data    []byte
	Changed []change
	Recent  bool
}

// items encodes items.
var items = func() *shape.Codec[item] {
	c, err := shape.Of[item]()
	if err != nil {
		panic(err)
	}
	return c
}()

// layout is raised when the columns of a block or the numbers of a list are encoded otherwise. A
// block has as many operations as every other one, which nobody looks at when it is loaded.
var layout = fmt.Sprintf("columns 1, lists 1, %d in a block\n", inBlock)

// Shape implements journal.ReadModel.
func (m *Model) Shape() string { return items.Shape() + rests.Shape() + layout }

// modelCut is a model as it was at one record. Its tables are the model's own: their entries do not
// change. The seed is a copy, because that of the model changes when the model is emptied.
type modelCut struct {
	tables item
	orders *pack.IndexCut
	lists  func() (list, bool)
	stop   func()
	blocks []*block
	recent []recent
	size   int
}

// Cut implements journal.ReadModel.
func (m *Model) Cut() journal.ModelCut {
	c := &modelCut{
		tables: item{
			Seed: slices.Clone(m.seed[:]), Refs: m.refs, Pairs: m.pairs, Heard: m.heard, Terms: m.terms, Parts: m.parts, Invoices: m.invoices,
			Running: slices.Collect(maps.Keys(m.Running)), Open: slices.Collect(maps.Keys(m.unbilled)),
		},
		orders: m.orders.Cut(),
		// a block is replaced if one of its operations changes, and so is a recent operation
		blocks: slices.Clone(m.blocks), recent: slices.Clone(m.recent), size: m.size,
	}
	c.lists, c.stop = iter.Pull(m.lists())
	return c
}

// lists iterates over the lists as they are now. The model may change meanwhile: lists only grow,
// by operations that come now, but for that of the cancelled ones, which is replaced.
func (m *Model) lists() iter.Seq[list] {
	count, contracts, others := m.count(), m.contracts, m.others
	byMonth, refused, cancelled := maps.Clone(m.byMonth), m.refused, m.cancelled
	return func(yield func(list) bool) {
		one := func(of listOf, key uint32, l numbers.List) bool {
			for rest := l[:l.Rank(count)]; len(rest) > 0; {
				n := min(numbersAtOnce, len(rest))
				if !yield(list{of, key, rest[:n].Append(nil)}) {
					return false
				}
				rest = rest[n:]
			}
			return true
		}
		for n := range contracts {
			if !one(ofContract, uint32(n), contracts[n].operations) {
				return
			}
		}
		for month, runs := range byMonth {
			for data := range runs.Encode(numbersAtOnce) {
				if !yield(list{ofMonth, month, data}) {
					return
				}
			}
		}
		for first, l := range others {
			if !one(ofOrder, first, l) {
				return
			}
		}
		_ = one(ofRefused, 0, refused) && one(ofCancelled, 0, cancelled.old) && one(ofCancelledLate, 0, cancelled.late)
	}
}

// An item of a cut has at most so many entries of a table, or lists, or numbers of a list.
const (
	atOnce        = 256
	listsAtOnce   = 32
	numbersAtOnce = 4096
)

// some takes the next entries from a table.
func some[T any](from *[]T) []T {
	n := min(atOnce, len(*from))
	taken := (*from)[:n:n]
	*from = (*from)[n:]
	return taken
}

// Next implements journal.ModelCut.
func (c *modelCut) Next(dst []byte) (_ []byte, more bool, err error) {
	it, more, err := c.next()
	if more && err == nil {
		dst, err = items.Append(dst, it)
	}
	return dst, more, err
}

func (c *modelCut) next() (it item, more bool, err error) {
	t := &c.tables
	if len(t.Seed) > 0 {
		it.Seed, t.Seed = t.Seed, nil
		return it, true, nil
	}
	if it.Orders, more = c.orders.Next(nil); more {
		return it, true, nil
	}
	switch {
	case len(t.Refs) > 0:
		it.Refs = some(&t.Refs)
	case len(t.Pairs) > 0:
		it.Pairs = some(&t.Pairs)
	case len(t.Heard) > 0:
		it.Heard = some(&t.Heard)
	case len(t.Terms) > 0:
		it.Terms = some(&t.Terms)
	case len(t.Parts) > 0:
		it.Parts = some(&t.Parts)
	case len(t.Invoices) > 0:
		it.Invoices = some(&t.Invoices)
	case len(t.Running) > 0:
		it.Running = some(&t.Running)
	case len(t.Open) > 0:
		it.Open = some(&t.Open)
	default:
		return c.nextOperations()
	}
	return it, true, nil
}

// nextOperations returns the next item of the lists, or else of the operations.
func (c *modelCut) nextOperations() (it item, more bool, err error) {
	for size := 0; len(it.Lists) < listsAtOnce && size < numbersAtOnce; {
		l, more := c.lists()
		if !more {
			break
		}
		it.Lists, size = append(it.Lists, l), size+len(l.Numbers)
	}
	switch {
	case len(it.Lists) > 0:
	case len(c.blocks) > 0:
		it.Block = &packed{Data: c.blocks[0].packed, Changed: c.blocks[0].changed}
		c.blocks = c.blocks[1:]
	case len(c.recent) > 0:
		n := min(c.size, len(c.recent))
		rows, err := rowsOf(c.recent[:n])
		if err != nil {
			return it, true, err
		}
		it.Block = &packed{Data: packRows(rows), Recent: true}
		c.recent = c.recent[n:]
	default:
		return it, false, nil
	}
	return it, true, nil
}

// End implements journal.ModelCut.
func (c *modelCut) End() {
	c.stop()
	c.orders.End()
}

// Check implements journal.ReadModel.
func (m *Model) Check(data []byte) error {
	it, err := items.Decode(data)
	if err != nil || it.Block == nil {
		return err
	}
	return eachRow(it.Block.Data, func(_ int, r *row) error {
		if r.flags >= flagsEnd {
			return fmt.Errorf("%w: an operation with flags %x", errItem, r.flags)
		}
		_, err := r.operation()
		return err
	})
}

// Load implements journal.ReadModel.
func (m *Model) Load() journal.ModelLoading {
	made := &Model{}
	made.PackAll(m.size, m.last)
	return &loading{into: m, made: made}
}

// loading is a model that is being made of items.
type loading struct {
	into, made *Model
	seeded     bool
	open       []uint32    // months
	order      pack.Handle // the last one that the index of orders has
}

// Use implements journal.ModelLoading.
func (l *loading) Use() {
	l.made.generation = l.into.generation + 1
	*l.into = *l.made
}

var errItem = errors.New("an item does not fit those before it")

// Add implements journal.ModelLoading.
func (l *loading) Add(data []byte) error {
	it, err := items.Decode(data)
	if err != nil {
		return err
	}
	m := l.made
	if err := m.fits(&it); err != nil {
		return err
	}
	if len(it.Seed) > 0 {
		m.seed, l.seeded = pack.Seed(it.Seed), true
	}
	if err := m.orders.Restore(it.Orders, func(h pack.Handle) error {
		l.order = max(l.order, h)
		return nil
	}); err != nil {
		return err
	}
	for _, ref := range it.Refs {
		m.contract(ref)
	}
	for _, p := range it.Pairs {
		m.addPair(p)
	}
	for _, n := range it.Heard {
		m.hear(n)
	}
	for _, t := range it.Terms {
		m.addTerms(t)
	}
	m.parts = append(m.parts, it.Parts...)
	for _, i := range it.Invoices {
		m.addInvoice(i)
	}
	for _, p := range it.Running {
		m.Running[p] = true
	}
	l.open = append(l.open, it.Open...)
	for _, list := range it.Lists {
		if err := m.addList(list); err != nil {
			return fmt.Errorf("list %d of %d: %w", list.Of, list.Key, err)
		}
	}
	if it.Block != nil {
		return m.addBlock(*it.Block)
	}
	return nil
}

// fits returns an error if an item names a contract that is not there, if terms are those of no
// operation, or if an invoice has contracts that are not there.
func (m *Model) fits(it *item) error {
	if n := len(it.Seed); n != 0 && n != len(m.seed) {
		return fmt.Errorf("%w: a seed of %d bytes", errItem, n)
	}
	contracts := slices.Concat(it.Heard, it.Parts)
	for _, p := range it.Pairs {
		contracts = append(contracts, p.Contract)
	}
	for _, t := range it.Terms {
		if t.From == 0 {
			return fmt.Errorf("%w: terms of no operation of contract %d", errItem, t.Contract)
		}
		contracts = append(contracts, t.Contract)
	}
	for _, l := range it.Lists {
		if l.Of == ofContract {
			contracts = append(contracts, l.Key)
		}
	}
	for _, n := range contracts {
		if int(n) >= len(m.refs) {
			return fmt.Errorf("%w: contract %d of %d", errItem, n, len(m.refs))
		}
	}
	end := uint32(0)
	if last := len(m.invoices) - 1; last >= 0 {
		end = m.invoices[last].End
	}
	for _, i := range it.Invoices {
		if i.End < end || int(i.End) > len(m.parts) {
			return fmt.Errorf("%w: contracts of %s", errItem, i.Ref)
		}
		end = i.End
	}
	return nil
}

// addList adds numbers to a list.
func (m *Model) addList(l list) (err error) {
	switch l.Of {
	case ofContract:
		k := &m.contracts[l.Key]
		k.operations, err = k.operations.WithAll(l.Numbers)
	case ofMonth:
		m.byMonth[l.Key], err = m.byMonth[l.Key].WithAll(l.Numbers)
	case ofOrder:
		m.others[l.Key], err = m.others[l.Key].WithAll(l.Numbers)
	case ofRefused:
		m.refused, err = m.refused.WithAll(l.Numbers)
	case ofCancelled:
		m.cancelled.old, err = m.cancelled.old.WithAll(l.Numbers)
	case ofCancelledLate:
		m.cancelled.late, err = m.cancelled.late.WithAll(l.Numbers)
	default:
		err = errItem
	}
	return err
}

// addBlock adds operations. A whole block is not looked into: see Check.
func (m *Model) addBlock(p packed) error {
	switch {
	case p.Recent:
		return eachRow(p.Data, func(_ int, r *row) error {
			o, err := r.operation()
			if err != nil || int(r.contract) >= len(m.contracts) {
				return errors.Join(fmt.Errorf("%w: operation %d", errItem, m.count()), err)
			}
			m.recent = append(m.recent, recent{Operation: &o, contract: r.contract, of: r.of, back: r.back})
			return nil
		})
	case len(m.recent) > 0:
		return fmt.Errorf("%w: a block behind those that stay unpacked", errItem)
	}
	m.keep(&block{packed: p.Data, changed: p.Changed}) // which were made for this item
	return nil
}

// End implements journal.ModelLoading.
func (l *loading) End() error {
	m := l.made
	count, listed, ordered := m.count(), 0, m.orders.Len()
	within := func(s numbers.Set) bool { return s.Len() == s.Rank(count) }
	fits := uint32(l.order) <= count && within(m.refused) && within(m.cancelled.set())
	for i := range m.contracts {
		k := &m.contracts[i]
		listed += len(k.operations)
		fits = fits && within(k.operations)
	}
	for _, runs := range m.byMonth {
		fits = fits && within(runs)
	}
	for first, others := range m.others {
		ordered += len(others)
		fits = fits && first < count && within(others)
	}
	switch {
	case !fits:
		return fmt.Errorf("%w: there are %d operations, and others in a list", errItem, count)
	case listed != int(count) || ordered != int(count):
		return fmt.Errorf("%w: there are %d operations, %d in the lists of contracts, and %d in those of orders", errItem, count, listed, ordered)
	case !l.seeded && count > 0:
		return fmt.Errorf("%w: the index of orders has no seed", errItem)
	}
	for _, month := range l.open {
		if err := m.findUnbilled(month); err != nil {
			return err
		}
	}
	return nil
}

// findUnbilled counts the operations of a month for the contracts for which it is not closed. Only
// blocks that have operations of the month are unpacked.
func (m *Model) findUnbilled(of uint32) error {
	count := func(contract, in uint32, s billing.OperationStatus) {
		if in == of {
			m.countUnbilled(contract, in, s)
		}
	}
	for from := uint32(0); ; {
		n, ok := m.byMonth[of].Next(from)
		if !ok || int(n)/m.size >= len(m.blocks) {
			break
		}
		b := m.blocks[int(n)/m.size]
		if err := eachRow(b.packed, func(i int, r *row) error {
			if int(r.contract) >= len(m.contracts) {
				return fmt.Errorf("%w: operation %d", errItem, n)
			}
			b.apply(uint8(i), r)
			count(r.contract, r.month, status(r.flags))
			return nil
		}); err != nil {
			return err
		}
		from = uint32((int(n)/m.size + 1) * m.size)
	}
	for _, r := range m.recent {
		count(r.contract, month(r.Period), r.Status)
	}
	return nil
}
