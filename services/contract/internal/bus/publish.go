// Package bus carries the contract service's messages, as specs/contract/asyncapi.yaml describes
// them: it publishes a fact for each applied record of the log, and reacts to billing's events. The
// service's front package imports it, nobody else.
package bus

import (
	"context"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/contract/internal/store"
)

// Publish adds publication to a router: every applied record of the log becomes one fact, with the
// contract's full state and version after it. A record is acknowledged when the broker has its
// fact; until then it is delivered again, so a fact may be published twice, with the same ce_id.
// Facts of one contract are published in order.
func Publish(router *message.Router, applied message.Subscriber, facts *contractbus.Publisher) {
	router.AddConsumerHandler("publishContractFacts", store.Log, applied, func(m *message.Message) error {
		a, ok := store.FromMessage(m)
		if !ok {
			return fmt.Errorf("message %s is no record of the log", m.UUID)
		}
		return publish(m.Context(), facts, a)
	})
}

// publish sends the one fact that a record amounts to.
func publish(ctx context.Context, facts *contractbus.Publisher, a store.Applied) error {
	var (
		ref     = string(a.Contract.Ref)
		key     = contractbus.ContractKey(ref)
		version = a.Contract.Version
		state   = stateOf(a.Contract)
		at      = a.DecidedAt
		headers = contractbus.CloudEventsHeaders{ID: factID(a), Time: at, Traceparent: a.Traceparent}
	)
	switch e := a.Body.Event.(type) {
	case contract.Subscribed:
		return facts.ContractSubscribed(ctx, key, event.ContractSubscribed{ContractRef: ref, Version: version, Contract: state, OccurredAt: at}, headers)
	case contract.Activated:
		return facts.ContractActivated(ctx, key, event.ContractActivated{ContractRef: ref, Version: version, Contract: state, OccurredAt: at}, headers)
	case contract.Amended:
		return facts.ContractAmended(ctx, key, event.ContractAmended{ContractRef: ref, Version: version, Contract: state, Reason: e.Reason, OccurredAt: at}, headers)
	case contract.Suspended:
		return facts.ContractSuspended(ctx, key, event.ContractSuspended{ContractRef: ref, Version: version, Contract: state, Cause: event.SuspensionCause(e.Cause), Reason: e.Reason, OccurredAt: at}, headers)
	case contract.Reinstated:
		return facts.ContractReinstated(ctx, key, event.ContractReinstated{ContractRef: ref, Version: version, Contract: state, Reason: e.Reason, OccurredAt: at}, headers)
	case contract.Terminated:
		return facts.ContractTerminated(ctx, key, event.ContractTerminated{ContractRef: ref, Version: version, Contract: state, Reason: e.Reason, OccurredAt: at}, headers)
	case contract.MandateAccepted:
		return facts.MandateSigned(ctx, key, event.MandateSigned{ContractRef: ref, Version: version, Contract: state, OccurredAt: at}, headers)
	case contract.MandateWithdrawn:
		return facts.MandateRevoked(ctx, key, event.MandateRevoked{ContractRef: ref, Version: version, Contract: state, Reason: e.Reason, OccurredAt: at}, headers)
	}
	return fmt.Errorf("no fact for %T", a.Body.Event)
}

// factID is the ce_id of the fact that a record amounts to.
func factID(a store.Applied) string { return a.Attempt.String() + "-0" }

// stateOf is a contract as facts carry it.
func stateOf(c *contract.Contract) event.Contract {
	r := event.Contract{
		ContractRef: string(c.Ref), SubscriptionRef: c.Ref.SubscriptionRef(), CustomerRef: c.CustomerRef, SellerRef: c.SellerRef,
		Version: c.Version, Status: event.ContractStatus(c.Status), Buyer: store.CompanyRecord(c.Buyer), Ceiling: event.Money(c.Ceiling),
		ValidFrom: c.ValidFrom, ValidUntil: optional(c.ValidUntil),
	}
	if c.Mandate != nil {
		m := store.MandateRecord(*c.Mandate)
		r.Mandate = &m
	}
	if s := c.Suspension; s != nil {
		r.Suspension = &event.Suspension{Cause: event.SuspensionCause(s.Cause), Detail: s.Detail, Since: s.Since}
		if s.InvoiceRef != "" {
			r.Suspension.InvoiceRef = &s.InvoiceRef
		}
	}
	return r
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
