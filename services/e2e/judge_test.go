package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/observer"
)

// judgement is what the log alone shows.
type judgement struct {
	*books
	applied, void int
	keys          map[string]observer.Record // applied records by the key of their request
}

// judge checks the answers against the records of billing's log, in the order of the log, and the
// records against the rules: see books. Each answered purchase is in the log once, as it was
// answered. Records before the mark are not counted.
func judge(records []observer.Record, mark int, all []*purchase) *judgement {
	j := &judgement{books: newBooks(), keys: map[string]observer.Record{}}
	for n, r := range records {
		if r.Topic == billingLog && r.Envelope != nil {
			j.enter(r, n >= mark)
		}
	}
	for _, p := range all {
		j.purchase(p)
	}
	return j
}

func (j *judgement) violated(format string, args ...any) {
	j.violations = append(j.violations, fmt.Sprintf(format, args...))
}

func (j *judgement) enter(r observer.Record, counted bool) {
	switch {
	case r.Void() && counted:
		j.void++
		return
	case r.Void():
		return
	case counted:
		j.applied++
	}
	if key := keyOf(r); key != "" {
		if was, twice := j.keys[key]; twice {
			j.violated("%s is in the log twice: %s @%d and %s @%d", key, was.Type, was.Offset, r.Type, r.Offset)
		}
		j.keys[key] = r
	}
	j.record(r)
}

func (j *judgement) purchase(p *purchase) {
	r, there := j.keys[p.key]
	switch want := map[bool]string{true: "PurchaseAccepted", false: "PurchaseRefused"}[p.verdict.Accepted]; {
	case p.returned == 0:
		j.violated("%s was never decided", p.key)
	case !there:
		j.violated("%s was answered %+v and is not in the log", p.key, p.verdict)
	case r.Type != want || fmt.Sprint(r.Value["operationRef"]) != p.verdict.OperationRef || amountOf(r) != p.amount || fmt.Sprint(r.Value["contractRef"]) != p.contract.ref:
		j.violated("%s was answered %+v, the log has %s %v", p.key, p.verdict, r.Type, r.Value)
	}
}

func keyOf(r observer.Record) string {
	request, _ := r.Value["request"].(map[string]any)
	key, _ := request["key"].(string)
	return key
}

func amountOf(r observer.Record) int64 {
	return cents(r.Value["amount"])
}

// verify checks all purchases made since a mark against the log, against the read model of each
// instance, and for linearizability.
func (s *system) verify(mark int, contracts []*contract, all []*purchase, suspensions []suspension) *judgement {
	s.t.Helper()
	s.sync()
	j := judge(s.topics.Since(0), mark, all)
	s.accounts(j, contracts)
	j.violations = append(j.violations, linear(contracts, all, suspensions)...)
	for _, v := range j.violations {
		s.t.Error(v)
	}
	return j
}

// accounts waits until every instance shows the outstanding amounts that the log implies.
func (s *system) accounts(j *judgement, contracts []*contract) {
	s.t.Helper()
	for _, b := range s.Billing {
		for _, c := range contracts {
			s.until("outstanding of "+c.ref+" on "+b.Name(), func() error {
				e, err := s.eligibility(b, c)
				if err == nil && e.Outstanding.Total.Amount != j.outstanding(c.ref) {
					err = fmt.Errorf("it is %d, by the log %d", e.Outstanding.Total.Amount, j.outstanding(c.ref))
				}
				return err
			})
		}
	}
}

func (s *system) sync() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := s.topics.Sync(ctx); err != nil {
		s.t.Fatal(err)
	}
}

// writer writes the records of a log.
type writer struct{ log []observer.Record }

// put adds a record, decided at the given day of 2026.
func (w *writer) put(kind, day string, value map[string]any) *writer {
	at, err := time.ParseInLocation("2006-01-02 15:04", "2026-"+day+" 12:00", paris)
	if err != nil {
		panic(err)
	}
	w.log = append(w.log, observer.Record{Topic: billingLog, Type: kind, Offset: int64(len(w.log)), Envelope: &observer.Envelope{Applied: true, DecidedAt: at}, Value: value})
	return w
}

func (w *writer) void() *writer {
	w.log[len(w.log)-1].Envelope.Applied = false
	return w
}

func (w *writer) contract(ref, status string) *writer {
	return w.put("ContractObserved", "01-01", map[string]any{"contractRef": ref, "contract": map[string]any{
		"status": status, "customerRef": "CE-1", "ceiling": euros(500)}})
}

func (w *writer) purchase(kind, key string, amount int64) *writer {
	return w.put(kind, "01-15", map[string]any{"contractRef": "CTR-1", "operationRef": "BOP-" + key, "amount": euros(amount), "period": "2026-01",
		"request": map[string]any{"key": key}})
}

