// Package effect holds what each event of the domain becomes outside it: the body of the log that
// keeps it, the public events that are published, and the read model. The conversions between the
// domain and Avro are here and nowhere else, those of one event in one file.
//
// Whatever has to deal with all events is a billing.Visitor, or a generated visitor over the bodies
// of the log, so that nothing compiles while an event lacks a part. The store and the message layer
// import this package.
package effect

import (
	"context"

	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/gen/billinglog"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
)

// Body is what a record of the log holds.
type Body = ledger.Body[billing.Event]

// Applied is an applied record, and the states of its streams right after it.
type Applied = ledger.Applied[billing.Event, billing.States]

// Codec writes bodies as the messages of the channel logBody in
// specs/billing/internal.asyncapi.yaml, and reads them back.
func Codec() ledger.Codec[billing.Event, billinginternal.LogBody] {
	return ledger.Codec[billing.Event, billinginternal.LogBody]{
		ToMessage: func(b Body) (billinginternal.LogBody, error) {
			if b.Taken != nil {
				return taken(*b.Taken), nil
			}
			e := encoder{Body: b}
			err := b.Event.Visit(&e)
			return e.message, err
		},
		FromMessage: func(m billinginternal.LogBody) (Body, error) { return billinginternal.VisitLogBody(m, decoder{}) },
		EncodeBytes: encodeBytes, DecodeBytes: billinginternal.DecodeLogBody, Kind: billinginternal.KindOfLogBody,
	}
}

// encodeBytes encodes a message. A fact may carry a symbol that this version of billing reads as
// UNKNOWN, which EncodeLogBody would not write. It is kept as read.
func encodeBytes(m billinginternal.LogBody) ([]byte, error) {
	if o, ok := m.(*billinglog.ContractObserved); ok {
		return avrobin.EncodeSingleObject(o)
	}
	return billinginternal.EncodeLogBody(m)
}

// encoder is a visitor that makes the message of an event.
type encoder struct {
	Body
	message billinginternal.LogBody
}

// decoder is a visitor that makes the body of a message.
type decoder struct{ ledger.Bodies[billing.Event] }

// the compiler names the method that is missing
var _ billinginternal.LogBodyVisitor[Body] = decoder{}

// Publish returns what publishes the events that an applied record amounts to: none, one or
// several.
func Publish(events *billingbus.Publisher) func(context.Context, Applied) error {
	return func(ctx context.Context, a Applied) error {
		p := publisher{Applied: a, ctx: ctx, events: events}
		about := a.Event().About()
		if about.Contract != "" {
			p.account, _ = a.After.Account(about.Contract)
		}
		p.key = billingbus.CustomerKey(keyOf(about, &p.account))
		return a.Event().Visit(&p)
	}
}

// Key returns the key of the events of a record: the customer. Records of one key are published in
// order. Runs publish nothing and have keys of their own.
func Key(a Applied) string {
	about := a.Event().About()
	if about.Contract == "" {
		return keyOf(about, nil)
	}
	account, _ := a.After.Account(about.Contract)
	return keyOf(about, &account)
}

// keyOf returns the key of a record about a contract with an account, or about a run.
func keyOf(about billing.Subject, account *billing.Account) string {
	if about.Contract == "" {
		return about.Run.String()
	}
	return account.Contract.CustomerRef
}

// publisher is a visitor that publishes the events of one record. Each has the record's identity
// and its own index as id.
type publisher struct {
	Applied
	ctx    context.Context
	events *billingbus.Publisher
	key    billingbus.CustomerKey
	// of the first contract, right after the record; the zero value for a run
	account billing.Account
	next    int
}

// headers returns the headers of the next event of the record.
func (p *publisher) headers() billingbus.CloudEventsHeaders {
	h := billingbus.CloudEventsHeaders{ID: p.EventID(p.next), Time: p.DecidedAt, Traceparent: p.Traceparent}
	p.next++
	return h
}

// private is the outcome of publishing an event that only billing has to know.
func private() error { return nil }

// unread is the outcome of projecting an event that no query shows, or shows from the states alone.
func unread() error { return nil }
