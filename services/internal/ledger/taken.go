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
	Seen      Mark // the topic that Offset belongs to has it; the zero Mark if none is known
}

// Mark names a message of a partition by its content. A partition that holds another message at its
// offset was cut and has grown again.
type Mark struct {
	Offset int64
	Digest string // SHA-256 of key and value, as bytes
}

func (t Taken) stream() journal.Stream {
	return journal.Stream(fmt.Sprintf("intake/%s/%d", t.Topic, t.Partition))
}

var (
	errTaken    = ForGood(errors.New("taken in as far already"))
	errOvertook = ForGood(errors.New("another position was recorded meanwhile"))
)

// TakeIn records that messages were taken in up to t. Before is what TakenIn returned when that was
// found, the zero Taken if there was none. An error is returned if another position was recorded
// since, unless it is as far as t.
func (l *Ledger[E, S, A]) TakeIn(ctx context.Context, before, t Taken) error {
	return l.take(ctx, t, func(known Taken) error {
		switch {
		case known.TopicID == t.TopicID && known.Offset >= t.Offset:
			return errTaken
		case known != before:
			return errOvertook
		}
		return nil
	})
}

// TakeInAgain records t in place of wrong, a position in messages that the topic does not hold. It
// does nothing if another position was recorded meanwhile.
func (l *Ledger[E, S, A]) TakeInAgain(ctx context.Context, wrong, t Taken) error {
	return l.take(ctx, t, func(known Taken) error {
		if known != wrong {
			return errTaken
		}
		return nil
	})
}

// take records a position unless refuse returns an error for the one that is known. That is the
// zero Taken if there is none.
func (l *Ledger[E, S, A]) take(ctx context.Context, t Taken, refuse func(known Taken) error) error {
	_, err := l.journal.Decide(ctx, journal.On(t.stream()), func(v *View) (Body[E], error) {
		s, _ := v.State(t.stream())
		known, _ := s.(Taken)
		if err := refuse(known); err != nil {
			return Body[E]{}, err
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
