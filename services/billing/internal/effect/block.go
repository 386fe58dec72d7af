package effect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/journal/pack"
	"github.com/deferpay/deferpay/services/journal/shape"
)

// block is operations that follow each other in the log, packed. A block is never changed: one with
// other changes takes its place. Only refunds and cancellations change an operation, so few do.
type block struct {
	packed  pack.Block
	changed []change
}

// change is what became of an operation after it was packed.
type change struct {
	At        uint8 // place in the block
	Cancelled bool
	Refunded  int64
}

// with returns the block with another change of an operation.
func (b *block) with(c change) *block {
	out := &block{packed: b.packed, changed: make([]change, 0, len(b.changed)+1)}
	for _, old := range b.changed {
		if old.At != c.At {
			out.changed = append(out.changed, old)
		}
	}
	out.changed = append(out.changed, c)
	return out
}

// change returns what became of the operation at a place.
func (b *block) change(at uint8) (change, bool) {
	for _, c := range b.changed {
		if c.At == at {
			return c, true
		}
	}
	return change{}, false
}

// row is an operation of a block: what the model cannot tell from its lists.
type row struct {
	contract uint32 // its number
	of       uint32 // number among the operations of the contract, from 1
	back     uint32 // how many operations before it the first one of its order is
	flags    uint32
	month    uint32
	amount   int64
	refunded int64
	at       int64 // microseconds
	version  int64
	// outstanding and ceiling are in the currency of the amount, and available follows from them,
	// unless rest has figures
	outstanding, ceiling  int64
	currency, order, text []byte
	rest                  []byte // of a refund and a refused purchase
}

// The flags of a row.
const (
	flagRefund uint32 = 1 << iota
	flagRefused
	flagCancelled
	flagsEnd
)

// rest is what few operations have.
type rest struct {
	PurchaseRef   string
	CreditNoteRef string
	Reasons       []billing.Reason
	Refused       *Refused
	Figures       *figures
}

type figures struct{ Outstanding, Ceiling, Available billing.Money }

// rests encodes rests. A refused purchase holds why its mandate was not valid.
var rests = func() *shape.Codec[rest] {
	c, err := shape.Of[rest](&billing.MandateError{})
	if err != nil {
		panic(err)
	}
	return c
}()

// month returns the number of a period, 0 for none.
func month(p billing.Period) uint32 {
	if p == (billing.Period{}) {
		return 0
	}
	return uint32(p.Year)*12 + uint32(p.Month)
}

func period(month uint32) billing.Period {
	if month == 0 {
		return billing.Period{}
	}
	return billing.Period{Year: int(month-1) / 12, Month: time.Month((month-1)%12 + 1)}
}

// status returns what the flags say became of an operation.
func status(flags uint32) billing.OperationStatus {
	switch {
	case flags&flagRefused != 0:
		return billing.OperationRefused
	case flags&flagCancelled != 0:
		return billing.OperationCancelled
	}
	return billing.OperationAccepted
}

func flagsOf(o *Operation) (flags uint32) {
	if o.Kind == billing.KindRefund {
		flags = flagRefund
	}
	switch o.Status {
	case billing.OperationRefused:
		flags |= flagRefused
	case billing.OperationCancelled:
		flags |= flagCancelled
	}
	return flags
}

// rowOf returns the row of an operation.
func rowOf(r recent) (row, error) {
	o, j := r.Operation, r.Judgement
	out := row{
		contract: r.contract, of: r.of, back: r.back, flags: flagsOf(o), month: month(o.Period), amount: o.Amount.Amount, refunded: o.Refunded,
		at: o.DecidedAt.UnixMicro(), version: j.ContractVersion, outstanding: j.Outstanding.Amount, ceiling: j.Ceiling.Amount,
		currency: []byte(o.Amount.Currency), order: []byte(o.OrderRef), text: []byte(o.Text),
	}
	more := rest{PurchaseRef: o.PurchaseRef, CreditNoteRef: o.CreditNoteRef, Reasons: j.Reasons, Refused: j.Refused}
	if f := (figures{j.Outstanding, j.Ceiling, j.Available}); f != out.figures() {
		more.Figures = &f
	}
	if more.PurchaseRef == "" && more.CreditNoteRef == "" && len(more.Reasons) == 0 && more.Refused == nil && more.Figures == nil {
		return out, nil
	}
	var err error
	out.rest, err = rests.Append(nil, more)
	return out, err
}

