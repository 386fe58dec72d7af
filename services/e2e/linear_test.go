package e2e

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// suspension has the times at which the suspension of a contract was requested and at which every
// instance showed it; 0 means not yet.
type suspension struct {
	contract    *contract
	asked, seen time.Duration
}

// account is the state of a contract in the model.
type account struct {
	ceiling, outstanding int64
	suspended            bool
}

// step is an input of the model. The first one of each history opens the account. Purchases and
// suspensions follow.
type step struct {
	opens    int64 // ceiling of the account that it opens; 0 for other steps
	suspends bool
	amount   int64
}

// model is an account that decides one request after another. A purchase is accepted if the account
// is not suspended and the amount fits. The answer has the outstanding amount after the decision
// and every reason for a refusal. A purchase without an answer may have been decided either way or
// not at all.
var model = porcupine.Model{
	Init: func() any { return account{} },
	Step: func(state, input, output any) (bool, any) {
		a, in := state.(account), input.(step)
		switch {
		case in.opens > 0:
			return true, account{ceiling: in.opens}
		case in.suspends:
			a.suspended = true
			return true, a
		}
		fits := a.outstanding+in.amount <= a.ceiling
		if fits && !a.suspended {
			a.outstanding += in.amount
		}
		v, answered := output.(verdict)
		if !answered {
			return true, a
		}
		return v.Accepted == (fits && !a.suspended) && v.Outstanding == a.outstanding &&
			slices.Contains(v.Reasons, "CEILING_EXCEEDED") == !fits && slices.Contains(v.Reasons, "CONTRACT_NOT_ACTIVE") == a.suspended, a
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
	DescribeState:     func(s any) string { return fmt.Sprintf("%+v", s) },
}

// linear returns the contracts whose answers are not linearizable. A purchase takes effect once,
// however often it was sent, between its first request and its first verdict. Without a verdict it
// may take effect at any later time or never.
func linear(contracts []*contract, all []*purchase, suspensions []suspension) (violations []string) {
	const limit = time.Minute
	for _, c := range contracts {
		history := []porcupine.Operation{{Input: step{opens: c.ceiling}, Call: -1, Return: -1}}
		for _, p := range all {
			if p.contract != c || p.called == 0 {
				continue
			}
			op := porcupine.Operation{Input: step{amount: p.amount}, Call: int64(p.called), Return: math.MaxInt64}
			if p.returned != 0 {
				op.Output, op.Return = p.verdict, int64(p.returned)
			}
			history = append(history, op)
		}
		for _, s := range suspensions {
			if s.contract != c {
				continue
			}
			op := porcupine.Operation{Input: step{suspends: true}, Call: int64(s.asked), Return: math.MaxInt64}
			if s.seen != 0 {
				op.Return = int64(s.seen)
			}
			history = append(history, op)
		}
		if got := porcupine.CheckOperationsTimeout(model, history, limit); got != porcupine.Ok {
			violations = append(violations, fmt.Sprintf("answers on %s are not linearizable: %s after %d operations", c.ref, strings.ToLower(string(got)), len(history)))
		}
	}
	return violations
}

func TestLinearCatches(t *testing.T) {
	c := &contract{ref: "CTR-1", ceiling: 500}
	buy := func(amount int64, called, returned time.Duration, accepted bool, outstanding int64, reasons ...string) *purchase {
		return &purchase{contract: c, amount: amount, called: called, returned: returned, verdict: verdict{Accepted: accepted, Outstanding: outstanding, Reasons: reasons}}
	}
	const over, inactive = "CEILING_EXCEEDED", "CONTRACT_NOT_ACTIVE"
	for name, tt := range map[string]struct {
		all  []*purchase
		susp []suspension
		fine bool
	}{
		"one after the other":                       {[]*purchase{buy(300, 1, 2, true, 300), buy(201, 3, 4, false, 300, over), buy(200, 5, 6, true, 500)}, nil, true},
		"at the same time":                          {[]*purchase{buy(300, 1, 9, true, 300), buy(300, 2, 8, false, 300, over)}, nil, true},
		"refused before the ceiling was used":       {[]*purchase{buy(300, 1, 2, false, 300, over), buy(300, 3, 4, true, 300)}, nil, false},
		"together over the ceiling":                 {[]*purchase{buy(300, 1, 9, true, 300), buy(300, 1, 9, true, 300)}, nil, false},
		"refused although it fits":                  {[]*purchase{buy(300, 1, 2, false, 0, over)}, nil, false},
		"wrong outstanding":                         {[]*purchase{buy(300, 1, 2, true, 301)}, nil, false},
		"unanswered took effect":                    {[]*purchase{buy(300, 1, 0, false, 0), buy(300, 3, 4, false, 300, over)}, nil, true},
		"unanswered had no effect":                  {[]*purchase{buy(300, 1, 0, false, 0), buy(300, 3, 4, true, 300)}, nil, true},
		"unanswered took effect before it was sent": {[]*purchase{buy(300, 5, 0, false, 0), buy(300, 3, 4, false, 300, over)}, nil, false},
		"accepted while being suspended":            {[]*purchase{buy(1, 2, 3, true, 1)}, []suspension{{c, 1, 0}}, true},
		"accepted after the suspension":             {[]*purchase{buy(1, 3, 4, true, 1)}, []suspension{{c, 1, 2}}, false},
		"refused before the suspension":             {[]*purchase{buy(1, 1, 2, false, 0, inactive)}, []suspension{{c, 3, 4}}, false},
		"accepted after a refusal":                  {[]*purchase{buy(1, 2, 3, false, 0, inactive), buy(1, 4, 5, true, 1)}, []suspension{{c, 1, 0}}, false},
	} {
		if got := linear([]*contract{c}, tt.all, tt.susp); (len(got) == 0) != tt.fine {
			t.Errorf("%s: got %q", name, got)
		}
	}
}
