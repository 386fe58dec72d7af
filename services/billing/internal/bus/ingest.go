// Package bus carries the billing service's messages, as specs/billing/asyncapi.yaml describes
// them: it ingests facts about contracts, and publishes the events of each applied record of the
// log. Only the service's front package imports it.
package bus

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/effect"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
)

// decisionTime bounds one attempt to ingest a fact, which is then retried.
const decisionTime = 15 * time.Second

// Memory is the part of the store that ingests facts.
type Memory interface {
	Observe(context.Context, billing.Observe) error
	Unreadable(context.Context, billing.NoteUnreadable) error
}

var _ Memory = (*store.Store)(nil)

// Ingester takes in facts about contracts.
type Ingester struct {
	Memory Memory
	Logger *slog.Logger
	// TopicID returns the id of a topic that is read, "" if it is not known.
	TopicID func(topic string, partition int32) string

	behind atomic.Int64
}

// Behind counts the facts that were decided after the state that is known of their contract, and
// have a lower version: the known version is one that contract never gave out.
func (i *Ingester) Behind() int64 { return i.behind.Load() }

// Register adds the handler of contract facts to a router. A fact is acknowledged once the log has
// the contract's state, or one that is as new. Before an unreadable fact becomes a dead letter, and
// when one is laid aside, a record notes that billing's copy of that contract may be out of date.
// Null values are skipped.
func (i *Ingester) Register(router *message.Router, facts message.Subscriber, options ...bus.ReceiveOption) error {
	return billingbus.Register(router, facts, i, append(options, bus.OnDeadLetter(i.unreadable), bus.OnLaidAside(i.unreadable))...)
}

// observe takes in a fact that was read from a message.
func observe[T any](ctx context.Context, i *Ingester, m *bus.Message[T, billingbus.ContractKey, billingbus.CloudEventsHeaders], f fact) error {
	if err := f.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, decisionTime)
	defer cancel()
	source := i.source(m.Topic, m.Partition, m.Offset)
	err := i.Memory.Observe(ctx, effect.Observed(f.name, f.headers.ID, f.contract, f.at, source))
	switch {
	case errors.Is(err, billing.ErrBehind):
		i.behind.Add(1)
		i.Logger.ErrorContext(ctx, "a later fact has a lower version than the one known: publish the contract again, above the known version", "contract", f.contractRef, "fact", f.name, "error", err.Error())
		return nil
	case errors.Is(err, billing.ErrContradiction), errors.Is(err, journal.ErrTooLarge), errors.Is(err, journal.ErrImpossible):
		return bus.Permanent(err)
	}
	return err
}

func (i *Ingester) source(topic string, partition int32, offset int64) billing.Source {
	s := billing.Source{Topic: topic, Partition: partition, Offset: offset}
	if i.TopicID != nil {
		s.TopicID = i.TopicID(topic, partition)
	}
	return s
}

// maxReason is how many bytes of an error a record keeps.
const maxReason = 500

// unreadable records that a fact is laid aside, or about to become a dead letter.
func (i *Ingester) unreadable(ctx context.Context, f bus.Failure) error {
	if !contractForm.MatchString(f.Key) {
		return nil // it is about no contract
	}
	ctx, cancel := context.WithTimeout(ctx, decisionTime)
	defer cancel()
	reason := f.Err.Error()
	if len(reason) > maxReason {
		reason = strings.ToValidUTF8(reason[:maxReason], "")
	}
	return i.Memory.Unreadable(ctx, billing.NoteUnreadable{
		ContractRef: f.Key, Source: i.source(f.Topic, f.Partition, f.Offset), Error: reason,
	})
}

func (i *Ingester) ContractSubscribed(ctx context.Context, m *billingbus.ContractSubscribedMessage) error {
	return observe(ctx, i, m, fact{"ContractSubscribed", m.Value.ContractRef, m.Value.Version, m.Value.Contract, m.Value.OccurredAt, m.Headers})
}

func (i *Ingester) ContractActivated(ctx context.Context, m *billingbus.ContractActivatedMessage) error {
	return observe(ctx, i, m, fact{"ContractActivated", m.Value.ContractRef, m.Value.Version, m.Value.Contract, m.Value.OccurredAt, m.Headers})
}

func (i *Ingester) ContractAmended(ctx context.Context, m *billingbus.ContractAmendedMessage) error {
	return observe(ctx, i, m, fact{"ContractAmended", m.Value.ContractRef, m.Value.Version, m.Value.Contract, m.Value.OccurredAt, m.Headers})
}

func (i *Ingester) ContractSuspended(ctx context.Context, m *billingbus.ContractSuspendedMessage) error {
	return observe(ctx, i, m, fact{"ContractSuspended", m.Value.ContractRef, m.Value.Version, m.Value.Contract, m.Value.OccurredAt, m.Headers})
}

func (i *Ingester) ContractReinstated(ctx context.Context, m *billingbus.ContractReinstatedMessage) error {
	return observe(ctx, i, m, fact{"ContractReinstated", m.Value.ContractRef, m.Value.Version, m.Value.Contract, m.Value.OccurredAt, m.Headers})
}

func (i *Ingester) ContractExpired(ctx context.Context, m *billingbus.ContractExpiredMessage) error {
	return observe(ctx, i, m, fact{"ContractExpired", m.Value.ContractRef, m.Value.Version, m.Value.Contract, m.Value.OccurredAt, m.Headers})
}

func (i *Ingester) ContractTerminated(ctx context.Context, m *billingbus.ContractTerminatedMessage) error {
	return observe(ctx, i, m, fact{"ContractTerminated", m.Value.ContractRef, m.Value.Version, m.Value.Contract, m.Value.OccurredAt, m.Headers})
}

func (i *Ingester) ContractRepublished(ctx context.Context, m *billingbus.ContractRepublishedMessage) error {
	return observe(ctx, i, m, fact{"ContractRepublished", m.Value.ContractRef, m.Value.Version, m.Value.Contract, m.Value.OccurredAt, m.Headers})
}

func (i *Ingester) MandateSigned(ctx context.Context, m *billingbus.MandateSignedMessage) error {
	return observe(ctx, i, m, fact{"MandateSigned", m.Value.ContractRef, m.Value.Version, m.Value.Contract, m.Value.OccurredAt, m.Headers})
}

func (i *Ingester) MandateRevoked(ctx context.Context, m *billingbus.MandateRevokedMessage) error {
	return observe(ctx, i, m, fact{"MandateRevoked", m.Value.ContractRef, m.Value.Version, m.Value.Contract, m.Value.OccurredAt, m.Headers})
}
