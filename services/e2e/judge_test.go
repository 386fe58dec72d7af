package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/observer"
)

// judgement is what the log alone shows of contracts and purchases.
type judgement struct {
	violations    []string
	applied, void int
	outstanding   map[string]int64
	keys          map[string]observer.Record
	suspended     map[string]int64 // offset of the record that suspended the contract, by contract
}

func (j *judgement) violated(format string, args ...any) {
	j.violations = append(j.violations, fmt.Sprintf(format, args...))
}

// judge checks the answers against the records of billing's log, in the order of the log. Each
// answered purchase is in the log once, as it was answered. Accepted purchases never exceed a
// ceiling at any prefix of the log. No purchase is accepted after the record of a suspension.
func judge(records []observer.Record, contracts []*contract, all []*purchase) *judgement {
	j := &judgement{outstanding: map[string]int64{}, keys: map[string]observer.Record{}, suspended: map[string]int64{}}
	ceilings := map[string]int64{}
	for _, c := range contracts {
		ceilings[c.ref] = c.ceiling
	}
	for _, r := range records {
		if r.Topic == billingLog && r.Envelope != nil {
			j.record(r, ceilings)
		}
	}
	for _, p := range all {
		j.purchase(p)
	}
	return j
}

func (j *judgement) record(r observer.Record, ceilings map[string]int64) {
	if r.Void() {
		j.void++
		return
	}
	j.applied++
	ref := fmt.Sprint(r.Value["contractRef"])
	ceiling, ours := ceilings[ref]
	switch {
	case !ours:
	case r.Type == "ContractObserved":
		state, _ := r.Value["contract"].(map[string]any)
		if state["status"] == "SUSPENDED" {
			j.suspended[ref] = r.Offset
		} else {
			delete(j.suspended, ref)
		}
	case r.Type == "PurchaseAccepted", r.Type == "PurchaseRefused":
		key := keyOf(r)
		if was, twice := j.keys[key]; twice {
			j.violated("%s is in the log twice: %s @%d and %s @%d", key, was.Type, was.Offset, r.Type, r.Offset)
		}
		j.keys[key] = r
		if r.Type == "PurchaseRefused" {
			return
		}
		if j.outstanding[ref] += amountOf(r); j.outstanding[ref] > ceiling {
			j.violated("@%d raises the outstanding of %s to %d, the ceiling is %d", r.Offset, ref, j.outstanding[ref], ceiling)
		}
		if at, yes := j.suspended[ref]; yes {
			j.violated("@%d accepts a purchase on %s, which was suspended at @%d", r.Offset, ref, at)
		}
	}
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

func amountOf(r observer.Record) (n int64) {
	money, _ := r.Value["amount"].(map[string]any)
	_, _ = fmt.Sscan(fmt.Sprint(money["amount"]), &n)
	return n
}

// verify checks all purchases made since a mark against the log, against the read model of each
// instance, and for linearizability.
func (s *system) verify(mark int, contracts []*contract, all []*purchase, suspensions []suspension) *judgement {
	s.t.Helper()
	s.sync()
	j := judge(s.topics.Since(mark), contracts, all)
	for _, b := range s.Billing {
		for _, c := range contracts {
			s.until("outstanding of "+c.ref+" on "+b.Name(), func() error {
				e, err := s.eligibility(b, c)
				if err == nil && e.Outstanding.Total.Amount != j.outstanding[c.ref] {
					err = fmt.Errorf("it is %d, by the log %d", e.Outstanding.Total.Amount, j.outstanding[c.ref])
				}
				return err
			})
		}
	}
	j.violations = append(j.violations, linear(contracts, all, suspensions)...)
	for _, v := range j.violations {
		s.t.Error(v)
	}
	return j
}

func (s *system) sync() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if err := s.topics.Sync(ctx); err != nil {
		s.t.Fatal(err)
	}
}

func TestJudgeCatches(t *testing.T) {
	c := &contract{ref: "CTR-1", ceiling: 500}
	offset := int64(0)
	put := func(kind, key string, amount int64, applied bool) observer.Record {
		offset++
		return observer.Record{Topic: billingLog, Type: kind, Offset: offset, Envelope: &observer.Envelope{Applied: applied}, Value: map[string]any{
			"contractRef": "CTR-1", "operationRef": "BOP-" + key, "amount": map[string]any{"amount": amount}, "request": map[string]any{"key": key}}}
	}
	status := func(name string) observer.Record {
		offset++
		return observer.Record{Topic: billingLog, Type: "ContractObserved", Offset: offset, Envelope: &observer.Envelope{Applied: true},
			Value: map[string]any{"contractRef": "CTR-1", "contract": map[string]any{"status": name}}}
	}
	answered := func(key string, amount int64, accepted bool) *purchase {
		return &purchase{key: key, contract: c, amount: amount, called: 1, returned: 2, verdict: verdict{Accepted: accepted, OperationRef: "BOP-" + key}}
	}
	for name, tt := range map[string]struct {
		log  []observer.Record
		all  []*purchase
		want string
	}{
		"no violation": {[]observer.Record{put("PurchaseAccepted", "a", 300, true), put("PurchaseAccepted", "b", 300, false), put("PurchaseRefused", "b", 300, true),
			status("SUSPENDED"), put("PurchaseRefused", "c", 1, true), status("ACTIVE"), put("PurchaseAccepted", "d", 200, true)},
			[]*purchase{answered("a", 300, true), answered("b", 300, false), answered("c", 1, false), answered("d", 200, true)}, ""},
		"lost":             {nil, []*purchase{answered("a", 1, true)}, "not in the log"},
		"only void":        {[]observer.Record{put("PurchaseAccepted", "a", 1, false)}, []*purchase{answered("a", 1, true)}, "not in the log"},
		"twice":            {[]observer.Record{put("PurchaseAccepted", "a", 1, true), put("PurchaseAccepted", "a", 1, true)}, []*purchase{answered("a", 1, true)}, "twice"},
		"another verdict":  {[]observer.Record{put("PurchaseRefused", "a", 1, true)}, []*purchase{answered("a", 1, true)}, "the log has"},
		"another amount":   {[]observer.Record{put("PurchaseAccepted", "a", 2, true)}, []*purchase{answered("a", 1, true)}, "the log has"},
		"over the ceiling": {[]observer.Record{put("PurchaseAccepted", "a", 300, true), put("PurchaseAccepted", "b", 201, true)}, nil, "to 501"},
		"while suspended":  {[]observer.Record{status("SUSPENDED"), put("PurchaseAccepted", "a", 1, true)}, []*purchase{answered("a", 1, true)}, "was suspended"},
		"never decided":    {nil, []*purchase{{key: "a", contract: c}}, "never decided"},
		"void not counted": {[]observer.Record{put("PurchaseAccepted", "a", 501, false)}, nil, ""},
	} {
		got := judge(tt.log, []*contract{c}, tt.all).violations
		if ok := len(got) == 0; ok != (tt.want == "") || !ok && !slices.ContainsFunc(got, func(v string) bool { return strings.Contains(v, tt.want) }) {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}