// part adds a record about a purchase or an invoice of CTR-1.
func (w *writer) part(kind, day string, amount int64, more ...any) *writer {
	v := map[string]any{"contractRef": "CTR-1", "amount": euros(amount), "invoiceRef": "BIL-2026-000001", "purchaseRef": "BOP-a", "operationRef": "BOP-a", "presentation": 1}
	for n := 0; n < len(more); n += 2 {
		v[more[n].(string)] = more[n+1]
	}
	return w.put(kind, day, v)
}

// closed closes January with one part.
func (w *writer) closed(day, ref string, lines, total int64, contracts ...any) *writer {
	return w.put("PeriodClosed", day, map[string]any{"contractRef": "CTR-1", "invoiceRef": ref, "period": "2026-01", "lineCount": lines, "total": euros(total),
		"parts": []any{map[string]any{"contractRef": "CTR-1", "lineCount": lines, "total": euros(total)}}, "contracts": contracts})
}

func euros(amount int64) map[string]any {
	return map[string]any{"amount": amount, "currency": "EUR"}
}

// begun is a log with two contracts of a customer, CTR-1 and CTR-2.
func begun() *writer {
	return new(writer).contract("CTR-1", "ACTIVE").contract("CTR-2", "ACTIVE")
}

// bought is a log with a purchase BOP-a of 300 on CTR-1.
func bought() *writer { return begun().purchase("PurchaseAccepted", "a", 300) }

// billed is a log in which the purchase of bought is on invoice BIL-2026-000001.
func billed() *writer { return bought().closed("02-01", "BIL-2026-000001", 1, 300, "CTR-1", "CTR-2") }

// presented is a log in which the invoice of billed is with the bank.
func presented() *writer { return billed().part("DebitPresented", "02-02", 300) }

