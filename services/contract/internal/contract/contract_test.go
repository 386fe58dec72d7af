package contract

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	day0  = time.Date(2026, 9, 28, 13, 45, 0, 0, time.UTC)
	begin = time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	end   = time.Date(2027, 10, 1, 0, 0, 0, 0, time.UTC)
	acme  = Company{
		LegalName: "CSE ACME", SIREN: "732829320", VATNumber: "FR44732829320",
		BillingAddress: Address{Line1: "12 rue de la Paix", PostalCode: "75002", City: "Paris", Country: "FR"},
	}
	subscribe = Subscribe{
		Ref: "CTR-7", CustomerRef: "CE-ACME", SellerRef: "AG-1", Buyer: acme, Ceiling: Money{500000, "EUR"}, ValidFrom: begin, ValidUntil: end,
	}
	sign = SignMandate{
		RUM: "RUM-1", ICS: "FR72ZZZ123456", Scheme: B2B, SignedAt: day0,
		Account: Account{IBAN: "FR76 3000 6000 0112 3456 7890 189", BIC: "AGRIFRPP", Owner: "CSE ACME"},
	}
)

// play decides and folds one command after the other, all at their instants; it stops the test at
// the first refusal.
func play(t *testing.T, steps ...step) *Contract {
	t.Helper()
	var c *Contract
	for _, s := range steps {
		e, err := Decide(c, s.do, s.at)
		if err != nil {
			t.Fatalf("%T: %v", s.do, err)
		}
		if c, err = Fold(c, e, s.at); err != nil {
			t.Fatalf("fold %T: %v", e, err)
		}
	}
	return c
}

// fold decides and folds a command at the beginning of the validity.
func fold(t *testing.T, c *Contract, do Command) *Contract {
	t.Helper()
	e, err := Decide(c, do, begin)
	if err != nil {
		t.Fatalf("%T: %v", do, err)
	}
	next, err := Fold(c, e, begin)
	if err != nil {
		t.Fatalf("fold %T: %v", e, err)
	}
	return next
}

type step struct {
	do Command
	at time.Time
}

var (
	pending    = []step{{subscribe, day0}}
	signed     = append(slices.Clip(pending), step{sign, day0})
	active     = append(slices.Clip(signed), step{Activate{}, begin})
	suspended  = append(slices.Clip(active), step{Suspend{"dispute"}, begin})
	expired    = append(slices.Clip(active), step{Expire{}, end})
	terminated = append(slices.Clip(active), step{Terminate{"left"}, begin})
	revoked    = append(slices.Clip(active), step{RevokeMandate{Reason: "by letter"}, begin})
)

