// Package effect holds what each event of the domain becomes outside it: the body of the log that
// keeps it, the public fact that is published, and the read model. The conversions between the
// domain and Avro are here and nowhere else, those of one event in one file.
//
// Whatever has to deal with all events is a contract.Visitor, or a generated visitor over the
// bodies of the log, so that nothing compiles while an event lacks a part. The store and the
// message layer import this package.
package effect

import (
	"context"
	"time"

	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/ledger"
)

// Body is what a record of the log holds.
type Body = ledger.Body[contract.Event]

// Applied is an applied record, and the contract right after it.
type Applied = ledger.Applied[contract.Event, *contract.Contract]

// Codec writes bodies as the messages of the channel logBody in
// specs/contract/internal.asyncapi.yaml, and reads them back.
func Codec() ledger.Codec[contract.Event, contractinternal.LogBody] {
	return ledger.Codec[contract.Event, contractinternal.LogBody]{
		ToMessage: func(b Body) (contractinternal.LogBody, error) {
			if b.Taken != nil {
				return taken(*b.Taken), nil
			}
			e := encoder{Body: b}
			err := b.Event.Visit(&e)
			return e.message, err
		},
		FromMessage: func(m contractinternal.LogBody) (Body, error) { return contractinternal.VisitLogBody(m, decoder{}) },
		EncodeBytes: contractinternal.EncodeLogBody, DecodeBytes: contractinternal.DecodeLogBody, Kind: contractinternal.KindOfLogBody,
	}
}

// encoder is a visitor that makes the message of an event.
type encoder struct {
	Body
	message contractinternal.LogBody
}

// decoder is a visitor that makes the body of a message.
type decoder struct{ ledger.Bodies[contract.Event] }

// the compiler names the method that is missing
var _ contractinternal.LogBodyVisitor[Body] = decoder{}

// Publish returns what publishes the fact that an applied record amounts to, with the contract's
// full state after it.
func Publish(facts *contractbus.Publisher) func(context.Context, Applied) error {
	return func(ctx context.Context, a Applied) error {
		c := a.After
		return a.Event().Visit(&publisher{
			ctx: ctx, facts: facts, key: contractbus.ContractKey(c.Ref), at: a.DecidedAt, ref: string(c.Ref), version: c.Version, state: stateOf(c),
			headers: contractbus.CloudEventsHeaders{ID: FactID(a), Time: a.DecidedAt, Traceparent: a.Traceparent},
		})
	}
}

// FactID returns the ce_id of the fact that a record amounts to.
func FactID(a Applied) string { return a.EventID(0) }

// publisher is a visitor that publishes the fact of an event.
type publisher struct {
	ctx     context.Context
	facts   *contractbus.Publisher
	key     contractbus.ContractKey
	headers contractbus.CloudEventsHeaders
	at      time.Time
	ref     string
	version int64
	state   factState
}
