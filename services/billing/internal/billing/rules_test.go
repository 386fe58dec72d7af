package billing

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"
)

// Each table says under "mutation" which change of the rule makes it fail.

func TestPurchaseRefusals(t *testing.T) {
	now := date("2026-03-14")
	tests := map[string]struct {
		change func(*Account)
		amount Money
		want   []Reason
	}{
		"accepted":               {nil, eur(120000), nil},
		"takes all that is left": {func(a *Account) { a.NotInvoiced, a.NotSettled = 300000, 100000 }, eur(100000), nil},
		"one cent too much":      {func(a *Account) { a.NotInvoiced, a.NotSettled = 300000, 100000 }, eur(100001), []Reason{CeilingExceeded}},
		"ceiling was lowered":    {func(a *Account) { a.NotSettled = 600000 }, eur(1), []Reason{CeilingExceeded}},
		"largest amount":         {func(a *Account) { a.NotInvoiced = 1 }, eur(math.MaxInt64), []Reason{CeilingExceeded}},
		"pending":                {func(a *Account) { a.Contract.Status = StatusPending }, eur(1), []Reason{ContractNotActive}},
		"suspended":              {func(a *Account) { a.Contract.Status = StatusSuspended }, eur(1), []Reason{ContractNotActive}},
		"terminated":             {func(a *Account) { a.Contract.Status = StatusTerminated }, eur(1), []Reason{ContractNotActive}},
		"unknown status":         {func(a *Account) { a.Contract.Status = StatusUnknown }, eur(1), []Reason{ContractNotActive}},
		"last instant":           {func(a *Account) { a.Contract.ValidUntil = now.Add(time.Microsecond) }, eur(1), nil},
		"expired":                {func(a *Account) { a.Contract.ValidUntil = now }, eur(1), []Reason{ContractExpired}},
		"expired by status":      {func(a *Account) { a.Contract.Status = StatusExpired }, eur(1), []Reason{ContractExpired}},
		"terminated, then over":  {func(a *Account) { a.Contract.Status, a.Contract.ValidUntil = StatusTerminated, now }, eur(1), []Reason{ContractNotActive, ContractExpired}},
		"pending, not begun":     {func(a *Account) { a.Contract.Status, a.Contract.ValidFrom = StatusPending, now.Add(1) }, eur(1), []Reason{ContractNotActive, ContractNotStarted}},
		"first instant":          {func(a *Account) { a.Contract.ValidFrom = now }, eur(1), nil},
		"not begun":              {func(a *Account) { a.Contract.ValidFrom = now.Add(time.Microsecond) }, eur(1), []Reason{ContractNotStarted}},
		"without end":            {func(a *Account) { a.Contract.ValidUntil = time.Time{} }, eur(1), nil},
		"no mandate":             {func(a *Account) { a.Contract.Mandate = Mandate{} }, eur(1), []Reason{MandateNotValid}},
		"mandate revoked":        {func(a *Account) { a.Contract.Mandate.RevokedAt = date("2026-02-01") }, eur(1), []Reason{MandateNotValid}},
		"other currency":         {nil, Money{1, "USD"}, []Reason{CurrencyMismatch}},
		"currency changed":       {func(a *Account) { a.Contract.Ceiling.Currency = "USD" }, Money{1, "USD"}, []Reason{CurrencyMismatch}},
		"everything": {func(a *Account) {
			a.Contract.Status, a.Contract.ValidUntil, a.Contract.Mandate, a.NotInvoiced = StatusSuspended, now, Mandate{}, 500000
		}, eur(1), []Reason{ContractNotActive, ContractExpired, MandateNotValid, CeilingExceeded}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := account()
			if tt.change != nil {
				tt.change(&a)
			}
			e, err := DecidePurchase(a, Purchase{OrderRef: "O-1", Label: "trip", Amount: tt.amount}, now, paris)
			if err != nil {
				t.Fatal(err)
			}
			var want Event = PurchaseAccepted{"BOP-7-1", "CTR-7", "O-1", "trip", tt.amount, Period{2026, time.March}, 3, true}
			if tt.want != nil {
				want = PurchaseRefused{"BOP-7-1", "CTR-7", "O-1", "trip", tt.amount, tt.want, 3}
			}
			if !reflect.DeepEqual(e, want) {
				t.Errorf("got  %+v\nwant %+v", e, want)
			}
		})
	}
}

func TestPurchaseNotDecided(t *testing.T) {
	a := account()
	if _, err := DecidePurchase(a, Purchase{Amount: eur(0)}, date("2026-03-14"), paris); !errors.Is(err, ErrAmount) {
		t.Errorf("amount 0: %v", err)
	}
	a.Unreadable = true
	if _, err := DecidePurchase(a, Purchase{Amount: eur(1)}, date("2026-03-14"), paris); !errors.Is(err, ErrContractUnreadable) {
		t.Errorf("unreadable: %v", err)
	}
}

