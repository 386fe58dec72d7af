package effect

import (
	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/gen/billinglog"
	"github.com/deferpay/deferpay/services/internal/ledger"
)

// taken returns the message of a record that says how far messages were taken in. It is no event of
// the domain.
func taken(t ledger.Taken) billinginternal.LogBody {
	return &billinglog.TakenIn{Topic: t.Topic, Partition: t.Partition, TopicID: t.TopicID, Offset: t.Offset}
}

func (decoder) TakenIn(m *billinglog.TakenIn) (Body, error) {
	return Body{Taken: &ledger.Taken{Topic: m.Topic, Partition: m.Partition, TopicID: m.TopicID, Offset: m.Offset}}, nil
}
