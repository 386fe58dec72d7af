package effect

import (
	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/gen/contractlog"
	"github.com/deferpay/deferpay/services/internal/ledger"
)

// taken returns the message of a record that says how far messages were taken in. It is no event of
// the domain.
func taken(t ledger.Taken) contractinternal.LogBody {
	m := &contractlog.TakenIn{Topic: t.Topic, Partition: t.Partition, TopicID: t.TopicID, Offset: t.Offset, SeenOffset: -1}
	if t.Seen != (ledger.Mark{}) {
		m.SeenOffset, m.SeenDigest = t.Seen.Offset, []byte(t.Seen.Digest)
	}
	return m
}

func (decoder) TakenIn(m *contractlog.TakenIn) (Body, error) {
	t := &ledger.Taken{Topic: m.Topic, Partition: m.Partition, TopicID: m.TopicID, Offset: m.Offset}
	if len(m.SeenDigest) > 0 {
		t.Seen = ledger.Mark{Offset: m.SeenOffset, Digest: string(m.SeenDigest)}
	}
	return Body{Taken: t}, nil
}