func TestMandateLapsesAfter36Months(t *testing.T) {
	tests := []struct {
		name      string
		presented []Presented
		now       string
		want      MandateStatus
	}{
		{"just signed", nil, "2026-01-05", MandateValid},
		{"last instant", nil, "2029-01-04T23:59:59Z", MandateValid},
		{"never presented", nil, "2029-01-05", MandateLapsed},
		{"presented since", []Presented{{"RUM-1", date("2027-06-01")}}, "2030-05-31", MandateValid},
		{"and again too long ago", []Presented{{"RUM-1", date("2027-06-01")}}, "2030-06-01", MandateLapsed},
		{"another RUM does not count", []Presented{{"RUM-0", date("2028-06-01")}}, "2029-01-05", MandateLapsed},
		{"a presentation before the signature does not count", []Presented{{"RUM-1", date("2020-06-01")}}, "2028-01-05", MandateValid},
	}
	for _, tt := range tests {
		a := account()
		a.Presented = tt.presented
		if got := a.MandateStatus(date(tt.now)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestPeriodOfAPurchase(t *testing.T) {
	tests := []struct {
		at     string
		closed Period
		want   string
	}{
		{"2026-01-31T22:59:59Z", Period{}, "2026-01"},
		{"2026-01-31T23:00:00Z", Period{}, "2026-02"}, // winter: UTC+1
		{"2026-07-31T21:59:59Z", Period{}, "2026-07"},
		{"2026-07-31T22:00:00Z", Period{}, "2026-08"}, // summer: UTC+2
		{"2026-03-31T21:59:59Z", Period{}, "2026-03"}, // the clocks changed two days before
		{"2026-12-31T23:00:00Z", Period{}, "2027-01"},
		{"2026-03-14T00:00:00Z", Period{2026, time.February}, "2026-03"},
		// a clock that runs late enters no closed period
		{"2026-03-14T00:00:00Z", Period{2026, time.March}, "2026-04"},
		// nor over the turn of the year
		{"2026-12-14T00:00:00Z", Period{2026, time.December}, "2027-01"},
	}
	for _, tt := range tests {
		a := account()
		a.LastClosed = tt.closed
		a.Contract.ValidUntil = time.Time{}
		e, err := DecidePurchase(a, Purchase{Amount: eur(1)}, date(tt.at), paris)
		if got, ok := e.(PurchaseAccepted); err != nil || !ok || got.Period.String() != tt.want {
			t.Errorf("at %s, %s closed: %+v %v, want %s", tt.at, tt.closed, e, err, tt.want)
		}
	}
}

func TestPeriodEnds(t *testing.T) {
	for p, want := range map[string]string{"2026-03": "2026-03-31T22:00:00Z", "2026-10": "2026-10-31T23:00:00Z", "2026-12": "2026-12-31T23:00:00Z"} {
		period, err := ParsePeriod(p)
		if err != nil || period.String() != p {
			t.Fatalf("%s: %v, %v", p, period, err)
		}
		if got := period.End(paris).Format(time.RFC3339); got != want {
			t.Errorf("%s ends at %s, want %s", p, got, want)
		}
		if period.Next().Previous() != period {
			t.Errorf("%s: next, previous", p)
		}
	}
	if _, err := ParsePeriod("2026-13"); err == nil {
		t.Error("2026-13 is no period")
	}
}

func TestRefunds(t *testing.T) {
	march := Period{2026, time.March}
	bought := Operation{Ref: "BOP-7-1", Kind: KindPurchase, Status: OperationAccepted, ContractRef: "CTR-7", Amount: eur(1000), Refunded: 300, Period: march}
	refused, refund := bought, bought
	refused.Status, refund.Kind = OperationRefused, KindRefund
	tests := map[string]struct {
		purchase Operation
		amount   Money
		closed   Period
		want     error
	}{
		"part":            {bought, eur(1), Period{}, nil},
		"all that's left": {bought, eur(700), Period{}, nil},
		"one cent more":   {bought, eur(701), Period{}, ErrRefundExceeds},
		"nothing":         {bought, eur(0), Period{}, ErrAmount},
		"other currency":  {bought, Money{1, "USD"}, Period{}, ErrRefundCurrency},
		"of a refused":    {refused, eur(1), Period{}, ErrNotRefundable},
		"of a refund":     {refund, eur(1), Period{}, ErrNotRefundable},
		"period closed":   {bought, eur(1), march, ErrPurchaseInvoiced},
		"long closed":     {bought, eur(1), march.Next(), ErrPurchaseInvoiced},
	}
	for name, tt := range tests {
		a := account()
		a.Operations, a.LastClosed = 4, tt.closed
		a.Contract.Status = StatusTerminated // does not matter
		e, err := DecideRefund(a, tt.purchase, Refund{Amount: tt.amount})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if want := (RefundAccepted{"BOP-7-5", "CTR-7", "BOP-7-1", "", tt.amount, march}); err == nil && e != want {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func planClose(a Account, p Period, now time.Time) error {
	_, err := PlanClose([]Account{a}, p, now, paris)
	return err
}

func TestCanClose(t *testing.T) {
	feb, march := Period{2026, time.February}, Period{2026, time.March}
	both := []OpenMonth{{Period: feb, Lines: 1}, {Period: march, Lines: 1}}
	tests := map[string]struct {
		open   []OpenMonth
		closed Period
		period Period
		now    string
		want   error
	}{
		"in time":         {both, Period{}, feb, "2026-02-28T23:00:00Z", nil},
		"too early":       {both, Period{}, feb, "2026-02-28T22:59:59Z", ErrPeriodNotEnded},
		"out of order":    {both, Period{}, march, "2026-04-01", ErrEarlierPeriodOpen},
		"closed":          {both[1:], feb, feb, "2026-04-01", ErrPeriodClosed},
		"before a closed": {nil, march, feb, "2026-04-01", ErrPeriodClosed},
		"nothing in it":   {both[1:], Period{}, feb, "2026-04-01", ErrNothingToClose},
		"skips an empty":  {both[1:], Period{}, march, "2026-04-01", nil},
	}
	for name, tt := range tests {
		a := account()
		a.Open, a.LastClosed = tt.open, tt.closed
		if err := planClose(a, tt.period, date(tt.now)); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func TestInvoiceNumbers(t *testing.T) {
	tests := []struct {
		last Numbering
		now  string
		want string
	}{
		{Numbering{}, "2026-04-01", "BIL-2026-000001"},
		{Numbering{2026, 1}, "2026-05-01", "BIL-2026-000002"},
		{Numbering{2026, 999999}, "2026-05-01", "BIL-2026-1000000"},
		{Numbering{2026, 41}, "2026-12-31T22:59:59Z", "BIL-2026-000042"},
		{Numbering{2026, 42}, "2026-12-31T23:00:00Z", "BIL-2027-000001"}, // the year of Paris
		{Numbering{2027, 1}, "2026-12-31T22:00:00Z", "BIL-2027-000002"},  // a clock that went back
	}
	for _, tt := range tests {
		got := tt.last.next(date(tt.now), paris).ref(InvoiceSeries)
		if got != tt.want {
			t.Errorf("after %+v at %s: %s, want %s", tt.last, tt.now, got, tt.want)
		}
		if n, err := parseRef(InvoiceSeries, got); err != nil || !n.follows(tt.last) {
			t.Errorf("%s does not follow %+v: %v", got, tt.last, err)
		}
	}
	for _, bad := range []string{"", "BIL-2026-1", "BIL-26-000001", "2026-000001", "BIL-2026--00001", "BIL-2026-000001x"} {
		if _, err := parseRef(InvoiceSeries, bad); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
}

func TestAMonthFromPurchaseToCollection(t *testing.T) {
	b := opened(t)
	figures := func(notInvoiced, notSettled int64) {
		t.Helper()
		a := b.accounts["CTR-7"]
		if a.NotInvoiced != notInvoiced || a.NotSettled != notSettled || a.Available().Amount != 500000-notInvoiced-notSettled {
			t.Fatalf("not invoiced %d, not settled %d, available %d", a.NotInvoiced, a.NotSettled, a.Available().Amount)
		}
	}
	b.buy(t, date("2026-03-14"), "CTR-7", 200000)
	b.buy(t, date("2026-03-15"), "CTR-7", 300000)
	figures(500000, 0)
	if e := b.buy(t, date("2026-03-15"), "CTR-7", 1); reflect.TypeOf(e) != reflect.TypeOf(PurchaseRefused{}) {
		t.Fatalf("over the ceiling: %+v", e)
	}
	e, err := DecideRefund(b.accounts["CTR-7"], b.operations["BOP-7-1"], Refund{Amount: eur(50000)})
	b.do(t, date("2026-03-16"), e, err)
	figures(450000, 0)
	if left := b.operations["BOP-7-1"].Left(); left != eur(150000) {
		t.Fatalf("%s left to refund", left)
	}

	end := date("2026-04-01")
	e, err = b.closes(Period{2026, time.March}, end)
	b.do(t, end, e, err)
	figures(0, 450000)
	i := b.invoices["BIL-2026-000001"]
	var hash Hash
	for _, line := range []string{"PURCHASE BOP-7-1 200000 EUR\n", "PURCHASE BOP-7-2 300000 EUR\n", "REFUND BOP-7-4 50000 EUR\n"} {
		hash = sha256.Sum256(append(hash[:], line...))
	}
	if i.Total() != 450000 || i.Lines() != 3 || i.Hash() != hash || i.Status() != InvoiceIssued || i.Buyer.LegalName != "CSE Acme" || !i.IssuedAt.Equal(end) {
		t.Fatalf("invoice %+v", i)
	}
	if _, err := DecideRefund(b.accounts["CTR-7"], b.operations["BOP-7-1"], Refund{Amount: eur(1)}); !errors.Is(err, ErrPurchaseInvoiced) {
		t.Fatalf("refund after closing: %v", err)
	}

	collecting := Collecting{InvoiceRef: i.Ref}
	present := func(want int64) {
		t.Helper()
		if got := b.must(t, end, Present{collecting}).(DebitPresented); got != (DebitPresented{"CTR-7", i.Ref, want, "RUM-1", eur(450000)}) {
			t.Fatalf("presented %+v", got)
		}
		if !b.accounts["CTR-7"].LastPresented().Equal(end) {
			t.Fatal("the presentation does not keep the mandate from lapsing")
		}
	}
	part := func() Part { return b.invoices[i.Ref].Parts[0] }
	present(1)
	b.must(t, end, Reject{collecting, "AM04"})
	if got := part(); got.Status != InvoiceRejected || got.Failure != "AM04" {
		t.Fatalf("rejected %+v", got)
	}
	figures(0, 450000)
	present(2)
	b.must(t, end, Collect{collecting})
	figures(0, 0)
	if got := part(); got.Status != InvoiceSettled || got.Method != MethodDirectDebit || got.Collected != 450000 || got.OpenAmount() != 0 || got.CreditDue() != 0 || got.Failure != "" {
		t.Fatalf("collected %+v", got)
	}
	b.must(t, end, Return{collecting, "MD06"})
	figures(0, 450000)
	if got := part(); got.Status != InvoiceReturned || got.Failure != "MD06" || got.Collected != 0 || !got.SettledAt.IsZero() {
		t.Fatalf("returned %+v", got)
	}
	present(3)
	b.must(t, end, Reject{collecting, "AC04"})
	b.must(t, end, SettleOtherwise{collecting, "VIR-1"})
	figures(0, 0)
	if got := part(); got.Status != InvoiceSettled || got.Method != MethodOther || got.Reference != "VIR-1" || got.Collected != 450000 || got.Failure != "" || b.invoices[i.Ref].SettledAt() != end {
		t.Fatalf("settled otherwise %+v", got)
	}
}

func TestStepsOfAPart(t *testing.T) {
	const issued, rejected, returned = "[PRESENTED SETTLED_OTHERWISE]", "[PRESENTED SETTLED_OTHERWISE]", "[PRESENTED SETTLED_OTHERWISE]"
	tests := []struct {
		part Part
		want string
	}{
		{Part{Status: InvoiceIssued}, issued}, {Part{Status: InvoiceRejected}, rejected}, {Part{Status: InvoiceReturned}, returned},
		{Part{Status: InvoicePresented}, "[COLLECTED REJECTED]"}, {Part{Status: InvoiceSettled, Method: MethodDirectDebit}, "[RETURNED]"},
		{Part{Status: InvoiceSettled, Method: MethodOther}, "[]"}, {Part{Status: InvoiceSettled, Method: MethodNothingDue}, "[]"},
	}
	for _, tt := range tests {
		b := newBook()
		tt.part.ContractRef, tt.part.Purchases = "CTR-7", 10
		b.PutAccount(account())
		b.PutInvoice(Invoice{Ref: "BIL-2026-000001", Parts: []Part{tt.part}})
		c, got := Collecting{InvoiceRef: "BIL-2026-000001"}, []Step{}
		for _, s := range []struct {
			step    Step
			command Command
		}{{StepPresented, Present{c}}, {StepCollected, Collect{c}}, {StepRejected, Reject{c, "AM04"}}, {StepReturned, Return{c, "MD06"}}, {StepSettledOtherwise, SettleOtherwise{c, "VIR"}}} {
			_, err := b.decides(s.command, date("2026-04-01"))
			var e *StepError
			if errors.As(err, &e) && (fmt.Sprint(e.Allowed) != tt.want || e.Step != s.step) {
				t.Errorf("%s, %s: %v", tt.part.Status, s.step, err)
			}
			if err == nil {
				got = append(got, s.step)
			}
		}
		if fmt.Sprint(got) != tt.want {
			t.Errorf("%s by %q allows %v, want %s", tt.part.Status, tt.part.Method, got, tt.want)
		}
	}
}

func TestAnInvoiceOfNothingIsSettledAtOnce(t *testing.T) {
	b := opened(t)
	b.buy(t, date("2026-03-14"), "CTR-7", 100)
	e, err := DecideRefund(b.accounts["CTR-7"], b.operations["BOP-7-1"], Refund{Amount: eur(100)})
	b.do(t, date("2026-03-14"), e, err)
	e, err = b.closes(Period{2026, time.March}, date("2026-04-01"))
	b.do(t, date("2026-04-01"), e, err)
	if i := b.invoices["BIL-2026-000001"]; i.Status() != InvoiceSettled || i.Total() != 0 || i.SettledAt().IsZero() || i.Parts[0].Method != MethodNothingDue {
		t.Errorf("%+v", i)
	}
}

// A refused purchase is nothing to invoice.
func TestARefusedPurchaseOpensNoPeriod(t *testing.T) {
	b := opened(t)
	b.buy(t, date("2026-03-14"), "CTR-7", 500001)
	if _, err := b.closes(Period{2026, time.March}, date("2026-04-01")); !errors.Is(err, ErrNothingToClose) {
		t.Error(err)
	}
}

// What a fact that is not newer, or that contradicts an earlier one, leads to.
func TestFactsThatDisagree(t *testing.T) {
	at := date("2026-03-14")
	b := opened(t)
	first := b.accounts["CTR-7"].Contract
	version := func(n int64, id string, day int) Observe {
		c := first
		c.Version = n
		return Observe{ContractObserved{Contract: c, EventID: id, OccurredAt: at.AddDate(0, 0, day)}, Source{"contract.facts.v1", 0, n, "id"}}
	}
	b.must(t, at, version(10, "e-10", 1))
	other := version(10, "e-10", 1)
	other.Contract.Ceiling.Amount++
	dollars, stranger, agency, subscription := version(11, "e-11", 2), version(11, "e-11", 2), version(11, "e-11", 2), version(11, "e-11", 2)
	dollars.Contract.Ceiling.Currency = "USD"
	stranger.Contract.CustomerRef += "-2"
	agency.Contract.SellerRef += "-2"
	subscription.Contract.SubscriptionRef += "2"
	for name, c := range map[string]struct {
		o    Observe
		want error
	}{
		"published again":                {version(10, "e-10", 1), ErrStale},
		"older":                          {version(9, "e-9", 0), ErrStale},
		"decided later, version lower":   {version(9, "e-9", 2), ErrBehind},
		"same id, another version":       {version(11, "e-10", 2), ErrContradiction},
		"same id, another content":       {other, ErrContradiction},
		"ceiling in another currency":    {dollars, ErrContradiction},
		"of another customer":            {stranger, ErrContradiction},
		"of another seller":              {agency, ErrContradiction},
		"of another subscription":        {subscription, ErrContradiction},
		"newer":                          {version(11, "e-11", 2), nil},
		"newer, from where none is read": {version(12, "", 2), nil},
	} {
		known := b.accounts["CTR-7"]
		if _, err := DecideObserved(&known, c.o); !errors.Is(err, c.want) || errors.Is(err, ErrBehind) != (c.want == ErrBehind) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}

	// a fact that could not be read, and then turns out to be an old one, is no longer missing
	late := version(9, "e-9", 0)
	b.must(t, at, NoteUnreadable{ContractRef: "CTR-7", Source: late.Source, Error: "no such schema"})
	elsewhere := late
	elsewhere.Source.Offset++
	known := b.accounts["CTR-7"]
	if _, err := DecideObserved(&known, elsewhere); !errors.Is(err, ErrStale) {
		t.Errorf("another old fact: %v", err)
	}
	b.must(t, at, late)
	after := b.accounts["CTR-7"]
	if after.Unreadable || after.Contract != known.Contract || after.EventID != "e-10" || !after.OccurredAt.Equal(known.OccurredAt) {
		t.Errorf("after it was read: %+v", after)
	}
	if err := b.apply(ContractObserved{Contract: after.Contract}, at); !errors.Is(err, ErrImpossible) {
		t.Errorf("the same version again, with nothing missing: %v", err)
	}
}

// A fact of a topic that was created again is another one than that of the former topic at its
// offset. Records of a former version do not name the topic.
func TestUnreadableOnTopicCreatedAgain(t *testing.T) {
	at := func(offset int64, id string) Source { return Source{"contract.facts.v1", 0, offset, id} }
	for _, c := range []struct {
		name        string
		noted, next Source
		want        error
	}{
		{"delivered again", at(12, "one"), at(12, "one"), ErrStale},
		{"an earlier one", at(12, "one"), at(11, "one"), ErrStale},
		{"a later one", at(12, "one"), at(13, "one"), nil},
		{"of another topic", at(12, "one"), at(3, "two"), nil},
		{"noted by a former version", at(12, ""), at(12, "one"), ErrStale},
	} {
		known := opened(t).accounts["CTR-7"]
		known.Unreadable, known.LastUnreadable = true, c.noted
		if _, err := DecideUnreadable(known, ContractUnreadable{ContractRef: "CTR-7", Source: c.next}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		old := ContractObserved{Contract: known.Contract, OccurredAt: known.OccurredAt}
		_, err := DecideObserved(&known, Observe{ContractObserved: old, Source: c.next})
		if same := c.next.Offset == 12 && c.want != nil; (err == nil) != same {
			t.Errorf("%s, and read: %v", c.name, err)
		}
	}
}

func TestFactsAboutAContract(t *testing.T) {
	b := opened(t)
	known := b.accounts["CTR-7"]
	newer := known.Contract
	for version, want := range map[int64]error{2: ErrStale, 3: ErrStale, 4: nil, 9: nil} {
		newer.Version = version
		if _, err := DecideObserved(&known, Observe{ContractObserved: ContractObserved{Contract: newer}}); !errors.Is(err, want) {
			t.Errorf("version %d: %v", version, err)
		}
	}
	bad := ContractUnreadable{ContractRef: "CTR-7", Source: Source{"contract.facts.v1", 0, 12, "id"}, Error: "broken"}
	e, err := DecideUnreadable(known, bad)
	b.do(t, date("2026-03-14"), e, err)
	if !b.accounts["CTR-7"].Unreadable {
		t.Fatal("not noted")
	}
	newer.Version = 4
	e, err = DecideObserved(&known, Observe{ContractObserved: ContractObserved{Contract: newer}})
	b.do(t, date("2026-03-14"), e, err)
	after := b.accounts["CTR-7"]
	if after.Unreadable {
		t.Error("a newer version did not lift it")
	}
	dollars := newer
	dollars.Version, dollars.Ceiling.Currency = 5, "USD"
	b.do(t, date("2026-03-14"), ContractObserved{Contract: dollars}, nil)
	if a := b.accounts["CTR-7"]; a.Currency != "EUR" || a.Contract.Ceiling.Currency != "USD" {
		t.Errorf("sums in %s, ceiling in %s", a.Currency, a.Contract.Ceiling.Currency)
	}
	if _, err := DecideUnreadable(after, bad); !errors.Is(err, ErrStale) {
		t.Errorf("the same fact delivered again: %v", err)
	}
	bad.Source.Offset = 13
	if _, err := DecideUnreadable(after, bad); err != nil {
		t.Errorf("a later fact: %v", err)
	}
}

func TestRuns(t *testing.T) {
	b := newBook()
	march, now := Period{2026, time.March}, date("2026-04-01")
	if _, err := DecideRun(Run{}, 0, march, date("2026-03-31T21:59:59Z"), paris); !errors.Is(err, ErrPeriodNotEnded) {
		t.Errorf("too early: %v", err)
	}
	e, err := DecideRun(b.Run(march), 0, march, now, paris)
	b.do(t, now, e, err)
	if _, err := DecideRun(b.Run(march), 0, march, now, paris); !errors.Is(err, ErrRunning) {
		t.Errorf("twice: %v", err)
	}
	e, err = DecideRunCompleted(b.Run(march), RunCompleted{Period: march, Closed: 1})
	b.do(t, now, e, err)
	if _, err := DecideRunCompleted(b.Run(march), RunCompleted{Period: march}); err == nil {
		t.Error("completed twice")
	}
	if _, err := DecideRun(b.Run(march), 0, march, now, paris); !errors.Is(err, ErrRunStarted) {
		t.Errorf("started by another: %v", err)
	}
	if _, err := DecideRun(b.Run(march), 1, march, now, paris); err != nil {
		t.Errorf("again: %v", err)
	}
	if r := b.Run(march); r.Running || !r.CompletedAt.Equal(now) {
		t.Errorf("%+v", r)
	}
}

// closedOne closes a period of CTR-7 alone.
func closedOne(p Period, lines, total int64) PeriodClosed {
	return PeriodClosed{Customer: acme, Period: p, InvoiceRef: "BIL-2026-000001", Total: eur(total), Contracts: []string{"CTR-7"},
		Parts: []ClosedPart{{ContractRef: "CTR-7", Lines: lines, Total: eur(total)}}}
}

// Whatever is wrong with an event, it has no effect.
func TestImpossibleEventsHaveNoEffect(t *testing.T) {
	march, at := Period{2026, time.March}, date("2026-04-01")
	tests := map[string]Event{
		"version known":              ContractObserved{Contract: contract()},
		"negative ceiling":           ContractObserved{Contract: Contract{Ref: "CTR-8", Version: 1, Ceiling: eur(-1)}},
		"unreadable, unknown":        ContractUnreadable{ContractRef: "CTR-8"},
		"purchase, unknown contract": PurchaseAccepted{"BOP-8-1", "CTR-8", "O", "", eur(1), march, 1, true},
		"purchase, wrong number":     PurchaseAccepted{"BOP-7-9", "CTR-7", "O", "", eur(1), march, 3, true},
		"purchase above the ceiling": PurchaseAccepted{"BOP-7-3", "CTR-7", "O", "", eur(499801), march, 3, true},
		"purchase that runs over":    PurchaseAccepted{"BOP-7-3", "CTR-7", "O", "", eur(math.MaxInt64), march, 3, true},
		"purchase of less than 0":    PurchaseAccepted{"BOP-7-3", "CTR-7", "O", "", eur(-1), march, 3, true},
		"purchase, other currency":   PurchaseAccepted{"BOP-7-3", "CTR-7", "O", "", Money{1, "USD"}, march, 3, true},
		"purchase of a taken order":  PurchaseAccepted{"BOP-7-3", "CTR-7", "O-1", "", eur(1), march, 3, true},
		"cancels another order":      PurchaseCancelled{"BOP-7-2", "CTR-7", "O-1", ""},
		"refused without reason":     PurchaseRefused{"BOP-7-3", "CTR-7", "O", "", eur(1), nil, 3},
		"refund of nothing":          RefundAccepted{"BOP-7-3", "CTR-7", "BOP-7-77", "", eur(1), march},
		"refund of more":             RefundAccepted{"BOP-7-3", "CTR-7", "BOP-7-1", "", eur(101), march},
		"refund, other period":       RefundAccepted{"BOP-7-3", "CTR-7", "BOP-7-1", "", eur(1), march.Next()},
		"closed, other total":        closedOne(march, 2, 199),
		"closed, nothing in it":      closedOne(march.Next(), 0, 0),
		"invoice unknown":            DebitPresented{"CTR-7", "BIL-2026-000009", 1, "RUM-1", eur(100)},
		"run not going on":           RunCompleted{Period: march},
	}
	for name, e := range tests {
		t.Run(name, func(t *testing.T) {
			b := opened(t)
			b.buy(t, date("2026-03-14"), "CTR-7", 100)
			b.buy(t, date("2026-03-14"), "CTR-7", 100)
			before := fmt.Sprintf("%+v", *b)
			if err := b.apply(e, at); !errors.Is(err, ErrImpossible) {
				t.Fatalf("error %v", err)
			}
			if after := fmt.Sprintf("%+v", *b); after != before {
				t.Errorf("before %s\nafter  %s", before, after)
			}
		})
	}
	b := opened(t)
	b.buy(t, date("2026-03-14"), "CTR-7", 100)
	good, err := b.closes(march, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{"BIL-2026-000002", "BIL-0000-000001", "no reference"} {
		e := good.(PeriodClosed)
		e.InvoiceRef = ref
		if err := b.apply(e, at); !errors.Is(err, ErrImpossible) {
			t.Errorf("invoice %s: %v", ref, err)
		}
	}
	other := good.(PeriodClosed)
	other.Parts = slices.Clone(other.Parts)
	other.Parts[0].Hash[0]++
	if err := b.apply(other, at); !errors.Is(err, ErrImpossible) {
		t.Errorf("other lines: %v", err)
	}
	b.numberings[InvoiceSeries] = Numbering{Year: 2027, Last: 1}
	if err := b.apply(good, at); !errors.Is(err, ErrImpossible) {
		t.Errorf("a number of the year before: %v", err)
	}
	delete(b.numberings, InvoiceSeries)
	b.do(t, at, good, nil)
	if err := b.apply(PurchaseAccepted{"BOP-7-2", "CTR-7", "O", "", eur(1), march, 3, true}, at); !errors.Is(err, ErrImpossible) {
		t.Errorf("purchase in a closed period: %v", err)
	}
	for name, e := range map[string]Event{
		"not presented": DebitCollected{"CTR-7", "BIL-2026-000001", 0, eur(100)}, "not all of it": DebitPresented{"CTR-7", "BIL-2026-000001", 1, "RUM-1", eur(99)},
		"second first": DebitPresented{"CTR-7", "BIL-2026-000001", 2, "RUM-1", eur(100)}, "rejected": DebitRejected{"CTR-7", "BIL-2026-000001", 0, "AM04", eur(100)},
	} {
		if err := b.apply(e, at); !errors.Is(err, ErrImpossible) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// No decision accepts a purchase on a contract that is not active, so no record may.
func TestPurchaseOnInactiveContract(t *testing.T) {
	for _, status := range []Status{StatusUnknown, StatusPending, StatusSuspended, StatusTerminated} {
		b := opened(t)
		c := contract()
		c.Version, c.Status = 4, status
		b.do(t, date("2026-03-14"), ContractObserved{Contract: c}, nil)
		e := PurchaseAccepted{"BOP-7-1", "CTR-7", "O", "", eur(1), Period{2026, time.March}, 4, true}
		if err := b.apply(e, date("2026-03-14")); !errors.Is(err, ErrImpossible) {
			t.Errorf("%s: %v", status, err)
		}
	}
}

func TestAvailableIsNeverBelowZero(t *testing.T) {
	for _, tt := range []struct{ notInvoiced, notSettled, want int64 }{
		{0, 0, 500000}, {100000, 300000, 100000}, {200000, 300000, 0}, {200000, 300001, 0},
	} {
		a := account()
		a.NotInvoiced, a.NotSettled = tt.notInvoiced, tt.notSettled
		if got := a.Available(); got != eur(tt.want) {
			t.Errorf("%d + %d of 5000.00: %s left", tt.notInvoiced, tt.notSettled, got)
		}
	}
}

func TestPresentingNeedsValidMandate(t *testing.T) {
	now := date("2026-04-02")
	tests := map[string]struct {
		change func(*Account)
		want   string // the error
	}{
		"valid": {func(*Account) {}, ""},
		// what was bought is still collected
		"suspended":  {func(a *Account) { a.Contract.Status = StatusSuspended }, ""},
		"not signed": {func(a *Account) { a.Contract.Mandate = Mandate{} }, "no mandate is signed for CTR-7"},
		"revoked":    {func(a *Account) { a.Contract.Mandate.RevokedAt = now }, "the mandate of CTR-7 was revoked at 2026-04-02T00:00:00Z"},
		"lapsed": {func(a *Account) { a.Contract.Mandate.SignedAt = now.AddDate(-3, 0, 0) },
			"the mandate of CTR-7 lapsed at 2026-04-02T00:00:00Z, 36 months after its last presentation or its signature"},
		"lapsed after a presentation": {func(a *Account) {
			a.Contract.Mandate.SignedAt = now.AddDate(-9, 0, 0)
			a.Presented = []Presented{{"RUM-1", now.AddDate(-4, 0, 0)}}
		}, "the mandate of CTR-7 lapsed at 2025-04-02T00:00:00Z, 36 months after its last presentation or its signature"},
		"unreadable": {func(a *Account) { a.Unreadable = true }, "newest state of the contract could not be read: CTR-7"},
	}
	for name, tt := range tests {
		a := account()
		tt.change(&a)
		i := Invoice{Ref: "BIL-2026-000001", Currency: "EUR", Parts: []Part{{ContractRef: "CTR-7", Purchases: 100, Status: InvoiceIssued}}}
		e, err := DecidePresent(a, i, i.Parts[0], now)
		if (e != nil) != (tt.want == "") || err != nil && err.Error() != tt.want {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

func TestReferences(t *testing.T) {
	for ref, want := range map[string]string{"BOP-7-12": "CTR-7", "BOP-123-1": "CTR-123", "BOP-7": "", "CTR-7-1": "", "BOP--1": "", "BOP-7-": "", "": ""} {
		if got := ContractOf(ref); got != want {
			t.Errorf("ContractOf(%q) = %q", ref, got)
		}
	}
	if OperationRef("CTR-7", 12) != "BOP-7-12" {
		t.Error(OperationRef("CTR-7", 12))
	}
	if s := eur(-120005).String(); s != "-120005 minor units of EUR" {
		t.Error(s)
	}
}

// States are values: an event leaves those before it as they were.
func TestEarlierStatesStay(t *testing.T) {
	b := opened(t)
	b.buy(t, date("2026-03-14"), "CTR-7", 100)
	before := b.accounts["CTR-7"]
	want := fmt.Sprintf("%+v", before)
	b.buy(t, date("2026-03-14"), "CTR-7", 100)
	e, err := b.closes(Period{2026, time.March}, date("2026-04-01"))
	b.do(t, date("2026-04-01"), e, err)
	if got := fmt.Sprintf("%+v", before); got != want {
		t.Errorf("was %s\nis  %s", want, got)
	}
	b.must(t, date("2026-04-02"), Present{Collecting{InvoiceRef: "BIL-2026-000001"}})
	presented := b.accounts["CTR-7"]
	presented.withPresented("RUM-1", date("2027-01-01"))
	if !presented.LastPresented().Equal(date("2026-04-02")) {
		t.Error("a presentation was changed in place")
	}
}
