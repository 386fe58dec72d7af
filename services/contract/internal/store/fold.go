package store

import (
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/journal"
)

// fold brings an applied record into the states of its streams. An error says that the record is
// impossible.
func fold(v *journal.View[State], e journal.Entry[Body]) error {
	ref := contract.RefOf(e.Body.Event)
	stream := contractStream(ref)
	before, _ := v.State(stream)
	after, err := contract.Fold(before.Contract, e.Body.Event, e.DecidedAt)
	if err != nil {
		return fmt.Errorf("%s: %w", ref, err)
	}
	switch event := e.Body.Event.(type) {
	case contract.Subscribed:
		last, _ := v.State(sequence)
		if ref != refOf(last.Last+1) {
			return fmt.Errorf("%s subscribed after %s", ref, refOf(last.Last))
		}
		v.Set(sequence, State{Last: last.Last + 1})
	case contract.Suspended:
		if event.Debit != nil {
			v.Set(eventStream(event.Debit.EventID), State{Seen: true})
		}
	}
	if r := e.Body.Request; r != nil {
		v.Set(keyStream(*r), State{Key: &Key{Request: *r, Contract: after}})
	}
	v.Set(stream, State{Contract: after})
	return nil
}

// recordKey is the Kafka key of a record, and the order of publication: the contract.
func recordKey(e *journal.Entry[Body]) string { return string(contract.RefOf(e.Body.Event)) }

// recordSubject is the stream that is held back if the record turns out to be impossible: the
// contract.
func recordSubject(e *journal.Entry[Body]) journal.Stream {
	return contractStream(contract.RefOf(e.Body.Event))
}

// Applied is a record that was applied, and the contract right after it.
type Applied struct {
	journal.Entry[Body]
	Contract *contract.Contract
}

// FromMessage gives the record that a message of a Subscriber carries.
func FromMessage(m *message.Message) (Applied, bool) {
	e, after, ok := journal.FromMessage[State, Body](m)
	if !ok {
		return Applied{}, false
	}
	state, _ := after.State(contractStream(contract.RefOf(e.Body.Event)))
	return Applied{Entry: e, Contract: state.Contract}, true
}
