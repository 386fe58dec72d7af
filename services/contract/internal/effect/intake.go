package effect

import (
	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/gen/contractlog"
	"github.com/deferpay/deferpay/services/internal/ledger"
)

// taken returns the message of a record that says how far messages were taken in. It is no event of
// the domain.
func taken(t ledger.Taken) contractinternal.LogBody {
	return &contractlog.TakenIn{Topic: t.Topic, Partition: t.Partition, TopicID: t.TopicID, Offset: t.Offset}
}

func (decoder) TakenIn(m *contractlog.TakenIn) (Body, error) {
	return Body{Taken: &ledger.Taken{Topic: m.Topic, Partition: m.Partition, TopicID: m.TopicID, Offset: m.Offset}}, nil
}
