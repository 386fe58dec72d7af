package contract

import (
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// anyCommand draws a command, good or bad, with few different values so that they meet.
func anyCommand(t *rapid.T) Command {
	invoice := rapid.SampledFrom([]string{"BIL-2026-000001", "BIL-2026-000002"})
	until := rapid.SampledFrom([]time.Time{end, begin, end.AddDate(1, 0, 0)}).Draw(t, "until")
	from := rapid.SampledFrom([]time.Time{day0, begin, begin.AddDate(0, 1, 0)}).Draw(t, "from")
	ceiling := rapid.SampledFrom([]Money{{1, "EUR"}, {0, "EUR"}, {-1, "EUR"}, {1, "USD"}}).Draw(t, "ceiling")
	debit := Debit{"e", invoice.Draw(t, "invoice"), rapid.IntRange(1, 3).Draw(t, "presentation"), "AM04"}
	customer := rapid.SampledFrom([]string{"CE-ACME", "CE-ACME", "CE-ACME", "CE-OTHER"}).Draw(t, "customer")
	badSign := sign
	badSign.Account.Owner = ""
	return rapid.SampledFrom([]Command{
		subscribe, Activate{}, Expire{}, Suspend{"s"}, Reinstate{"r"}, Terminate{"t"}, sign, badSign, RevokeMandate{Reason: "w"}, Amend{},
		Amend{Ceiling: &ceiling}, Amend{ValidFrom: &from}, Amend{ValidUntil: &until}, Amend{OpenEnded: true}, Amend{Buyer: &acme},
		ReactToDebit{Debit: debit, CustomerRef: customer}, ReactToDebit{Debit: debit, CustomerRef: customer, Returned: true}, ErasePersonalData{}, Republish{}, Republish{rapid.Int64Range(-1, 90).Draw(t, "above")},
		// twice again, or most contracts would be terminated too soon
		Activate{}, Activate{}, Reinstate{"r"}, sign, ReactToDebit{Debit: debit, CustomerRef: customer},
	}).Draw(t, "command")
}

// Whatever is asked in whatever order: what Decide says happened is possible for Fold, and what it
// returns keeps the promises of Contract. This is what makes an impossible record in the log mean a
// defect.
func TestFoldAcceptsWhatDecideSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c *Contract
		now := day0
		suspendedFor := map[Failure]int{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "days")) * 24 * time.Hour)
			do := anyCommand(t)
			before := snapshot(c)
			e, err := Decide(c, do, now)
			if !reflect.DeepEqual(before, snapshot(c)) {
				t.Fatalf("%T changed the state it decided on", do)
			}
			if err != nil {
				continue
			}
			next, err := Fold(c, e, now)
			if err != nil {
				t.Fatalf("%#v on %+v: %v", e, c, err)
			}
			if !reflect.DeepEqual(before, snapshot(c)) {
				t.Fatalf("folding %T changed the state before it", e)
			}
			if s, ok := e.(Suspended); ok && s.Debit != nil {
				suspendedFor[Failure{s.Debit.InvoiceRef, s.Debit.Presentation, s.Cause == DirectDebitReturned}]++
			}
			checkPromises(t, c, next, e)
			c = next
		}
		for d, n := range suspendedFor {
			if n > 1 {
				t.Fatalf("suspended %d times for %+v", n, d)
			}
		}
	})
}

// snapshot copies a state as deep as anything could change it.
func snapshot(c *Contract) any {
	if c == nil {
		return nil
	}
	copied := *c
	copied.Failures = slices.Clone(c.Failures)
	for _, p := range []any{&copied.Mandate, &copied.Suspension, &copied.Termination, &copied.Expiry} {
		clonePointer(p)
	}
	return copied
}

func clonePointer(p any) {
	field := reflect.ValueOf(p).Elem()
	if !field.IsNil() {
		value := reflect.New(field.Type().Elem())
		value.Elem().Set(field.Elem())
		field.Set(value)
	}
}

func checkPromises(t *rapid.T, before, after *Contract, e Event) {
	var version int64
	if before != nil {
		version = before.Version
		if before.Status == StatusTerminated && after.Status != StatusTerminated {
			t.Fatalf("left TERMINATED for %s", after.Status)
		}
		if after.Ceiling.Currency != before.Ceiling.Currency {
			t.Fatal("the currency changed")
		}
	}
	if r, ok := e.(Republished); ok && r.Version > version {
		version = r.Version - 1
	}
	if _, ok := e.(PersonalDataErased); ok {
		version--
	}
	switch {
	case after.Version != version+1:
		t.Fatalf("version %d after %d", after.Version, version)
	case (after.Suspension != nil) != (after.underlying() == StatusSuspended):
		t.Fatalf("%s with suspension %+v", after.Status, after.Suspension)
	case (after.Termination != nil) != (after.Status == StatusTerminated):
		t.Fatalf("%s with termination %+v", after.Status, after.Termination)
	case (after.Expiry != nil) != (after.Status == StatusExpired):
		t.Fatalf("%s with expiry %+v", after.Status, after.Expiry)
	case after.Status == StatusExpired && !after.Over(after.UpdatedAt):
		t.Fatalf("EXPIRED at %s, valid until %s", after.UpdatedAt, after.ValidUntil)
	case after.underlying() == StatusActive && after.Mandate == nil:
		t.Fatal("active without a mandate ever signed")
	case after.Ceiling.Amount < 0:
		t.Fatal("a ceiling below zero")
	}
}

// What is due has an effect, and until then there is none: the schedule neither misses a change nor
// proposes one for ever.
func TestNextChangeIsTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var c *Contract
		now := day0
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "days")) * 24 * time.Hour)
			if e, err := Decide(c, anyCommand(t), now); err == nil {
				c, _ = Fold(c, e, now)
			}
			if c == nil {
				continue
			}
			_, expires := Decide(c, Expire{}, now)
			_, activates := Decide(c, Activate{}, now)
			at, changes := c.NextChange()
			if due := changes && !now.Before(at); due != (expires == nil || activates == nil) {
				t.Fatalf("due %t at %s, expires: %v, activates: %v: %+v", due, now, expires, activates, c)
			}
		}
	})
}

// An action is refused as forbidden exactly when the list of what is allowed does not have it.
func TestAllowedIsTheTruth(t *testing.T) {
	ask := map[Action]Command{
		ActionSuspend: Suspend{"s"}, ActionReinstate: Reinstate{}, ActionTerminate: Terminate{"t"},
		ActionAmend: Amend{OpenEnded: true}, ActionSignMandate: sign, ActionRevokeMandate: RevokeMandate{},
	}
	for _, steps := range [][]step{pending, signed, active, suspended, expired, terminated, revoked} {
		c := play(t, steps...)
		for action, do := range ask {
			_, err := Decide(c, do, begin)
			var forbidden *Forbidden
			if errors.As(err, &forbidden) == slices.Contains(c.Allowed(), action) {
				t.Errorf("%s on %s: %v, allowed %v", action, c.Status, err, c.Allowed())
			}
		}
	}
}
