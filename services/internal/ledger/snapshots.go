package ledger

import (
	"context"
	"reflect"

	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/shape"
)

// Snapshots is what a domain supplies so that instances do not read the whole log when they start;
// see journal.Snapshots. All fields are required.
type Snapshots struct {
	Topic string
	// Version is raised when the same records lead to other states, or to another read model, than
	// before. ledgertest.SameFold notices that.
	Version int32
	States  []any // a value of every type that the states of the domain's streams have
	Model   journal.ReadModel
}

// keep sets how the journal keeps states, and that it takes snapshots every so many records, 0 for
// none.
func (d Domain[E, S, A]) keep(config *journal.Config[State, Body[E]], every int64) error {
	if d.Snapshots == nil {
		return nil
	}
	codec, err := shape.Of[State](append([]any{key[A]{}, Taken{}}, d.Snapshots.States...)...)
	if err != nil {
		return err
	}
	config.States = codec
	if every > 0 {
		config.Snapshots = &journal.Snapshots{
			Topic: d.Snapshots.Topic, Version: d.Snapshots.Version, Model: d.Snapshots.Model, Every: every,
		}
	}
	return nil
}

// Snapshot takes a snapshot now; see journal.Journal.
func (l *Ledger[E, S, A]) Snapshot(ctx context.Context) (offset int64, err error) {
	return l.journal.Snapshot(ctx)
}

// Config returns what the ledger's journal is made of, for tests that play a log without a broker.
func (l *Ledger[E, S, A]) Config() journal.Config[State, Body[E]] { return l.config }

// Events returns a value of every event that the interface V has a visiting method for.
func Events[V any]() (all []any) {
	visitor := reflect.TypeFor[V]()
	for i := range visitor.NumMethod() {
		all = append(all, reflect.Zero(visitor.Method(i).Type.In(0)).Interface())
	}
	return all
}
