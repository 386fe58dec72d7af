// Package admin is for the people who operate a log: it shows what is on it and what became of each
// record, compares two logs by the states that they lead to, and writes the records by which an
// operator mends a log. It needs no running instance, and may be used beside any number of them.
//
// Commands and tests import it. A service does not.
package admin

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/states"
)

// Log is a log, and the domain whose records it holds. Its methods may be called at the same time.
type Log struct {
	topic           string
	writer          string
	options         []kgo.Opt
	allowUnverified bool
	newFold         func() folder
}

// Open returns the log of a domain without touching the network. Of cfg it uses Topic, Writer,
// ClientOptions, Codec, Fold, Subject, Passing and AllowUnverified. If the codec has a method Show,
// bodies are shown as that returns them.
func Open[S, B any](cfg journal.Config[S, B]) *Log {
	blank := states.New(states.Config[S, B]{Log: cfg.Topic, Fold: cfg.Fold, Codec: cfg.Codec, Subject: cfg.Subject, Passing: cfg.Passing, States: cfg.States})
	show := func(kind string, body []byte) (any, error) { return cfg.Codec.Decode(kind, body) }
	if s, ok := cfg.Codec.(interface {
		Show(kind string, body []byte) (any, error)
	}); ok {
		show = s.Show
	}
	return &Log{
		topic: cfg.Topic, writer: cfg.Writer, options: cfg.ClientOptions, allowUnverified: cfg.AllowUnverified,
		newFold: func() folder {
			return &fold[S, B]{states: blank.Empty(), verdict: states.NewVerdict[S, B](), show: show}
		},
	}
}

// Topic returns the name of the log.
func (l *Log) Topic() string { return l.topic }

// Record is one record as it is in the log.
type Record struct {
	Offset   int64
	Appended time.Time
	Value    []byte
	Control  bool // the end of somebody's transaction, which the broker writes; it has no value
}

// Records is where records are read: On returns those of a log, and a backup is another. It calls
// fn with each, in order, until fn returns an error.
type Records func(ctx context.Context, fn func(Record) error) error

// On returns the records that are in the log now, of which the last one is before the offset upTo,
// unless upTo is negative. A *journal.TopicError is returned if the topic is not one of a log.
func (l *Log) On(ctx context.Context, upTo int64) (Records, error) {
	client, err := topic.NewClient(l.topic, 1, l.options)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if err := l.verify(ctx, client); err != nil {
		return nil, err
	}
	end, err := topic.End(ctx, client, l.topic)
	if err != nil {
		return nil, err
	}
	if upTo > end {
		return nil, fmt.Errorf("%s ends at %d: it has no record @%d", l.topic, end, upTo-1)
	}
	if upTo < 0 {
		upTo = end
	}
	return func(ctx context.Context, fn func(Record) error) error {
		return topic.Scan(ctx, l.topic, 0, upTo, l.options, func(r *record.Record) (bool, error) {
			return false, fn(Record{r.Offset, r.Appended, r.Value, r.Kind == record.Barrier})
		})
	}, nil
}

func (l *Log) verify(ctx context.Context, client *kgo.Client) error {
	err := topic.Verify(ctx, client, l.topic, topic.LogSettings)
	if errors.Is(err, topic.ErrUnverified) && l.allowUnverified {
		return nil
	}
	return err
}

// Voiding says which record to declare void.
type Voiding struct {
	Offset int64
	Reason string
	// UnknownKind allows a record whose kind the program does not know. Only who knows that no
	// version that ever ran can read it may set this: what such a version has answered would be
	// taken back.
	UnknownKind bool
}

// DeclareVoid appends a record that declares another one void, and returns its offset. Every
// instance is ready again once it has read it. An error is returned, and nothing is appended, if
// the record can be decoded.
func (l *Log) DeclareVoid(ctx context.Context, v Voiding) (int64, error) {
	meant, digest, err := l.find(ctx, v.Offset)
	switch {
	case err != nil:
		return 0, err
	case meant.Outcome == DeclaredVoid:
		return 0, fmt.Errorf("record @%d of %s is declared void already", v.Offset, l.topic)
	case meant.Outcome != Unreadable:
		return 0, fmt.Errorf("record @%d of %s can be read (%s, kind %q): only a record that no instance can read may be declared void",
			v.Offset, l.topic, meant.Outcome, meant.Kind)
	case errors.Is(meant.err, journal.ErrUnknownKind) && !v.UnknownKind:
		return 0, fmt.Errorf("record @%d of %s was perhaps written by a newer version, which can read it: %w", v.Offset, l.topic, meant.err)
	}
	e, err := record.Voiding{Offset: v.Offset, Digest: digest, Reason: v.Reason}.Envelope()
	return l.append(ctx, e, err)
}

func (l *Log) find(ctx context.Context, offset int64) (found Reading, digest record.Digest, err error) {
	records, err := l.On(ctx, -1) // a later record may declare it void
	if err != nil {
		return found, digest, err
	}
	summary, err := l.Read(ctx, records, func(r Reading) error {
		if r.Offset == offset {
			found, digest = r, record.DigestOf(r.value)
		}
		return nil
	})
	if err == nil && (offset < 0 || offset >= summary.Records) {
		err = fmt.Errorf("%s ends at %d: it has no record @%d", l.topic, summary.Records, offset)
	}
	return found, digest, err
}

// Release appends a record that releases a parked stream, and returns its offset. Decisions on the
// stream go on from the state before the impossible record, which stays without effect. An error is
// returned, and nothing is appended, if the stream is not parked.
func (l *Log) Release(ctx context.Context, stream journal.Stream, reason string) (int64, error) {
	records, err := l.On(ctx, -1)
	if err != nil {
		return 0, err
	}
	summary, err := l.Read(ctx, records, func(Reading) error { return nil })
	if err != nil {
		return 0, err
	}
	for _, p := range summary.Parked {
		if p.Stream == stream {
			e, err := record.Releasing{Stream: stream, Attempt: p.attempt, Reason: reason}.Envelope()
			return l.append(ctx, e, err)
		}
	}
	return 0, fmt.Errorf("stream %q of %s is not parked", stream, l.topic)
}

// append appends a record of an operator, unless err is set.
func (l *Log) append(ctx context.Context, e record.Envelope, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	rand.Read(e.Attempt[:])
	e.Attempt[6] = e.Attempt[6]&0x0f | 0x40
	e.Attempt[8] = e.Attempt[8]&0x3f | 0x80
	e.DecidedAt, e.Writer = time.Now().UnixMicro(), l.writer
	value, err := new(record.Encoder).Encode(&e)
	if err != nil {
		return 0, err
	}
	client, err := topic.NewClient(l.topic, 1, l.options)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	var offset int64
	written := make(chan error, 1)
	client.Produce(ctx, &kgo.Record{Topic: l.topic, Value: value}, func(r *kgo.Record, err error) {
		offset = r.Offset
		written <- err
	})
	select {
	case err = <-written:
	case <-ctx.Done(): // the client would wait for a broker that is away
		err = fmt.Errorf("whether the record was written is not known: %w", context.Cause(ctx))
	}
	if err != nil {
		return 0, fmt.Errorf("append to %s: %w", l.topic, err)
	}
	return offset, nil
}

// hexOf returns a short name of bytes, for people.
func hexOf(b []byte) string { return hex.EncodeToString(b) }
