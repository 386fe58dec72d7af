package effect

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/numbers"
	"github.com/deferpay/deferpay/services/journal/pack"
)

// drawOperation draws what the row of an operation keeps.
func drawOperation(t *rapid.T) *Operation {
	money := func(name string) billing.Money {
		return billing.Money{Amount: rapid.Int64().Draw(t, name), Currency: rapid.SampledFrom([]string{"EUR", "CHF", ""}).Draw(t, "currency")}
	}
	o := &Operation{
		Kind: billing.KindPurchase, Status: rapid.SampledFrom([]billing.OperationStatus{billing.OperationAccepted, billing.OperationCancelled}).Draw(t, "status"),
		OrderRef: rapid.String().Draw(t, "order"), Text: rapid.String().Draw(t, "text"), Amount: money("amount"), Refunded: rapid.Int64().Draw(t, "refunded"),
		Period:    billing.Period{Year: rapid.IntRange(2000, 2999).Draw(t, "year"), Month: time.Month(rapid.IntRange(1, 12).Draw(t, "month"))},
		DecidedAt: time.UnixMicro(rapid.Int64Range(-1<<50, 1<<51).Draw(t, "at")).UTC(),
		Judgement: Judgement{ContractVersion: rapid.Int64().Draw(t, "version"), Outstanding: money("outstanding"), Ceiling: money("ceiling")},
	}
	o.Judgement.Available = rapid.SampledFrom([]billing.Money{o.Amount, {Amount: max(0, o.Judgement.Ceiling.Amount-o.Judgement.Outstanding.Amount), Currency: o.Amount.Currency}}).Draw(t, "available")
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		o.Kind, o.Status, o.PurchaseRef = billing.KindRefund, billing.OperationAccepted, "BOP-1-1"
		o.CreditNoteRef = rapid.SampledFrom([]string{"", "AVO-2026-000001"}).Draw(t, "credit note")
	case 1:
		o.Status, o.Period = billing.OperationRefused, billing.Period{}
		o.Judgement.Reasons = []billing.Reason{billing.MandateNotValid}
		o.Judgement.Refused = &Refused{Status: billing.StatusActive, ValidFrom: time.Unix(1, 0).UTC(), Mandate: &billing.MandateError{ContractRef: "CTR-1"}}
	}
	return o
}

// unpackRows returns the rows of a block.
func unpackRows(b pack.Block) (rows []row, err error) {
	err = eachRow(b, func(_ int, r *row) error {
		kept := *r
		for _, text := range kept.texts() {
			*text = slices.Clone(*text)
		}
		rows = append(rows, kept)
		return nil
	})
	return rows, err
}

func mustUnpack(b pack.Block) []row {
	rows, err := unpackRows(b)
	if err != nil {
		panic(err)
	}
	return rows
}

// What is read from a block is what was packed.
func TestRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var operations []recent
		for range rapid.IntRange(1, 20).Draw(t, "operations") {
			operations = append(operations, recent{
				Operation: drawOperation(t), contract: rapid.Uint32().Draw(t, "contract"), of: rapid.Uint32().Draw(t, "of"), back: rapid.Uint32().Draw(t, "back"),
			})
		}
		rows, err := rowsOf(operations)
		if err != nil {
			t.Fatal(err)
		}
		b := &block{packed: packRows(rows)}
		for i, r := range mustUnpack(b.packed) {
			if got := b.operation(uint8(i), &r); !reflect.DeepEqual(got, operations[i]) {
				t.Fatalf("read %+v, want %+v", got.Operation, operations[i].Operation)
			}
		}
	})
}

// filled returns a model with eleven operations, of which eight are packed.
func filled() *Model {
	m := NewModel()
	m.PackAll(4, 2)
	m.addContract(billing.Contract{Ref: "CTR-1", CustomerRef: "CE-1", Version: 1})
	for i := range 11 {
		n := m.contract("CTR-1")
		m.keepTerms(n, billing.Contract{CustomerRef: "CE-1"})
		m.append(&Operation{Kind: billing.KindPurchase, Status: billing.OperationAccepted, OrderRef: fmt.Sprint("ORD-", i/2), Period: billing.Period{Year: 2026, Month: 3}}, n)
	}
	m.issueInvoice(billing.Invoice{Ref: "BIL-2026-000001", CustomerRef: "CE-1", Period: billing.Period{Year: 2026, Month: 2}, Parts: []billing.Part{{ContractRef: "CTR-1"}}})
	return m
}