func TestLife(t *testing.T) {
	debit := ReactToDebit{Debit: Debit{EventID: "e-0", InvoiceRef: "BIL-2026-000001", Presentation: 1, Reason: "AM04"}, CustomerRef: "CE-ACME"}
	higher := Money{800000, "EUR"}
	cases := []struct {
		name   string
		before []step
		do     Command
		at     time.Time
		want   Status // "" : refused
		allow  []Action
	}{
		{"due", signed, Activate{}, begin, StatusActive, nil},
		{"too early", signed, Activate{}, begin.Add(-1), "", nil},
		{"too late", signed, Activate{}, end, "", nil},
		{"no mandate", pending, Activate{}, begin, "", nil},
		{"active already", active, Activate{}, begin, "", nil},
		{"suspend", active, Suspend{"dispute"}, begin, StatusSuspended, nil},
		{"suspend pending", pending, Suspend{"dispute"}, begin, "", []Action{ActionTerminate, ActionAmend, ActionSignMandate}},
		{"suspend suspended", suspended, Suspend{"dispute"}, begin, "", []Action{ActionReinstate, ActionTerminate, ActionAmend, ActionSignMandate, ActionRevokeMandate}},
		{"reinstate", suspended, Reinstate{}, begin, StatusActive, nil},
		{"reinstate active", active, Reinstate{}, begin, "", []Action{ActionSuspend, ActionTerminate, ActionAmend, ActionSignMandate, ActionRevokeMandate}},
		{"terminate pending", pending, Terminate{"left"}, begin, StatusTerminated, nil},
		{"terminate suspended", suspended, Terminate{"left"}, begin, StatusTerminated, nil},
		{"terminate terminated", terminated, Terminate{"left"}, begin, "", []Action{}},
		{"amend terminated", terminated, Amend{Ceiling: &higher}, begin, "", []Action{}},
		{"reinstate terminated", terminated, Reinstate{}, begin, "", []Action{}},
		{"amend", active, Amend{Ceiling: &higher}, begin, StatusActive, nil},
		{"revoke", active, RevokeMandate{}, begin, StatusActive, nil},
		{"revoke at the end", terminated, RevokeMandate{}, begin, StatusTerminated, nil},
		{"revoke twice", revoked, RevokeMandate{}, begin, "", []Action{ActionSuspend, ActionTerminate, ActionAmend, ActionSignMandate}},
		{"sign again", revoked, sign, begin, StatusActive, nil},
		{"sign at the end", terminated, sign, begin, StatusTerminated, nil},
		{"debit rejected", active, debit, begin, StatusSuspended, nil},
		{"debit of another customer", active, ReactToDebit{Debit: debit.Debit, CustomerRef: "CE-OTHER"}, begin, "", nil},
		{"debit rejected while suspended", suspended, debit, begin, "", nil},
		{"debit rejected while pending", signed, debit, begin, "", nil},
		{"debit rejected at the end", terminated, debit, begin, "", nil},
		{"over while pending", pending, Expire{}, end, StatusExpired, nil},
		{"over while active", active, Expire{}, end, StatusExpired, nil},
		{"over while suspended", suspended, Expire{}, end, StatusExpired, nil},
		{"over when terminated", terminated, Expire{}, end, "", nil},
		{"over already", expired, Expire{}, end, "", nil},
		{"not over yet", active, Expire{}, end.Add(-1), "", nil},
		{"without end", append(slices.Clip(active), step{Amend{OpenEnded: true}, begin}), Expire{}, end, "", nil},
		{"suspend expired", expired, Suspend{"dispute"}, end, "", []Action{ActionTerminate, ActionAmend, ActionSignMandate, ActionRevokeMandate}},
		{"activate expired", expired, Activate{}, end, "", nil},
		{"terminate expired", expired, Terminate{"left"}, end, StatusTerminated, nil},
		{"amend expired", expired, Amend{Ceiling: &higher}, end, StatusExpired, nil},
		{"sign when expired", expired, sign, end, StatusExpired, nil},
		{"revoke when expired", expired, RevokeMandate{}, end, StatusExpired, nil},
		{"debit rejected when expired", expired, debit, end, StatusExpired, nil},
		{"nobody", nil, Suspend{"dispute"}, begin, "", nil},
		{"subscribed twice", pending, subscribe, begin, "", nil},
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			c := play(t, k.before...)
			e, err := Decide(c, k.do, k.at)
			var forbidden *Forbidden
			if errors.As(err, &forbidden) && !reflect.DeepEqual(forbidden.Allowed, k.allow) {
				t.Errorf("allowed %v, want %v", forbidden.Allowed, k.allow)
			}
			if (forbidden != nil) != (k.allow != nil) || (err == nil) != (k.want != "") {
				t.Fatalf("decided %#v, %v", e, err)
			}
			if err != nil {
				return
			}
			after, err := Fold(c, e, k.at)
			if err != nil || after.Status != k.want {
				t.Fatalf("folded to %+v, %v; want %s", after, err, k.want)
			}
		})
	}
}

