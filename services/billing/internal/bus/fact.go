package bus

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/internal/strict"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
)

// What contract's documents say of every contract. Nothing else is taken in: it would be in the log
// for ever, and no request could name it.
const (
	maxVersion = 1<<53 - 1
	maxID      = 256 // bytes of the id of a fact
)

var (
	contractForm     = regexp.MustCompile(`^CTR-[1-9][0-9]{0,17}$`)
	subscriptionForm = regexp.MustCompile(`^SUB-[1-9][0-9]{0,17}$`)
	partyForm        = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)
	currencyForm     = regexp.MustCompile(`^[A-Z]{3}$`)
)

// fact is what every fact about a contract has.
type fact struct {
	name        string
	contractRef string
	version     int64
	contract    event.Contract
	at          time.Time
	headers     billingbus.CloudEventsHeaders
}

// check returns why a fact cannot be true.
func (f fact) check() error {
	var id error
	if n := len(f.headers.ID); n > maxID {
		id = fmt.Errorf("its id has %d bytes, more than %d", n, maxID)
	}
	return bus.Permanent(errors.Join(id, f.checkContract(), f.checkInstants()))
}

func (f fact) checkContract() error {
	c := f.contract
	for _, r := range []struct {
		what, text string
		form       *regexp.Regexp
	}{
		{"contract", c.ContractRef, contractForm}, {"subscription", c.SubscriptionRef, subscriptionForm},
		{"customer", c.CustomerRef, partyForm}, {"seller", c.SellerRef, partyForm}, {"currency", c.Ceiling.Currency, currencyForm},
	} {
		if !r.form.MatchString(r.text) {
			return fmt.Errorf("the %s is %.100q, which is not %s", r.what, r.text, r.form)
		}
	}
	switch {
	case c.Version < 1 || c.Version > maxVersion || c.Ceiling.Amount < 0:
		return fmt.Errorf("contract %s: version %d, ceiling %d", c.ContractRef, c.Version, c.Ceiling.Amount)
	case c.Version != f.version || c.ContractRef != f.contractRef:
		return fmt.Errorf("the fact is about version %d of %.100q, and carries version %d of %s", f.version, f.contractRef, c.Version, c.ContractRef)
	}
	return nil
}

func (f fact) checkInstants() error {
	type instant struct {
		name string
		at   *time.Time
	}
	c := f.contract
	all := []instant{{"occurredAt", &f.at}, {"validFrom", &c.ValidFrom}, {"validUntil", c.ValidUntil}}
	if m := c.Mandate; m != nil {
		all = append(all, instant{"signedAt", &m.SignedAt}, instant{"revokedAt", m.RevokedAt})
	}
	if s := c.Suspension; s != nil {
		all = append(all, instant{"since", &s.Since})
	}
	for _, i := range all {
		if i.at == nil {
			continue
		}
		if year := i.at.UTC().Year(); year < strict.FirstYear || year > strict.LastYear {
			return fmt.Errorf("%s is in the year %d, not in %d to %d", i.name, year, strict.FirstYear, strict.LastYear)
		}
	}
	return nil
}
