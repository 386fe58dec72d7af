package bus

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
)

// A fact that cannot be true is never taken in, whoever wrote it.
func TestFactsThatCannotBeTrue(t *testing.T) {
	at := time.Date(2026, 3, 14, 0, 0, 0, 0, time.UTC)
	long, far := strings.Repeat("1", 100_000), time.Date(200_000, 1, 1, 0, 0, 0, 0, time.UTC)
	good := func() fact {
		until, revoked := at, at
		return fact{name: "ContractRepublished", contractRef: "CTR-7", version: 3, at: at, contract: event.Contract{
			ContractRef: "CTR-7", SubscriptionRef: "SUB-7", CustomerRef: "CE-ACME", SellerRef: "AG-1", Version: 3,
			Ceiling: event.Money{Amount: 1, Currency: "EUR"}, ValidFrom: at, ValidUntil: &until,
			Mandate: &event.Mandate{SignedAt: at, RevokedAt: &revoked}, Suspension: &event.Suspension{Since: at},
		}}
	}
	if err := good().check(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(f *fact)
		want   string
	}{
		"version 0":          {func(f *fact) { f.version, f.contract.Version = 0, 0 }, "version 0"},
		"version below 0":    {func(f *fact) { f.version, f.contract.Version = -1, -1 }, "version -1"},
		"highest version":    {func(f *fact) { f.version, f.contract.Version = math.MaxInt64, math.MaxInt64 }, "version 9223372036854775807"},
		"two versions":       {func(f *fact) { f.version = 4 }, "is about version 4"},
		"two contracts":      {func(f *fact) { f.contractRef = "CTR-8" }, "of \"CTR-8\", and carries"},
		"ceiling below 0":    {func(f *fact) { f.contract.Ceiling.Amount = -1 }, "ceiling -1"},
		"no currency":        {func(f *fact) { f.contract.Ceiling.Currency = "" }, "the currency is \"\""},
		"small letters":      {func(f *fact) { f.contract.Ceiling.Currency = "eur" }, "the currency is \"eur\""},
		"no contract":        {func(f *fact) { f.contractRef, f.contract.ContractRef = "", "" }, "the contract is \"\""},
		"another form":       {func(f *fact) { f.contractRef, f.contract.ContractRef = "CTR-07", "CTR-07" }, "the contract is \"CTR-07\""},
		"long contract":      {func(f *fact) { f.contractRef, f.contract.ContractRef = "CTR-"+long, "CTR-"+long }, "the contract is \"CTR-111"},
		"no subscription":    {func(f *fact) { f.contract.SubscriptionRef = "" }, "the subscription is \"\""},
		"no customer":        {func(f *fact) { f.contract.CustomerRef = "" }, "the customer is \"\""},
		"long customer":      {func(f *fact) { f.contract.CustomerRef = long }, "the customer is \"111"},
		"no seller":          {func(f *fact) { f.contract.SellerRef = "" }, "the seller is \"\""},
		"seller not visible": {func(f *fact) { f.contract.SellerRef = "AG\u200b" }, "the seller is"},
		"long id":            {func(f *fact) { f.headers.ID = long }, "its id has 100000 bytes"},
		"far occurredAt":     {func(f *fact) { f.at = far }, "occurredAt is in the year 200000"},
		"no occurredAt":      {func(f *fact) { f.at = time.Time{} }, "occurredAt is in the year 1"},
		"far validFrom":      {func(f *fact) { f.contract.ValidFrom = far }, "validFrom is in the year 200000"},
		"far validUntil":     {func(f *fact) { *f.contract.ValidUntil = far }, "validUntil is in the year 200000"},
		"far signedAt":       {func(f *fact) { f.contract.Mandate.SignedAt = far }, "signedAt is in the year 200000"},
		"far revokedAt":      {func(f *fact) { *f.contract.Mandate.RevokedAt = far }, "revokedAt is in the year 200000"},
		"far since":          {func(f *fact) { f.contract.Suspension.Since = far }, "since is in the year 200000"},
	} {
		f := good()
		c.change(&f)
		err := f.check()
		if err == nil || !bus.IsPermanent(err) || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 500 {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// notes is a memory that keeps what could not be read.
type notes struct {
	Memory
	about []string
}

func (n *notes) Unreadable(_ context.Context, u billing.NoteUnreadable) error {
	n.about = append(n.about, u.ContractRef)
	return nil
}

// A message that cannot be read is noted on the contract of its key, if a contract may have that
// key.
func TestUnreadableIsAboutAContract(t *testing.T) {
	var n notes
	i := &Ingester{Memory: &n}
	for _, key := range []string{"", "CTR-7", "CTR-07", "CTR-", "nonsense", "\xff\x00", "CTR-7\n", "CTR-" + strings.Repeat("7", 600_000)} {
		if err := i.unreadable(t.Context(), bus.Failure{Key: key, Err: errors.New("broken")}); err != nil {
			t.Error(err)
		}
	}
	if len(n.about) != 1 || n.about[0] != "CTR-7" {
		t.Errorf("noted %.100q", n.about)
	}
}
