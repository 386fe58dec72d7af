// Package bus carries the billing service's messages, as specs/billing/asyncapi.yaml describes
// them: it ingests facts about contracts, and publishes the events of each applied record of the
// log. Only the service's front package imports it.
package bus

import (
	"context"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/effect"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/trace"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
)

// decisionTime bounds one attempt to ingest a fact, which is then retried.
const decisionTime = 15 * time.Second

// maxVersion is the highest version that a contract may have, as its documents say.
const maxVersion = 1<<53 - 1

// Memory is the part of the store that ingests facts.
type Memory interface {
	Observe(context.Context, billing.Observe) error
	Unreadable(context.Context, billing.NoteUnreadable) error
}

var _ Memory = (*store.Store)(nil)

// Ingest adds the handler of contract facts to a router. A fact is acknowledged once the log has
// the contract's state, or one that is as new. Before an unreadable fact becomes a dead letter, a
// record notes that billing's copy of that contract may be out of date. Null values are skipped.
func Ingest(router *message.Router, facts message.Subscriber, m Memory, options ...bus.ReceiveOption) error {
	in := ingester{m}
	return billingbus.Register(router, facts, in, append(options, bus.OnDeadLetter(in.unreadable))...)
}

type ingester struct{ memory Memory }

func (i ingester) observe(ctx context.Context, fact string, c event.Contract, at time.Time, h billingbus.CloudEventsHeaders) error {
	if c.Version < 1 || c.Version > maxVersion || c.Ceiling.Amount < 0 || len(c.Ceiling.Currency) != 3 || c.CustomerRef == "" {
		return bus.Permanentf("contract %s: version %d, ceiling %d %q, customer %q", c.ContractRef, c.Version, c.Ceiling.Amount, c.Ceiling.Currency, c.CustomerRef)
	}
	ctx, cancel := context.WithTimeout(trace.With(ctx, h.Traceparent), decisionTime)
	defer cancel()
	return i.memory.Observe(ctx, effect.Observed(fact, h.ID, c, at))
}

// unreadable records that a fact is about to become a dead letter.
func (i ingester) unreadable(ctx context.Context, f bus.Failure) error {
	ctx, cancel := context.WithTimeout(ctx, decisionTime)
	defer cancel()
	return i.memory.Unreadable(ctx, billing.NoteUnreadable{
		ContractRef: f.Key, Source: billing.Source{Topic: f.Topic, Partition: f.Partition, Offset: f.Offset}, Error: f.Err.Error(),
	})
}

func (i ingester) ContractSubscribed(ctx context.Context, m *billingbus.ContractSubscribedMessage) error {
	return i.observe(ctx, "ContractSubscribed", m.Value.Contract, m.Value.OccurredAt, m.Headers)
}

func (i ingester) ContractActivated(ctx context.Context, m *billingbus.ContractActivatedMessage) error {
	return i.observe(ctx, "ContractActivated", m.Value.Contract, m.Value.OccurredAt, m.Headers)
}

func (i ingester) ContractAmended(ctx context.Context, m *billingbus.ContractAmendedMessage) error {
	return i.observe(ctx, "ContractAmended", m.Value.Contract, m.Value.OccurredAt, m.Headers)
}

func (i ingester) ContractSuspended(ctx context.Context, m *billingbus.ContractSuspendedMessage) error {
	return i.observe(ctx, "ContractSuspended", m.Value.Contract, m.Value.OccurredAt, m.Headers)
}

func (i ingester) ContractReinstated(ctx context.Context, m *billingbus.ContractReinstatedMessage) error {
	return i.observe(ctx, "ContractReinstated", m.Value.Contract, m.Value.OccurredAt, m.Headers)
}

func (i ingester) ContractExpired(ctx context.Context, m *billingbus.ContractExpiredMessage) error {
	return i.observe(ctx, "ContractExpired", m.Value.Contract, m.Value.OccurredAt, m.Headers)
}

func (i ingester) ContractTerminated(ctx context.Context, m *billingbus.ContractTerminatedMessage) error {
	return i.observe(ctx, "ContractTerminated", m.Value.Contract, m.Value.OccurredAt, m.Headers)
}

func (i ingester) ContractRepublished(ctx context.Context, m *billingbus.ContractRepublishedMessage) error {
	return i.observe(ctx, "ContractRepublished", m.Value.Contract, m.Value.OccurredAt, m.Headers)
}

func (i ingester) MandateSigned(ctx context.Context, m *billingbus.MandateSignedMessage) error {
	return i.observe(ctx, "MandateSigned", m.Value.Contract, m.Value.OccurredAt, m.Headers)
}

func (i ingester) MandateRevoked(ctx context.Context, m *billingbus.MandateRevokedMessage) error {
	return i.observe(ctx, "MandateRevoked", m.Value.Contract, m.Value.OccurredAt, m.Headers)
}