// figures returns the figures that follow from the numbers of a row.
func (r *row) figures() figures {
	money := func(n int64) billing.Money { return billing.Money{Amount: n, Currency: string(r.currency)} }
	return figures{money(r.outstanding), money(r.ceiling), money(max(0, r.ceiling-r.outstanding))}
}

// operation returns the operation of a row, without what the lists of the model say.
func (r *row) operation() (o Operation, err error) {
	o = Operation{
		Kind: billing.KindPurchase, Status: status(r.flags), OrderRef: string(r.order), Text: string(r.text),
		Amount: billing.Money{Amount: r.amount, Currency: string(r.currency)}, Refunded: r.refunded, Period: period(r.month),
		DecidedAt: time.UnixMicro(r.at).UTC(),
	}
	if r.flags&flagRefund != 0 {
		o.Kind = billing.KindRefund
	}
	f := r.figures()
	var more rest
	if len(r.rest) > 0 {
		if more, err = rests.Decode(r.rest); err != nil {
			return o, err
		}
		o.PurchaseRef, o.CreditNoteRef = more.PurchaseRef, more.CreditNoteRef
		if more.Figures != nil {
			f = *more.Figures
		}
	}
	o.Judgement = Judgement{
		ContractVersion: r.version, Outstanding: f.Outstanding, Ceiling: f.Ceiling, Available: f.Available, Reasons: more.Reasons, Refused: more.Refused,
	}
	return o, nil
}

// numbers returns the columns of a row that are numbers, and texts those that are texts. The time
// is that since the row before.
func (r *row) numbers(since int64) [numberColumns]uint64 {
	signed := func(n int64) uint64 { return uint64(n)<<1 ^ uint64(n>>63) }
	return [...]uint64{
		uint64(r.contract), uint64(r.of), uint64(r.back), uint64(r.flags), uint64(r.month), signed(r.amount), signed(r.refunded),
		signed(r.at - since), signed(r.version), signed(r.outstanding), signed(r.ceiling),
	}
}

func (r *row) texts() [textColumns]*[]byte {
	return [...]*[]byte{&r.currency, &r.order, &r.text, &r.rest}
}

func (r *row) set(n [numberColumns]uint64, since int64) {
	signed := func(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }
	r.contract, r.of, r.back, r.flags, r.month = uint32(n[0]), uint32(n[1]), uint32(n[2]), uint32(n[3]), uint32(n[4])
	r.amount, r.refunded, r.at = signed(n[5]), signed(n[6]), since+signed(n[7])
	r.version, r.outstanding, r.ceiling = signed(n[8]), signed(n[9]), signed(n[10])
}

const (
	numberColumns = 11
	textColumns   = 4
	// mostRows is how many operations a block has at most.
	mostRows = 256
)

// packRows returns a block of rows: the columns one after the other, because the values of a column
// resemble each other.
func packRows(rows []row) pack.Block {
	var columns [numberColumns + textColumns][]byte
	since := int64(0)
	for i := range rows {
		r := &rows[i]
		for c, n := range r.numbers(since) {
			columns[c] = binary.AppendUvarint(columns[c], n)
		}
		since = r.at
		for c, text := range r.texts() {
			c += numberColumns
			columns[c] = append(binary.AppendUvarint(columns[c], uint64(len(*text))), *text...)
		}
	}
	all := binary.AppendUvarint(nil, uint64(len(rows)))
	for _, c := range columns {
		all = append(binary.AppendUvarint(all, uint64(len(c))), c...)
	}
	return pack.BlockOf(all)
}

