package billing

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// Account is what billing keeps of one contract. It stays small however much is bought: it holds
// sums and counts of the operations, never a list of them.
type Account struct {
	Contract   Contract
	EventID    string    // of the fact that this version was read from
	OccurredAt time.Time // when contract decided this version
	IngestedAt time.Time // when this version of the contract was recorded
	Currency   string    // of all sums; that of the first version, for good

	Operations  int64 // how many references were given out, refused purchases included
	NotInvoiced int64 // accepted and not yet invoiced
	NotSettled  int64 // invoiced and not yet settled

	LastClosed Period      // nothing enters it or an earlier one
	Open       []OpenMonth // periods with operations that are not closed, oldest first
	Invoiced   []Invoiced  // closed periods that had operations, oldest first

	Presented []Presented // when a collection was last presented, per mandate reference

	// Unreadable: a fact about this contract could not be read, so the copy may be out of date.
	// LastUnreadable is the newest such fact.
	Unreadable     bool
	LastUnreadable Source
}

// OpenMonth is what is in a period that is not closed.
type OpenMonth struct {
	Period    Period
	Purchases int64
	Refunds   int64
	Lines     int64
	Hash      Hash // over the lines, in the order of the log
}

// Invoiced says which invoice the operations of a closed period are on.
type Invoiced struct {
	Period     Period
	InvoiceRef string
}

// Total is what the invoice of the period would say.
func (o OpenMonth) Total() int64 { return o.Purchases - o.Refunds }

// Presented says when a collection was last presented under a mandate reference.
type Presented struct {
	RUM string
	At  time.Time
}

// Source is where a fact was read.
type Source struct {
	Topic     string
	Partition int32
	Offset    int64
	TopicID   string // of the topic at the broker, "" if it is not known
}

// sharesTopic reports whether two facts were read from one partition. One of a topic that was
// deleted and created again is another partition.
func (s Source) sharesTopic(other Source) bool {
	return s.Topic == other.Topic && s.Partition == other.Partition &&
		(s.TopicID == other.TopicID || s.TopicID == "" || other.TopicID == "")
}

// Outstanding is the whole outstanding amount.
func (a Account) Outstanding() Money {
	// Apply keeps the sum in range
	return Money{Amount: a.NotInvoiced + a.NotSettled, Currency: a.Currency}
}

// Available is what further purchases may take, never below 0.
func (a Account) Available() Money {
	return Money{Amount: max(0, a.Contract.Ceiling.Amount-a.Outstanding().Amount), Currency: a.Contract.Ceiling.Currency}
}

// Sum is what the contracts of a customer in one currency add up to.
type Sum struct {
	Currency    string
	NotInvoiced int64
	NotSettled  int64
	Ceiling     int64
	Available   int64 // what one contract has left cannot be used by another
}

// SumsOf adds up accounts by currency, in the order of the codes. MaxAmount stands for any larger
// sum. Ceilings count by the currency of the ceiling, which may have
// changed since the first version of the contract.
func SumsOf(accounts []Account) (sums []Sum) {
	of := func(currency string) *Sum {
		i, found := slices.BinarySearchFunc(sums, currency, func(s Sum, c string) int { return strings.Compare(s.Currency, c) })
		if !found {
			sums = slices.Insert(sums, i, Sum{Currency: currency})
		}
		return &sums[i]
	}
	for _, a := range accounts {
		s := of(a.Currency)
		s.NotInvoiced = atMost(s.NotInvoiced, a.NotInvoiced)
		s.NotSettled = atMost(s.NotSettled, a.NotSettled)
		s = of(a.Contract.Ceiling.Currency)
		s.Ceiling = atMost(s.Ceiling, a.Contract.Ceiling.Amount)
		s.Available = atMost(s.Available, a.Available().Amount)
	}
	return sums
}

// Outstanding is the whole outstanding amount.
func (s Sum) Outstanding() int64 { return atMost(s.NotInvoiced, s.NotSettled) }

