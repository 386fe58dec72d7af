package contract

import (
	"errors"
	"time"
)

// Expiry says since when the validity is over, and what the contract was before.
type Expiry struct {
	Before Status // PENDING, ACTIVE or SUSPENDED: its status again when the validity is prolonged
	Since  time.Time
}

// underlying returns the status that the contract would have if its validity had no end.
func (c *Contract) underlying() Status {
	if c.Expiry != nil {
		return c.Expiry.Before
	}
	return c.Status
}

// prolonged restores the status that the contract had before it expired, unless its validity is
// still over. It changes c.
func (c *Contract) prolonged(now time.Time) {
	if c.Expiry != nil && !c.Over(now) {
		c.Status, c.Expiry = c.Expiry.Before, nil
	}
}

// Expire ends the contract's life for now if its validity is over. Nobody requests it. Every
// instance proposes it when it is due, and all but the first proposal have no effect.
type Expire struct{}

func (Expire) decide(c *Contract, now time.Time) (Event, error) {
	if !c.permits(ActionExpire) || !c.Over(now) {
		return nil, ErrNoEffect
	}
	return Expired{Ref: c.Ref}, nil
}

// Expired: the validity is over. Purchases are refused until it is prolonged; what was bought is
// still invoiced and collected.
type Expired struct{ Ref Ref }

// About implements Event.
func (e Expired) About() Subject { return Subject{Contract: e.Ref} }

// Visit implements Event.
func (e Expired) Visit(v Visitor) error { return v.Expired(e) }

func (e Expired) apply(c *Contract, at time.Time) (*Contract, error) {
	if !c.Over(at) {
		return nil, errors.New("expired before the end of its validity")
	}
	next, err := c.step(ActionExpire)
	if err == nil {
		next.Status, next.Expiry = StatusExpired, &Expiry{Before: c.Status, Since: at}
	}
	return next, err
}