// What packed operations take is counted when they are packed, and when they are loaded.
func TestPackedBytes(t *testing.T) {
	m, loaded := filled(), NewModel()
	loaded.PackAll(4, 2)
	into := loaded.Load()
	for _, it := range cutOf(t, m) {
		data, err := items.Append(nil, it)
		if err != nil {
			t.Fatal(err)
		}
		if err := into.Add(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := into.End(); err != nil {
		t.Fatal(err)
	}
	into.Use()
	for name, m := range map[string]*Model{"packed": m, "loaded": loaded} {
		want := m.orders.Bytes()
		for _, b := range m.blocks {
			want += int64(len(b.packed))
		}
		if operations, bytes := m.Packed(); operations != 8 || bytes != want || bytes <= m.orders.Bytes() {
			t.Errorf("%s: %d operations in %d bytes, want 8 in %d", name, operations, bytes, want)
		}
	}
	m.Reset()
	if operations, bytes := m.Packed(); operations != 0 || bytes != 0 {
		t.Errorf("%d operations in %d bytes are left of nothing", operations, bytes)
	}
}

// cutOf returns the items of a cut.
func cutOf(t *testing.T, m *Model) (all []item) {
	t.Helper()
	c := m.Cut()
	defer c.End()
	for {
		data, more, err := c.Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return all
		}
		it, err := items.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, it)
	}
}

// loaded returns the model that the items of a cut lead to. Before item n, it calls meanwhile.
func loaded(t *testing.T, m *Model, n int, meanwhile func()) *Model {
	t.Helper()
	c, into := m.Cut(), NewModel()
	into.PackAll(4, 2)
	l := into.Load()
	for i := 0; ; i++ {
		if i == n {
			meanwhile()
		}
		data, more, err := c.Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			break
		}
		if err := l.Add(data); err != nil {
			t.Fatal(err)
		}
	}
	c.End()
	if err := l.End(); err != nil {
		t.Fatal(err)
	}
	l.Use()
	return into
}

// grow adds operations of all kinds, and cancels one of before.
func grow(m *Model) {
	march := billing.Period{Year: 2026, Month: 3}
	for range 20 {
		m.append(&Operation{Kind: billing.KindPurchase, Status: billing.OperationAccepted, OrderRef: "ORD-0", Period: march}, m.contract("CTR-1"))
		m.append(&Operation{Kind: billing.KindPurchase, Status: billing.OperationRefused, OrderRef: fmt.Sprint("more/", m.count())}, m.contract(fmt.Sprint("CTR-", m.count())))
	}
	m.cancel(billing.Operation{Ref: "BOP-1-1", ContractRef: "CTR-1", Status: billing.OperationCancelled, Period: march})
}

// A cut hands out the model as it was, whatever becomes of the model meanwhile.
func TestCutKeepsWhatWas(t *testing.T) {
	for name, change := range map[string]func(*Model){
		"grown":    grow,
		"replaced": func(m *Model) { m.Load().Use(); grow(m) },
		"emptied":  func(m *Model) { m.Reset(); grow(m) },
	} {
		for n := range len(cutOf(t, filled())) + 1 {
			m := filled()
			want := loaded(t, m, 0, func() {})
			if got := loaded(t, m, n, func() { change(m) }); !reflect.DeepEqual(got, want) {
				t.Errorf("%s before item %d: the cut leads to %+v, want %+v", name, n, got, want)
			}
		}
	}
}

// inItems returns rows in a block that has an item for each.
func inItems(rows []row) pack.Block {
	s := pack.New(pack.Layout{})
	for i := range rows {
		_ = packRows(rows[i:i+1]).Items(pack.Layout{}, func(_ int, item []byte) error {
			s.Add(item, 1)
			return nil
		})
	}
	return s.Cut()[0].Block
}

// load returns the error of the first item that is refused by whoever makes a cut or loads it, or
// that of all.
func load(t *testing.T, all []item) error {
	t.Helper()
	l := NewModel()
	l.PackAll(4, 2)
	into := l.Load()
	for _, it := range all {
		data, err := items.Append(nil, it)
		if err != nil {
			t.Fatal(err)
		}
		if err := cmp.Or(l.Check(data), into.Add(data)); err != nil {
			return err
		}
	}
	return into.End()
}