// atMost adds amounts that are not negative; MaxAmount stands for any larger sum.
func atMost(a, b int64) int64 {
	total, err := sum(a, b)
	if err != nil {
		return MaxAmount
	}
	return min(total, MaxAmount)
}

// MandateStatus judges the contract's mandate.
func (a Account) MandateStatus(now time.Time) MandateStatus {
	return a.Contract.Mandate.status(a.LastPresented(), now)
}

// CheckMandate returns a MandateError if the contract's mandate allows no collection now.
func (a Account) CheckMandate(now time.Time) error {
	e := &MandateError{ContractRef: a.Contract.Ref, Status: a.MandateStatus(now)}
	switch e.Status {
	case MandateValid:
		return nil
	case MandateRevoked:
		e.Since = a.Contract.Mandate.RevokedAt
	case MandateLapsed:
		e.Since = a.MandateLapses()
	}
	return e
}

// LastPresented is when a collection was last presented under the contract's mandate reference,
// zero if never.
func (a Account) LastPresented() time.Time {
	for _, p := range a.Presented {
		if p.RUM == a.Contract.Mandate.RUM {
			return p.At
		}
	}
	return time.Time{}
}

// MandateLapses is when the mandate lapses unless a collection is presented before; zero without a
// mandate.
func (a Account) MandateLapses() time.Time {
	if a.Contract.Mandate.RUM == "" {
		return time.Time{}
	}
	return a.Contract.Mandate.lapses(a.LastPresented())
}

// PeriodAt is the period that a purchase decided now belongs to: the month it is, or the first open
// period when the month it is has been closed already.
func (a Account) PeriodAt(now time.Time, paris *time.Location) Period {
	p := PeriodOf(now, paris)
	if first := a.LastClosed.Next(); a.LastClosed != (Period{}) && p.Before(first) {
		return first
	}
	return p
}

// OpenPeriod finds what is in an open period.
func (a Account) OpenPeriod(p Period) (OpenMonth, bool) {
	for _, o := range a.Open {
		if o.Period == p {
			return o, true
		}
	}
	return OpenMonth{}, false
}

// InvoiceOf returns the reference of the invoice that the operations of a closed period are on, ""
// if there is none.
func (a Account) InvoiceOf(p Period) string {
	i, found := slices.BinarySearchFunc(a.Invoiced, p, func(x Invoiced, p Period) int { return x.Period.Compare(p) })
	if !found {
		return ""
	}
	return a.Invoiced[i].InvoiceRef
}

// withOpen returns the account with one period replaced or inserted. The old slice is not touched.
func (a Account) withOpen(o OpenMonth) Account {
	i, found := slices.BinarySearchFunc(a.Open, o.Period, func(x OpenMonth, p Period) int { return x.Period.Compare(p) })
	open := slices.Clone(a.Open)
	if found {
		open[i] = o
	} else {
		open = slices.Insert(open, i, o)
	}
	a.Open = open
	return a
}

func (a Account) withPresented(rum string, at time.Time) Account {
	list := slices.Clone(a.Presented)
	for i := range list {
		if list[i].RUM == rum {
			list[i].At = at
			a.Presented = list
			return a
		}
	}
	a.Presented = append(list, Presented{RUM: rum, At: at})
	return a
}

// nextOperation is the reference that the next operation of the contract gets.
func (a Account) nextOperation() string { return OperationRef(a.Contract.Ref, a.Operations+1) }

// OperationRef is the reference of the nth operation of a contract: BOP-7-12 is the twelfth of
// CTR-7.
func OperationRef(contractRef string, n int64) string {
	return "BOP-" + strings.TrimPrefix(contractRef, "CTR-") + "-" + strconv.FormatInt(n, 10)
}

// ContractOf is the contract that an operation's reference names, or "" when it is no such
// reference.
func ContractOf(operationRef string) string {
	rest, ok := strings.CutPrefix(operationRef, "BOP-")
	contract, n, ok2 := strings.Cut(rest, "-")
	if !ok || !ok2 || contract == "" || n == "" {
		return ""
	}
	return "CTR-" + contract
}
