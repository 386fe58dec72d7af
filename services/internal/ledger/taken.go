package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/deferpay/deferpay/services/journal"
)

// Taken says that every message of a partition of another service's topic below an offset was taken
// into the log. The log itself says so, and not the offsets of a consumer group, so that a log that
// was restored or cut takes in again what it lacks.
type Taken struct {
	Topic     string
	Partition int32
	TopicID   string // of the topic at the broker; one that was created again has another
	Offset    int64
}

func (t Taken) stream() journal.Stream {
	return journal.Stream(fmt.Sprintf("intake/%s/%d", t.Topic, t.Partition))
}

// errTaken is the error of a decision that would record what is known.
var errTaken = ForGood(errors.New("taken in as far already"))

// TakeIn records how far messages were taken in, unless it is recorded already.
func (l *Ledger[E, S, A]) TakeIn(ctx context.Context, t Taken) error {
	_, err := l.journal.Decide(ctx, journal.On(t.stream()), func(v *View) (Body[E], error) {
		s, _ := v.State(t.stream())
		if known, ok := s.(Taken); ok && known.TopicID == t.TopicID && known.Offset >= t.Offset {
			return Body[E]{}, errTaken
		}
		return Body[E]{Taken: &t}, nil
	})
	if errors.Is(err, errTaken) {
		return nil
	}
	return err
}

// TakenIn returns how far the messages of a partition were taken in, and whether the log says so.
func (l *Ledger[E, S, A]) TakenIn(topic string, partition int32) (t Taken, ok bool) {
	l.Read(func(st States) {
		s, _ := st.State(Taken{Topic: topic, Partition: partition}.stream())
		t, ok = s.(Taken)
	})
	return t, ok
}
