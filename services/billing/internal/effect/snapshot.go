package effect

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/pack"
	"github.com/deferpay/deferpay/services/journal/shape"
)

// item is one item of a snapshot of the read model: the next entries of one of its tables, in the
// order of the fields. The lists follow from the tables.
type item struct {
	Count    uint32 // of operations, to make room for
	Refs     []string
	Pairs    []pair
	Heard    []uint32
	Terms    []terms
	Parts    []uint32
	Invoices []invoice
	Running  []billing.Period
	Block    *packed
}

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

// layout is raised when the columns of a block become others.
const layout = "columns 1\n"

// Shape implements journal.ReadModel.
func (m *Model) Shape() string { return items.Shape() + rests.Shape() + layout }

// modelCut is a model as it was at one record. Its tables are the model's own: their entries do not
// change.
type modelCut struct {
	tables item
	blocks []*block
	recent []recent
	size   int
}

// Cut implements journal.ReadModel.
func (m *Model) Cut() journal.ModelCut {
	return &modelCut{
		tables: item{
			Count: m.count(),
			Refs:  m.refs, Pairs: m.pairs, Heard: m.heard, Terms: m.terms, Parts: m.parts, Invoices: m.invoices, Running: slices.Collect(maps.Keys(m.Running)),
		},
		// a block is replaced if one of its operations changes, and so is a recent operation
		blocks: slices.Clone(m.blocks), recent: slices.Clone(m.recent), size: m.size,
	}
}

// atOnce is how many entries of a table an item has at most.
const atOnce = 256

// some takes the next entries from a table.
func some[T any](from *[]T) []T {
	n := min(atOnce, len(*from))
	taken := (*from)[:n:n]
	*from = (*from)[n:]
	return taken
}

// Next implements journal.ModelCut.
func (c *modelCut) Next(dst []byte) (_ []byte, more bool, err error) {
	var it item
	t := &c.tables
	switch {
	case t.Count > 0:
		it.Count, t.Count = t.Count, 0
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
	case len(c.blocks) > 0:
		it.Block = &packed{Data: c.blocks[0].packed, Changed: c.blocks[0].changed}
		c.blocks = c.blocks[1:]
	case len(c.recent) > 0:
		n := min(c.size, len(c.recent))
		rows, err := rowsOf(c.recent[:n])
		if err != nil {
			return dst, true, err
		}
		it.Block = &packed{Data: packRows(rows), Recent: true}
		c.recent = c.recent[n:]
	default:
		return dst, false, nil
	}
	dst, err = items.Append(dst, it)
	return dst, true, err
}

// End implements journal.ModelCut.
func (c *modelCut) End() {}

// Load implements journal.ReadModel.
func (m *Model) Load() journal.ModelLoading {
	made := &Model{}
	made.PackAll(m.size, m.last)
	return &loading{into: m, made: made}
}

// loading is a model that is being made of items.
type loading struct{ into, made *Model }

// Use implements journal.ModelLoading.
func (l *loading) Use() {
	l.made.generation = l.into.generation + 1
	*l.into = *l.made
}

// mostExpected is how many operations room is made for at most: a number that is out of place must
// not take all memory.
const mostExpected = 1 << 24

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
	m.orders.Grow(int(min(it.Count, mostExpected)))
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
	if it.Block != nil {
		return m.addBlock(*it.Block)
	}
	return nil
}

// fits returns an error if an item names a contract that is not there, or if an invoice has
// contracts that are not there.
func (m *Model) fits(it *item) error {
	contracts := slices.Concat(it.Heard, it.Parts)
	for _, p := range it.Pairs {
		contracts = append(contracts, p.Contract)
	}
	for _, t := range it.Terms {
		contracts = append(contracts, t.Contract)
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

// addBlock adds operations. Those of a whole block stay as they are, and are only entered in the
// lists.
func (m *Model) addBlock(p packed) error {
	b := &block{packed: slices.Clone(pack.Block(p.Data)), changed: p.Changed}
	if len(m.recent) > 0 && !p.Recent {
		return fmt.Errorf("%w: a block behind those that stay unpacked", errItem)
	}
	first, rows := m.count(), 0
	err := eachRow(b.packed, func(i int, r *row) error {
		n := first + uint32(i)
		rows++
		if err := m.check(r, n); err != nil {
			return err
		}
		if r.back == 0 {
			m.enterOrder(n, r.order)
		}
		if p.Recent {
			m.recent = append(m.recent, b.operation(uint8(i), r))
		} else {
			b.apply(uint8(i), r)
		}
		m.enter(n, r.contract, r.back, r.month, status(r.flags))
		return nil
	})
	switch {
	case err != nil:
		return err
	case p.Recent:
		return nil
	case rows != m.size:
		return fmt.Errorf("%w: a block of %d operations", errItem, rows)
	}
	m.keep(b)
	return nil
}

// check returns an error if a row cannot be that of the operation with a number.
func (m *Model) check(r *row, n uint32) error {
	if int(r.contract) >= len(m.contracts) || r.back > n || r.flags >= flagsEnd || int(r.of) != len(m.contracts[r.contract].operations)+1 {
		return fmt.Errorf("%w: operation %d", errItem, n)
	}
	if len(r.rest) == 0 {
		return nil
	}
	_, err := rests.Decode(r.rest)
	return err
}