// A snapshot whose items do not belong together is refused.
func TestLoadRefuses(t *testing.T) {
	const (
		seed, orders, refs, pairs, heard, termsAt, parts = 0, 1, 2, 3, 4, 5, 6
		lists, first, second, last                       = 9, 10, 11, 12
		contractList, monthList, orderList               = 0, 1, 2
	)
	rows := func(change func([]row) []row) func([]item) []item {
		return func(all []item) []item {
			b := *all[second].Block
			b.Data = packRows(change(mustUnpack(b.Data)))
			all[second].Block = &b
			return all
		}
	}
	row0 := func(change func(*row)) func([]item) []item {
		return rows(func(all []row) []row { change(&all[0]); return all })
	}
	recent0 := func(change func(*row)) func([]item) []item {
		return func(all []item) []item {
			changed := mustUnpack(all[last].Block.Data)
			change(&changed[0])
			all[last].Block.Data = packRows(changed)
			return all
		}
	}
	listed := func(n int, of ...uint32) func([]item) []item {
		return func(all []item) []item {
			all[lists].Lists[n].Numbers = numbers.List(of).Append(nil)
			return all
		}
	}
	without := func(n int) func([]item) []item { return func(all []item) []item { return slices.Delete(all, n, n+1) } }
	for name, spoil := range map[string]func([]item) []item{
		"":                          func(all []item) []item { return all },
		"no contracts":              without(refs),
		"no seed":                   without(seed),
		"no index of orders":        without(orders),
		"short seed":                func(all []item) []item { all[seed].Seed = all[seed].Seed[1:]; return all },
		"order of no operation":     func(all []item) []item { return indexed(all, orders, 12) },
		"orders cut short":          func(all []item) []item { o := all[orders].Orders; all[orders].Orders = o[:len(o)-1]; return all },
		"orders twice":              func(all []item) []item { return slices.Insert(all, orders, all[orders]) },
		"pair of another contract":  func(all []item) []item { all[pairs].Pairs[0].Contract = 1; return all },
		"another contract heard of": func(all []item) []item { all[heard].Heard[0] = 1; return all },
		"terms of another contract": func(all []item) []item { all[termsAt].Terms[0].Contract = 1; return all },
		"terms of no operation":     func(all []item) []item { all[termsAt].Terms[0].From = 0; return all },
		"part of another contract":  func(all []item) []item { all[parts].Parts[0] = 1; return all },
		"invoice without its parts": without(parts),
		"no lists":                  without(lists),
		"lists twice":               func(all []item) []item { return slices.Insert(all, lists, all[lists]) },
		"list of no kind":           func(all []item) []item { all[lists].Lists[0].Of = ofCancelledLate + 1; return all },
		"list of another contract":  func(all []item) []item { all[lists].Lists[contractList].Key = 1; return all },
		"list of other bytes":       func(all []item) []item { all[lists].Lists[contractList].Numbers = []byte{0x80}; return all },
		"fewer in a contract":       listed(contractList, 0, 1, 2),
		"others in a contract":      listed(contractList, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11),
		"others in an order":        listed(orderList, 11),
		"fewer in an order":         listed(orderList),
		"others in a month":         func(all []item) []item { all[lists].Lists[monthList].Numbers = []byte{0, 12}; return all },
		"refused that is not there": func(all []item) []item {
			all[lists].Lists = append(all[lists].Lists, list{ofRefused, 0, []byte{11}})
			return all
		},
		"cancelled that is not there": func(all []item) []item {
			all[lists].Lists = append(all[lists].Lists, list{ofCancelled, 0, []byte{11}})
			return all
		},
		"missing block":           without(first),
		"block twice":             func(all []item) []item { return slices.Insert(all, second, all[first]) },
		"block after recent ones": func(all []item) []item { all[second], all[last] = all[last], all[second]; return all },
		"block cut short":         func(all []item) []item { b := all[first].Block; b.Data = b.Data[:len(b.Data)-1]; return all },
		"block of other bytes":    func(all []item) []item { all[first].Block.Data = []byte("nonsense"); return all },
		"block of two items": func(all []item) []item {
			all[second].Block.Data = inItems(mustUnpack(all[second].Block.Data))
			return all
		},
		"recent ones that are missing": without(last),
		"operation of no contract":     row0(func(r *row) { r.contract = 7 }),
		"unknown flag":                 row0(func(r *row) { r.flags = flagsEnd }),
		"rest of other bytes":          row0(func(r *row) { r.rest = []byte("nonsense") }),
		"recent one of no contract":    recent0(func(r *row) { r.contract = 7 }),
	} {
		if err := load(t, spoil(cutOf(t, filled()))); (err == nil) != (name == "") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// A recent operation that cannot be read is refused by a start too, which looks into it.
func TestLoadRefusesRecent(t *testing.T) {
	all := cutOf(t, filled())
	last := all[len(all)-1].Block
	rows := mustUnpack(last.Data)
	rows[0].rest = []byte("nonsense")
	last.Data = packRows(rows)
	into, refused := NewModel().Load(), false
	for _, it := range all {
		data, err := items.Append(nil, it)
		if err != nil {
			t.Fatal(err)
		}
		refused = refused || into.Add(data) != nil
	}
	if !last.Recent || !refused {
		t.Error("an operation that cannot be read is loaded")
	}
}

// indexed returns items of which one has an index whose first handle is another one.
func indexed(all []item, at int, h pack.Handle) []item {
	_, size := binary.Uvarint(all[at].Orders) // the number of the shard, before that of its entries
	binary.LittleEndian.PutUint32(all[at].Orders[size+1:], uint32(h))
	return all
}

// Blocks whose bytes were changed are refused, or hold rows: nothing panics.
func TestSpoiltRows(t *testing.T) {
	columns := func(b pack.Block) (all []byte) {
		_ = b.Items(pack.Layout{}, func(_ int, item []byte) error { all = slices.Clone(item); return nil })
		return all
	}
	whole := columns(filled().blocks[0].packed)
	for n := range whole {
		if _, err := unpackRows(pack.BlockOf(whole[:n])); err == nil {
			t.Errorf("a block of %d bytes of %d was read", n, len(whole))
		}
		spoilt := slices.Clone(whole)
		spoilt[n] ^= 0x81
		if rows, err := unpackRows(pack.BlockOf(spoilt)); err == nil && len(rows) != 4 {
			t.Errorf("a block with byte %d changed has %d rows", n, len(rows))
		}
	}
	if _, err := unpackRows(pack.BlockOf(append(whole, 0))); !errors.Is(err, errRows) {
		t.Errorf("a block with more bytes than its columns: %v", err)
	}
}