// A contract is reinstated only if it can buy afterwards. Otherwise the error says what to do.
func TestReinstateRefused(t *testing.T) {
	withdrawn := append(slices.Clip(suspended), step{RevokeMandate{}, begin})
	for _, k := range []struct {
		name   string
		before []step
		at     time.Time
		remedy string
		allow  []Action
	}{
		{"validity over", suspended, end, "amend validUntil first", []Action{ActionTerminate, ActionAmend, ActionSignMandate, ActionRevokeMandate}},
		{"expired after suspension", append(slices.Clip(suspended), step{Expire{}, end}), end, "amend validUntil first; the contract is SUSPENDED again then",
			[]Action{ActionTerminate, ActionAmend, ActionSignMandate, ActionRevokeMandate}},
		{"expired while active", expired, end, "amend validUntil first; the contract is ACTIVE again then",
			[]Action{ActionTerminate, ActionAmend, ActionSignMandate, ActionRevokeMandate}},
		{"mandate revoked", withdrawn, begin, "have a mandate signed first", []Action{ActionTerminate, ActionAmend, ActionSignMandate}},
		{"terminated", terminated, begin, "a terminated contract is not changed any more; subscribe a new one", []Action{}},
	} {
		t.Run(k.name, func(t *testing.T) {
			_, err := Decide(play(t, k.before...), Reinstate{}, k.at)
			var forbidden *Forbidden
			if !errors.As(err, &forbidden) || forbidden.Remedy != k.remedy || !reflect.DeepEqual(forbidden.Allowed, k.allow) {
				t.Fatalf("%v, remedy %q, allowed %v", err, forbidden.Remedy, forbidden.Allowed)
			}
		})
	}
	if allowed := play(t, withdrawn...).Allowed(); slices.Contains(allowed, ActionReinstate) {
		t.Errorf("allowed %v without a mandate", allowed)
	}
	if _, err := Decide(play(t, suspended...), Reinstate{}, end.Add(-1)); err != nil {
		t.Errorf("in the last instant of the validity: %v", err)
	}
	// the rule is newer than the log, so what was recorded stays possible
	if c, err := Fold(play(t, withdrawn...), Reinstated{Ref: "CTR-7"}, end); err != nil || c.Status != StatusActive {
		t.Errorf("recorded before: %+v, %v", c, err)
	}
}