func TestJudgeCatches(t *testing.T) {
	answered := func(key string, amount int64, accepted bool) *purchase {
		return &purchase{key: key, contract: &contract{ref: "CTR-1"}, amount: amount, called: 1, returned: 2, verdict: verdict{Accepted: accepted, OperationRef: "BOP-" + key}}
	}
	const yes, no = "PurchaseAccepted", "PurchaseRefused"
	a := []*purchase{answered("a", 300, true)}
	for name, tt := range map[string]struct {
		log  *writer
		all  []*purchase
		want string
	}{
		"no violation": {bought().purchase(yes, "b", 300).void().purchase(no, "b", 300).contract("CTR-1", "SUSPENDED").purchase(no, "c", 1).contract("CTR-1", "ACTIVE").purchase(yes, "d", 200),
			[]*purchase{answered("a", 300, true), answered("b", 300, false), answered("c", 1, false), answered("d", 200, true)}, ""},
		"lost":                {begun(), a, "not in the log"},
		"only void":           {bought().void(), a, "not in the log"},
		"twice":               {bought().purchase(yes, "a", 1), a, "twice"},
		"another verdict":     {begun().purchase(no, "a", 300), a, "the log has"},
		"another amount":      {begun().purchase(yes, "a", 2), a, "the log has"},
		"over the ceiling":    {bought().purchase(yes, "b", 201), a, "to 501"},
		"while suspended":     {begun().contract("CTR-1", "SUSPENDED").purchase(yes, "a", 300), a, "which is SUSPENDED"},
		"never decided":       {begun(), []*purchase{{key: "a", contract: &contract{ref: "CTR-1"}}}, "never decided"},
		"void not counted":    {begun().purchase(yes, "a", 501).void(), nil, ""},
		"another month":       {begun().part(yes, "03-01", 1, "period", "2026-01"), nil, "decided in 2026-03"},
		"after the closing":   {billed().purchase(yes, "b", 1), nil, "in the closed period"},
		"over it, invoiced":   {billed().part(yes, "02-03", 201, "period", "2026-02"), nil, "to 501"},
		"over it, collected":  {presented().part("DebitCollected", "02-03", 300).part(yes, "02-04", 500, "period", "2026-02"), nil, ""},
		"over it, returned":   {presented().part("DebitCollected", "02-03", 300).part("DebitReturned", "02-03", 300).part(yes, "02-04", 201, "period", "2026-02"), nil, "to 501"},
		"refund":              {bought().part("RefundAccepted", "01-16", 300, "operationRef", "BOP-r").purchase(yes, "b", 500), nil, ""},
		"refund above it":     {bought().part("RefundAccepted", "01-16", 200).part("RefundAccepted", "01-16", 101), nil, "100 of 300 is left"},
		"refund of another's": {bought().part("RefundAccepted", "01-16", 1, "contractRef", "CTR-2"), nil, "not a purchase of CTR-2"},
		"refund, invoiced":    {billed().part("RefundAccepted", "02-02", 1), nil, "in the closed period"},
		"refund, cancelled":   {bought().part("PurchaseCancelled", "01-16", 0).part("RefundAccepted", "01-17", 1), nil, "is cancelled"},
		"cancelled":           {bought().part("PurchaseCancelled", "01-16", 0).purchase(yes, "b", 500), nil, ""},
		"cancelled twice":     {bought().part("PurchaseCancelled", "01-16", 0).part("PurchaseCancelled", "01-16", 0), nil, "cancelled, refunded"},
		"cancelled, invoiced": {billed().part("PurchaseCancelled", "02-16", 0), nil, "cancelled, refunded"},
		"cancelled, refunded": {bought().part("RefundAccepted", "01-16", 1).part("PurchaseCancelled", "01-16", 0), nil, "cancelled, refunded"},
		"billed":              {billed(), nil, ""},
		"billed too early":    {bought().closed("01-31", "BIL-2026-000001", 1, 300, "CTR-1", "CTR-2"), nil, "closes 2026-01 in 2026-01"},
		"number left out":     {bought().closed("02-01", "BIL-2026-000002", 1, 300, "CTR-1", "CTR-2"), nil, "want BIL-2026-000001"},
		"wrong sum":           {bought().closed("02-01", "BIL-2026-000001", 1, 299, "CTR-1", "CTR-2"), nil, "differs from the operations"},
		"wrong count":         {bought().closed("02-01", "BIL-2026-000001", 2, 300, "CTR-1", "CTR-2"), nil, "differs from the operations"},
		"billed twice":        {billed().closed("02-01", "BIL-2026-000002", 1, 300, "CTR-1", "CTR-2"), nil, "differs from the operations"},
		"contract left out":   {bought().closed("02-01", "BIL-2026-000001", 1, 300, "CTR-1"), nil, "want CTR-2 too"},
		"lines left out":      {bought().part(yes, "01-15", 5, "contractRef", "CTR-2", "period", "2026-01").closed("02-01", "BIL-2026-000001", 1, 300, "CTR-1", "CTR-2"), nil, "1 lines of CTR-2"},
		"credit note":         {billed().part("CreditNoteRecorded", "02-02", 300, "creditNoteRef", "AVO-2026-000001").part(yes, "02-04", 500, "period", "2026-02"), nil, ""},
		"credit note above":   {billed().part("CreditNoteRecorded", "02-02", 301, "creditNoteRef", "AVO-2026-000001"), nil, "300 of 300 is left"},
		"credit note number":  {billed().part("CreditNoteRecorded", "02-02", 1, "creditNoteRef", "AVO-2026-000002"), nil, "want AVO-2026-000001"},
		"credit note, open":   {bought().part("CreditNoteRecorded", "01-20", 1, "creditNoteRef", "AVO-2026-000001"), nil, "not on invoice"},
		"presented too much":  {billed().part("DebitPresented", "02-02", 301), nil, "301 on the part"},
		"presented twice":     {presented().part("DebitPresented", "02-02", 300, "presentation", 2), nil, "300 on the part"},
		"presented again":     {presented().part("DebitRejected", "02-03", 300).part("DebitPresented", "02-04", 300, "presentation", 2), nil, ""},
		"first presentation":  {billed().part("DebitPresented", "02-02", 300, "presentation", 2), nil, "300 on the part"},
		"collected too early": {billed().part("DebitCollected", "02-02", 300), nil, "on the part"},
		"collected too much":  {presented().part("DebitCollected", "02-02", 301), nil, "301 on the part"},
		"rejected, collected": {presented().part("DebitCollected", "02-03", 300).part("DebitRejected", "02-04", 300), nil, "on the part"},
		"returned, open":      {presented().part("DebitReturned", "02-03", 300), nil, "on the part"},
		"transfer":            {billed().part("SettledOtherwise", "02-02", 300), nil, ""},
		"transfer twice":      {billed().part("SettledOtherwise", "02-02", 300).part("SettledOtherwise", "02-03", 300), nil, "on the part"},
		"transfer, presented": {presented().part("SettledOtherwise", "02-03", 300), nil, "on the part"},
		"another's invoice":   {billed().part("DebitPresented", "02-02", 300, "contractRef", "CTR-2"), nil, "no part of CTR-2"},
	} {
		got := judge(tt.log.log, 0, tt.all).violations
		if ok := len(got) == 0; ok != (tt.want == "") || !ok && !slices.ContainsFunc(got, func(v string) bool { return strings.Contains(v, tt.want) }) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
