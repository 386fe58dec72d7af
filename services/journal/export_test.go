package journal

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/internal/core"
	"github.com/deferpay/deferpay/services/journal/internal/publication"
	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

// ReadEvery is how long a reader pauses.
const ReadEvery = readEvery

// Connected has the journal take note of a connection to a broker.
func (j *Journal[S, B]) Connected() {
	j.connections.OnBrokerConnect(kgo.BrokerMetadata{}, 0, nil, nil)
}

// NewRawClient returns a client like the one that a journal produces with.
func NewRawClient(log string, opts []kgo.Opt) (*kgo.Client, error) {
	return topic.NewClient(log, 2*maxInFlight, opts)
}

// Sending returns how many records are under way to the broker, and how many wait for them.
func (j *Journal[S, B]) Sending() (sent, waiting int) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.sender.sent, len(j.sender.outbox)
}

// KeepEntries sets how many entries are kept for subscribers. It is called before Run.
func (j *Journal[S, B]) KeepEntries(n int) { j.feed = publication.NewFeed[S, B](n) }

// Ahead returns how many records were applied and not read yet.
func (j *Journal[S, B]) Ahead() int {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return len(j.ahead)
}

// becomeReady lets the journal read its first barrier, at offset 0, without a broker.
func (j *Journal[S, B]) becomeReady(t *testing.T) {
	t.Helper()
	j.reason = nil
	j.core.Start()
	appends, _ := j.core.Take()
	barrier := &record.Record{Offset: 0, Value: appends[0].Value}
	barrier.Decode()
	if err := j.core.Read(barrier); err != nil || !j.core.Ready() {
		t.Fatalf("not ready after the first barrier: %v", err)
	}
}

// ReadBehind reads a record at the offset at which another one was applied when it was
// acknowledged.
func (j *Journal[S, B]) ReadBehind(t *testing.T, applied, read []byte) error {
	j.becomeReady(t)
	j.ahead = []early{{offset: 0, value: applied}}
	return j.applyRead(&record.Record{Offset: 0, Value: read}, time.Now())
}

// ReadBefore decides a command whose record is acknowledged at offset 2, and then reads the record
// of another instance at offset 1.
func (j *Journal[S, B]) ReadBefore(t *testing.T, cmd *core.Command[S, B], foreign []byte) error {
	j.becomeReady(t)
	j.core.Submit(cmd)
	appends, _ := j.core.Take()
	j.sender = &sender{acked: []*kgo.Record{{Offset: 2, Value: appends[0].Value}}}
	j.applyAhead(j.sender) // too early
	return j.applySome([]record.Record{{Offset: 1, Value: foreign}})
}

// TakeSnapshot takes a snapshot, whether one is due or not.
func (j *Journal[S, B]) TakeSnapshot(ctx context.Context) (record.Manifest, error) {
	id, _, err := j.log(ctx)
	if err != nil {
		return record.Manifest{}, err
	}
	return j.write(ctx, j.topicOfSnapshots(), j.manifest(id))
}

// LoadThis returns the states and the read model of a snapshot, which must be usable.
func (j *Journal[S, B]) LoadThis(t *testing.T, m record.Manifest) (*states.States[S, B], ModelLoading) {
	t.Helper()
	id, _, err := j.log(t.Context())
	if err == nil {
		err = j.mismatch(t.Context(), m, id, 1<<40)
	}
	if err != nil {
		t.Fatalf("the snapshot at %d: %v", m.Offset, err)
	}
	s, err := j.load(t.Context(), m, j.blank.Empty(), true)
	if err != nil {
		t.Fatalf("the snapshot at %d: %v", m.Offset, err)
	}
	return s.states, s.model
}

// FromSnapshot returns where a subscriber begins to read that goes on from an offset.
func (j *Journal[S, B]) FromSnapshot(t *testing.T, offset int64) int64 {
	return j.before(t.Context(), j.blank, offset).Next()
}