// eachRow calls each with the rows of a block, in order, until it returns an error. The row is
// valid during the call. eachRow returns that error, or one if the block is none that packRows
// returns.
func eachRow(b pack.Block, each func(i int, r *row) error) error {
	return b.Items(pack.Layout{}, func(slot int, item []byte) error {
		if slot > 0 {
			return fmt.Errorf("%w: it has more than one item", errRows)
		}
		all := reader{data: item, end: len(item)}
		n := all.number()
		if n == 0 || n > mostRows {
			return fmt.Errorf("%w: it has %d rows", errRows, n)
		}
		var columns [numberColumns + textColumns]reader
		for c := range columns {
			from, to := all.text()
			columns[c] = reader{data: item, at: from, end: to, bad: all.bad}
		}
		var r row
		for i := range int(n) {
			r.read(&columns)
			if slices.ContainsFunc(columns[:], func(c reader) bool { return c.bad }) {
				return fmt.Errorf("%w: a column is cut short", errRows)
			}
			if err := each(i, &r); err != nil {
				return err
			}
		}
		if slices.ContainsFunc(append(columns[:], all), func(c reader) bool { return c.at != c.end }) {
			return fmt.Errorf("%w: there is more than its rows", errRows)
		}
		return nil
	})
}

var (
	errRows = errors.New("not a block of operations")
	errEnd  = errors.New("no more rows are needed")
)

// read reads the next row. It still holds the one before.
func (r *row) read(columns *[numberColumns + textColumns]reader) {
	var numbers [numberColumns]uint64
	for c := range numbers {
		numbers[c] = columns[c].number()
	}
	r.set(numbers, r.at)
	for c, text := range r.texts() {
		from, to := columns[numberColumns+c].text()
		*text = columns[0].data[from:to]
	}
}

// reader reads a column, or the columns of a block.
type reader struct {
	data    []byte
	at, end int
	bad     bool // a value was cut short
}

func (r *reader) number() uint64 {
	if r.at < r.end && r.data[r.at] < 0x80 {
		r.at++
		return uint64(r.data[r.at-1])
	}
	n, size := binary.Uvarint(r.data[r.at:r.end])
	if size <= 0 {
		r.bad = true
		return 0
	}
	r.at += size
	return n
}

// text returns where a text is.
func (r *reader) text() (from, to int) {
	n := r.number()
	if r.bad || n > uint64(r.end-r.at) {
		r.bad = true
		return r.at, r.at
	}
	from, r.at = r.at, r.at+int(n)
	return from, r.at
}

// apply changes the row of an operation as it was changed since.
func (b *block) apply(at uint8, r *row) {
	c, changed := b.change(at)
	if !changed {
		return
	}
	r.refunded = c.Refunded
	if c.Cancelled {
		r.flags |= flagCancelled
	}
}

// operation returns the operation at a place, whose row is given.
func (b *block) operation(at uint8, r *row) recent {
	b.apply(at, r)
	o, err := r.operation()
	if err != nil { // see Model.Check
		panic(fmt.Sprintf("billing: an operation in memory cannot be read: %v", err))
	}
	return recent{Operation: &o, contract: r.contract, of: r.of, back: r.back}
}

// operations calls found with the operations at places of the block, which ascend.
func (b *block) operations(at []uint8, found func(n int, r recent)) {
	next := 0
	err := eachRow(b.packed, func(i int, r *row) error {
		for next < len(at) && int(at[next]) == i {
			found(next, b.operation(uint8(i), r))
			next++
		}
		if next == len(at) {
			return errEnd
		}
		return nil
	})
	if !errors.Is(err, errEnd) {
		panic(fmt.Sprintf("billing: operations in memory cannot be read: %v", err))
	}
}