func TestAmendValidFrom(t *testing.T) {
	early, late, beyond := begin.AddDate(0, 0, -1), begin.AddDate(0, 1, 0), end.AddDate(1, 0, 0)
	c := play(t, signed...)
	for _, from := range []time.Time{day0, early, late} {
		e, err := Decide(c, Amend{ValidFrom: &from}, day0)
		if err != nil {
			t.Fatalf("moved to %s: %v", from, err)
		}
		after, err := Fold(c, e, day0)
		if err != nil || !after.ValidFrom.Equal(from) || !after.ValidUntil.Equal(end) || after.Status != StatusPending {
			t.Fatalf("%+v, %v", after, err)
		}
		if at, changes := after.NextChange(); !changes || !at.Equal(from) {
			t.Errorf("next change at %s, want %s", at, from)
		}
	}
	for name, k := range map[string]struct {
		do   Amend
		at   time.Time
		want string
	}{
		"at the end":           {Amend{ValidFrom: &end}, day0, "/validFrom"},
		"both, turned round":   {Amend{ValidFrom: &end, ValidUntil: &begin}, day0, "/validUntil"},
		"begun":                {Amend{ValidFrom: &late}, begin, "/validFrom"},
		"begun, both":          {Amend{ValidFrom: &late, ValidUntil: &beyond}, begin, "/validFrom"},
		"begun, and its start": {Amend{ValidFrom: &begin}, begin, "/validFrom"},
	} {
		if got := faultsOf(t, c, k.do, k.at); got != k.want {
			t.Errorf("%s: faults %q, want %q", name, got, k.want)
		}
	}
	for name, do := range map[string]Amend{
		"both moved": {ValidFrom: &end, ValidUntil: &beyond}, "without end": {ValidFrom: &end, OpenEnded: true},
	} {
		if _, err := Decide(c, do, begin.Add(-1)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestActivatedOutsideValidity(t *testing.T) {
	c := play(t, signed...)
	for _, at := range []time.Time{begin.Add(-time.Microsecond), end} {
		if _, err := Fold(c, Activated{Ref: c.Ref}, at); err == nil {
			t.Errorf("activated at %s", at)
		}
	}
	if _, err := Fold(c, Activated{Ref: c.Ref}, begin); err != nil {
		t.Errorf("activated at the first instant: %v", err)
	}
}

// A contract whose validity is prolonged has the status again that it had when it expired.
func TestProlongedContract(t *testing.T) {
	later := end.AddDate(1, 0, 0)
	debit := ReactToDebit{Debit: Debit{EventID: "e-0", InvoiceRef: "BIL-2026-000001", Presentation: 1, Reason: "AM04"}, CustomerRef: "CE-ACME"}
	for _, k := range []struct {
		name   string
		before []step
		then   []step // between expiry and amendment
		want   Status
	}{
		{"pending", pending, nil, StatusPending},
		{"pending and signed meanwhile", pending, []step{{sign, end}}, StatusPending},
		{"active", active, nil, StatusActive},
		{"active and revoked meanwhile", active, []step{{RevokeMandate{}, end}}, StatusActive},
		{"suspended", suspended, nil, StatusSuspended},
		{"debit failed meanwhile", active, []step{{debit, end}}, StatusSuspended},
	} {
		for kind, amend := range map[string]Amend{"later end": {ValidUntil: &later}, "no end": {OpenEnded: true}} {
			t.Run(k.name+", "+kind, func(t *testing.T) {
				c := play(t, slices.Concat(k.before, []step{{Expire{}, end}}, k.then)...)
				if c.Status != StatusExpired || c.Expiry == nil || !c.Expiry.Since.Equal(end) || c.Expiry.Before != k.want {
					t.Fatalf("expired to %+v, %+v", c, c.Expiry)
				}
				e, err := Decide(c, amend, end.AddDate(0, 1, 0))
				if err != nil {
					t.Fatal(err)
				}
				after, err := Fold(c, e, end.AddDate(0, 1, 0))
				if err != nil || after.Status != k.want || after.Expiry != nil || after.Version != c.Version+1 {
					t.Fatalf("%+v, %v; want %s", after, err, k.want)
				}
				if (after.Suspension != nil) != (k.want == StatusSuspended) {
					t.Errorf("suspension %+v", after.Suspension)
				}
			})
		}
	}
}

func TestDebitWhileExpired(t *testing.T) {
	debit := ReactToDebit{Debit: Debit{EventID: "e-0", InvoiceRef: "BIL-2026-000001", Presentation: 1, Reason: "AM04"}, CustomerRef: "CE-ACME"}
	c := play(t, append(slices.Clip(expired), step{debit, end})...)
	if c.Suspension == nil || c.Suspension.Cause != DirectDebitRejected || !c.knows(debit.failure(DirectDebitRejected)) {
		t.Fatalf("%+v", c)
	}
	second := debit
	second.Presentation = 2
	if _, err := Decide(c, second, end); !errors.Is(err, ErrNoEffect) {
		t.Errorf("suspended while it will be SUSPENDED anyway: %v", err)
	}
	if _, err := Fold(c, Suspended{Ref: c.Ref, Debit: &second.Debit}, end); err == nil {
		t.Error("a record suspended it again")
	}
	if _, err := Fold(play(t, expired...), Suspended{Ref: c.Ref, Cause: Requested}, end); err == nil {
		t.Error("a request suspended an expired contract")
	}
}

func TestExpiredBeforeTheEnd(t *testing.T) {
	c := play(t, active...)
	if _, err := Fold(c, Expired{Ref: c.Ref}, end.Add(-time.Microsecond)); err == nil {
		t.Error("expired before its end")
	}
	if _, err := Fold(c, Expired{Ref: c.Ref}, end); err != nil {
		t.Errorf("expired at the first instant after it: %v", err)
	}
}

func TestDebitSuspendsOnceForEver(t *testing.T) {
	first := ReactToDebit{Debit: Debit{"e-0", "BIL-2026-000001", 1, "AM04"}, CustomerRef: "CE-ACME"}
	redelivered := first
	redelivered.EventID = "another id"
	second := ReactToDebit{Debit: Debit{"e-1", "BIL-2026-000001", 2, "AM04"}, CustomerRef: "CE-ACME", Returned: true}

	c := play(t, append(active, step{first, begin}, step{Reinstate{"paid"}, begin})...)
	if _, err := Decide(c, redelivered, begin); !errors.Is(err, ErrNoEffect) {
		t.Fatalf("the same presentation again: %v", err)
	}
	e, err := Decide(c, second, begin)
	if err != nil {
		t.Fatal(err)
	}
	if c, err = Fold(c, e, begin); err != nil || c.Suspension.Cause != DirectDebitReturned || c.Suspension.InvoiceRef != "BIL-2026-000001" {
		t.Fatalf("%+v, %v", c, err)
	}
	returned := ReactToDebit{Debit: Debit{"e-2", "BIL-2026-000001", 1, "MD01"}, CustomerRef: "CE-ACME", Returned: true}
	c = fold(t, c, Reinstate{"paid"})
	if _, err := Decide(c, second, begin); !errors.Is(err, ErrNoEffect) {
		t.Fatalf("the same return again: %v", err)
	}
	if c = fold(t, c, returned); c.Status != StatusSuspended {
		t.Fatalf("a return after a rejection of the same presentation: %+v", c)
	}
	c = fold(t, c, Reinstate{"paid"})
	if _, err := Decide(c, returned, begin); !errors.Is(err, ErrNoEffect) {
		t.Fatalf("that return again: %v", err)
	}
	if _, err := Fold(c, Suspended{Ref: c.Ref, Cause: DirectDebitReturned, Debit: &returned.Debit}, begin); err == nil {
		t.Error("a record suspended twice for one failure")
	}
}

// TestDebitFromBeforeReinstatement receives a failure that came while the contract was suspended
// for another one, once more after it was reinstated.
func TestDebitFromBeforeReinstatement(t *testing.T) {
	first := ReactToDebit{Debit: Debit{"e-0", "BIL-2026-000001", 1, "AM04"}, CustomerRef: "CE-ACME", OccurredAt: begin}
	second := ReactToDebit{Debit: Debit{"e-1", "BIL-2026-000002", 1, "AM04"}, CustomerRef: "CE-ACME", OccurredAt: begin.Add(time.Second)}
	c := play(t, append(active, step{first, begin})...)
	if _, err := Decide(c, second, begin.Add(time.Second)); !errors.Is(err, ErrNoEffect) {
		t.Fatalf("while it is suspended: %v", err)
	}
	e, err := Decide(c, Reinstate{"paid"}, begin.Add(time.Minute))
	if err == nil {
		c, err = Fold(c, e, begin.Add(time.Minute))
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decide(c, second, begin.Add(time.Hour)); !errors.Is(err, ErrNoEffect) {
		t.Errorf("received again: %v", err)
	}
	second.OccurredAt = begin.Add(time.Minute)
	if _, err := Decide(c, second, begin.Add(time.Hour)); err != nil {
		t.Errorf("one from after it: %v", err)
	}
}

func TestDebitSaysWhatFailed(t *testing.T) {
	c := fold(t, play(t, active...), ReactToDebit{Debit: Debit{"e-1", "BIL-2026-000001", 2, "AM04"}, CustomerRef: "CE-ACME", Returned: true})
	if want := "direct debit of BIL-2026-000001 returned (AM04)"; c.Suspension.Detail != want {
		t.Errorf("detail %q, want %q", c.Suspension.Detail, want)
	}
}

func TestAmend(t *testing.T) {
	c := play(t, active...)
	later := end.AddDate(1, 0, 0)
	moved := acme
	moved.BillingAddress.City = "Lyon"
	e, err := Decide(c, Amend{Ceiling: &Money{0, "EUR"}, Buyer: &moved, ValidUntil: &later, Reason: "renewed"}, begin)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Fold(c, e, begin)
	if err != nil || after.Ceiling.Amount != 0 || after.Buyer != moved || !after.ValidUntil.Equal(later) || after.Version != c.Version+1 {
		t.Fatalf("%+v, %v", after, err)
	}
	e, _ = Decide(after, Amend{OpenEnded: true}, begin)
	if after, err = Fold(after, e, begin); err != nil || !after.ValidUntil.IsZero() || !after.Within(end.AddDate(90, 0, 0)) {
		t.Fatalf("%+v, %v", after, err)
	}
}

// faultsOf returns the pointers of the faults of a command that must be invalid.
func faultsOf(t *testing.T, c *Contract, do Command, at time.Time) string {
	t.Helper()
	_, err := Decide(c, do, at)
	var invalid *Invalid
	if !errors.As(err, &invalid) {
		t.Fatalf("%T: %v, want it invalid", do, err)
	}
	pointers := make([]string, len(invalid.Faults))
	for i, f := range invalid.Faults {
		pointers[i] = f.Pointer
	}
	return strings.Join(pointers, " ")
}

func TestEveryFaultIsNamed(t *testing.T) {
	bad := subscribe
	bad.Buyer = Company{LegalName: " ", SIREN: "732829321", VATNumber: "FR00", BillingAddress: Address{Country: "France"}}
	bad.Ceiling = Money{-1, "euro"}
	bad.ValidUntil = bad.ValidFrom
	want := "/buyer/legalName /buyer/vatNumber /buyer/billingAddress/line1 /buyer/billingAddress/postalCode /buyer/billingAddress/city " +
		"/ceiling/amount /ceiling/currency /validUntil"
	if got := faultsOf(t, nil, bad, day0); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := faultsOf(t, nil, subscribe, end); got != "/validUntil" {
		t.Errorf("a validity that is over: %s", got)
	}

	c := play(t, active...)
	badSign := SignMandate{RUM: "/x", ICS: "FR00ZZZ123456", Scheme: "B2C", SignedAt: begin.Add(time.Hour), Account: Account{IBAN: "FR76", BIC: "X", Owner: " "}}
	if got, want := faultsOf(t, c, badSign, begin), "/scheme /owner /signedAt"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	ahead := sign
	ahead.SignedAt = begin.Add(ClockTolerance)
	if _, err := Decide(c, ahead, begin); err != nil {
		t.Errorf("signed by a clock that is %s ahead: %v", ClockTolerance, err)
	}
	ahead.SignedAt = ahead.SignedAt.Add(time.Microsecond)
	if got := faultsOf(t, c, ahead, begin); got != "/signedAt" {
		t.Errorf("signed by a clock that is further ahead: %s", got)
	}
	past := begin.Add(-time.Hour)
	for _, k := range []struct {
		do   Amend
		want string
	}{
		{Amend{Reason: "nothing"}, ""},
		{Amend{Ceiling: &Money{1, "USD"}}, "/ceiling/currency"},
		{Amend{ValidUntil: &past}, "/validUntil"},
		{Amend{ValidUntil: &end, OpenEnded: true}, "/validUntil"},
		{Amend{Buyer: &Company{}}, "/buyer/legalName /buyer/billingAddress/line1 /buyer/billingAddress/postalCode /buyer/billingAddress/city"},
	} {
		if got := faultsOf(t, c, k.do, begin); got != k.want {
			t.Errorf("%+v: got %s, want %s", k.do, got, k.want)
		}
	}
}

// A mandate reference names one mandate for ever.
func TestMandateIsUsedOnce(t *testing.T) {
	lapse := day0.AddDate(3, 0, 0)
	for _, k := range []struct {
		name   string
		before []step
		use    Use
		renews bool
		at     time.Time
		want   Unusable // -1: it can be signed
	}{
		{"new", pending, Use{}, false, begin, -1},
		{"in its last instant", pending, Use{}, false, lapse.Add(-1), -1},
		{"lapsed", pending, Use{}, false, lapse, Lapsed},
		{"of another contract", pending, Use{By: "CTR-8"}, false, begin, UsedElsewhere},
		{"of this contract, replaced", signed, Use{By: "CTR-7"}, false, begin, -1},
		{"of this contract, replaced and lapsed", signed, Use{By: "CTR-7"}, false, lapse, Lapsed},
		{"of this contract, revoked", revoked, Use{By: "CTR-7", Revoked: true}, true, begin, RevokedBefore},
		{"of another contract, revoked", signed, Use{By: "CTR-8", Revoked: true}, false, begin, UsedElsewhere},
		{"standing", signed, Use{By: "CTR-7"}, true, begin, -1},
		{"standing, perhaps lapsed", signed, Use{By: "CTR-7"}, true, lapse, -1},
		{"standing, and of another contract before", signed, Use{By: "CTR-8"}, true, begin, -1},
		{"terminated", terminated, Use{}, false, begin, -1},
		{"expired", expired, Use{}, false, end, -1},
	} {
		t.Run(k.name, func(t *testing.T) {
			do := sign
			do.Key, do.Use, do.Renews = "FR72123456/RUM-1", k.use, k.renews
			e, err := Decide(play(t, k.before...), do, k.at)
			var unusable *UnusableMandate
			if errors.As(err, &unusable) != (k.want >= 0) || unusable != nil && unusable.Cause != k.want {
				t.Fatalf("%#v, %v", e, err)
			}
			if accepted, ok := e.(MandateAccepted); ok != (k.want < 0) || ok && accepted.Mandate.Key != do.Key {
				t.Fatalf("%#v, %v", e, err)
			}
			if k.want == Lapsed && !unusable.Since.Equal(lapse) {
				t.Errorf("lapsed since %s, want %s", unusable.Since, lapse)
			}
		})
	}
}

// A customer is one company.
func TestCustomerIdentity(t *testing.T) {
	const another = "552100554"
	other := acme
	other.SIREN, other.VATNumber = another, "FR96552100554"
	moved := acme
	moved.BillingAddress.City = "Lyon"
	for name, k := range map[string]struct {
		buyer   Company
		others  []Identity
		created bool // it may be subscribed
		amended bool // it may be amended so
	}{
		"first contract":                {other, nil, true, true},
		"same company":                  {acme, []Identity{{"CTR-1", acme.SIREN}, {"CTR-2", acme.SIREN}}, true, true},
		"another company":               {other, []Identity{{"CTR-1", acme.SIREN}}, false, false},
		"one of several, from old logs": {other, []Identity{{"CTR-1", acme.SIREN}, {"CTR-2", another}}, true, true},
		"stays as it is":                {moved, []Identity{{"CTR-1", another}}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			do := subscribe
			do.Buyer, do.Others = k.buyer, k.others
			e, err := Decide(nil, do, day0)
			var differs *OtherIdentity
			if s, ok := e.(Subscribed); ok != k.created || ok && !s.Listed || errors.As(err, &differs) == k.created {
				t.Errorf("subscribed: %#v, %v", e, err)
			}
			e, err = Decide(play(t, active...), Amend{Buyer: &k.buyer, Others: k.others}, begin)
			if a, ok := e.(Amended); ok != k.amended || ok && a.CustomerRef != "CE-ACME" || errors.As(err, &differs) == k.amended {
				t.Errorf("amended: %#v, %v", e, err)
			}
		})
	}
	if e, _ := Decide(play(t, active...), Amend{OpenEnded: true}, begin); e.(Amended).CustomerRef != "" {
		t.Errorf("the list of the customer is changed by %#v", e)
	}
}

func TestNothingPrintsTheAccount(t *testing.T) {
	c := play(t, signed...)
	if c.Mandate.IBANLastFour != "0189" {
		t.Errorf("last four %q", c.Mandate.IBANLastFour)
	}
	bad := sign
	bad.Account.Owner = " "
	_, err := Decide(c, bad, day0)
	if err == nil || strings.Contains(err.Error(), "3000") {
		t.Errorf("error %v", err)
	}
}
