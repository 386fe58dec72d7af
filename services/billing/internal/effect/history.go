package effect

import (
	"fmt"
	"slices"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/numbers"
	"github.com/deferpay/deferpay/services/journal/pack"
)

// history is the operations, and the lists of them that do not follow from the contracts. All but
// the last ones are packed, in blocks of the same size, so that the block of an operation follows
// from its number.
type history struct {
	size, last int // operations in a block, and those that stay unpacked at least

	blocks []*block
	bytes  int64    // of the blocks
	recent []recent // after the blocks

	byMonth   map[uint32]numbers.Runs // those that were not refused
	refused   numbers.List
	cancelled cancelled
	// the first operation of each order, by the hash of its reference, and the others of the order
	seed   pack.Seed
	orders *pack.Index
	others map[uint32]numbers.List
}

// recent is an operation that is not packed. It is replaced when it changes, and lacks what the
// contract and the invoices say.
type recent struct {
	*Operation
	contract uint32
	of       uint32 // its number among the operations of the contract, from 1
	back     uint32 // how many operations before it the first one of its order is
}

func newHistory(size, last int) history {
	return history{size: size, last: last, byMonth: map[uint32]numbers.Runs{}, seed: pack.NewSeed(), orders: new(pack.Index), others: map[uint32]numbers.List{}}
}

// count returns how many operations there are.
func (h *history) count() uint32 { return uint32(len(h.blocks)*h.size + len(h.recent)) }

// Packed returns how many operations are packed, and how much memory they take, with what finds
// operations by their orders.
func (h *history) Packed() (operations int, bytes int64) {
	return len(h.blocks) * h.size, h.bytes + h.orders.Bytes()
}

// enter enters an operation in the lists.
func (h *history) enter(n, back, month uint32, status billing.OperationStatus) {
	if back > 0 {
		h.others[n-back] = h.others[n-back].With(n)
	}
	if month != 0 {
		h.byMonth[month] = h.byMonth[month].With(n)
	}
	if status == billing.OperationRefused {
		h.refused = h.refused.With(n)
	}
}

// enterOrder enters an operation as the first one of its order.
func (h *history) enterOrder(n uint32, orderRef string) {
	h.orders.Add(pack.Hash(h.seed, orderRef), pack.Handle(n+1))
}

// firstOf returns the first operation of an order, and reports whether there is one.
func (h *history) firstOf(orderRef string) (n uint32, ok bool) {
	first, ok := h.orders.Find(pack.Hash(h.seed, orderRef), func(first pack.Handle) bool {
		return h.orderRef(uint32(first-1)) == orderRef
	})
	return uint32(first - 1), ok
}

// orderRef returns the order of an operation.
func (h *history) orderRef(n uint32) (ref string) {
	if at := int(n) - len(h.blocks)*h.size; at >= 0 {
		return h.recent[at].OrderRef
	}
	h.blocks[int(n)/h.size].operations([]uint8{uint8(int(n) % h.size)}, func(_ int, r recent) { ref = r.OrderRef })
	return ref
}

// change brings into an operation what became of it.
func (h *history) change(n uint32, is billing.Operation) {
	if at := int(n) - len(h.blocks)*h.size; at >= 0 {
		o := *h.recent[at].Operation
		o.Status, o.Refunded = is.Status, is.Refunded
		h.recent[at].Operation = &o
		return
	}
	b := &h.blocks[int(n)/h.size]
	*b = (*b).with(change{At: uint8(int(n) % h.size), Cancelled: is.Status == billing.OperationCancelled, Refunded: is.Refunded})
}

// pack packs operations when there are enough beside the last ones.
func (h *history) pack() {
	if len(h.recent) < h.last+h.size {
		return
	}
	rows, err := rowsOf(h.recent[:h.size])
	if err != nil { // rests encodes all errors of mandates
		panic(fmt.Sprintf("billing: an operation cannot be kept: %v", err))
	}
	h.keep(&block{packed: packRows(rows)})
	h.recent = slices.Clone(h.recent[h.size:])
}

func (h *history) keep(b *block) {
	h.blocks = append(h.blocks, b)
	h.bytes += int64(len(b.packed))
}

func rowsOf(operations []recent) ([]row, error) {
	rows := make([]row, len(operations))
	for i, r := range operations {
		var err error
		if rows[i], err = rowOf(r); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// cancelled is the purchases that were cancelled, in their order, which is not that of the
// cancellations. A list is only made again once many were added.
type cancelled struct{ old, late numbers.List }

const mostLate = 1024

func (c cancelled) with(n uint32) cancelled {
	at := c.late.Rank(n)
	c.late = slices.Concat(c.late[:at], numbers.List{n}, c.late[at:])
	if len(c.late) > mostLate {
		c.old = slices.Concat(c.old, c.late)
		slices.Sort(c.old)
		c.late = nil
	}
	return c
}

func (c cancelled) set() numbers.Union { return numbers.Union{c.old, c.late} }

// ofOrder returns lists of operations, those of one order each. One of them is the order's, if
// there is one.
func (h *history) ofOrder(ref string) (lists []numbers.List) {
	h.orders.Find(pack.Hash(h.seed, ref), func(first pack.Handle) bool {
		n := uint32(first - 1)
		lists = append(lists, slices.Concat(numbers.List{n}, h.others[n]))
		return false
	})
	return lists
}
