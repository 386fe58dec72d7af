// Package backup copies the records of a topic of one partition to a file, and back to an empty
// topic. The records of a log keep their offsets, because records of operators and positions name
// them.
//
// Commands and tests import it. A service does not.
package backup

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/admin"
	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/record"
)

// Topic is the topic to copy.
type Topic struct {
	Name            string
	ClientOptions   []kgo.Opt
	AllowUnverified bool // a configuration that may not be read is not an error
	Letters         bool // it is one of dead letters, which need less than a log
	// Progress is called with what is done (dump, check, restore), how many offsets are, and how
	// many there are, 0 if that is not known; it may be nil.
	Progress func(doing string, done, all int64)
}

func (t Topic) progress(doing string, done, all int64) {
	if t.Progress != nil {
		t.Progress(doing, done, all)
	}
}

// quiet is how long a compacted topic is waited for that seems to have no more records: the records
// before its end may have been compacted away.
const quiet = 5 * time.Second

// enough is how many times in a row it has to be quiet, with a broker that answers in between.
const enough = 2

// Dump writes the records that are in the topic now to w, from an offset on. An error is returned
// if the topic is a log that has lost records, or has more than one partition, or if it is
// compacted and from is not 0.
func (t Topic) Dump(ctx context.Context, w io.Writer, from int64) (Info, error) {
	client, err := topic.NewClientFrom(t.Name, from, 1, t.ClientOptions)
	if err != nil {
		return Info{}, err
	}
	defer client.Close()
	compacted, start, end, err := t.look(ctx, client)
	if err != nil {
		return Info{}, err
	}
	if start > 0 && !compacted {
		return Info{}, fmt.Errorf("%s has lost its records before @%d", t.Name, start)
	}
	if from < 0 || from > end || from > 0 && compacted {
		return Info{}, fmt.Errorf("%s ends at %d: it cannot be dumped from %d", t.Name, end, from)
	}
	before, err := t.before(ctx, from)
	if err != nil {
		return Info{}, err
	}
	out, err := newWriter(w, Header{Topic: t.Name, Compacted: compacted, From: from, End: end, Before: before, Taken: time.Now().UTC()})
	if err != nil {
		return Info{}, err
	}
	silences := 0
	for next := from; next < end; {
		records, err := t.poll(ctx, client, compacted)
		if err == nil && len(records) == 0 {
			// The broker may have been away; it has to answer before the next silence counts.
			_, err = topic.End(ctx, client, t.Name)
			silences++
		}
		if err != nil {
			return Info{}, err
		}
		if silences == enough {
			break
		}
		if len(records) > 0 {
			silences = 0
		}
		for _, r := range records {
			switch {
			case r.Offset >= end, compacted && r.Attrs.IsControl():
			case r.Offset != next && !compacted:
				return Info{}, fmt.Errorf("%s: record @%d is missing, @%d came instead", t.Name, next, r.Offset)
			default:
				err = out.write(r)
			}
			if err != nil {
				return Info{}, err
			}
			next = r.Offset + 1
		}
		t.progress("dump", min(next, end), end)
	}
	return out.close()
}

// before returns the SHA-256 of the value of the record before an offset, "" if that is 0.
func (t Topic) before(ctx context.Context, offset int64) (sum string, err error) {
	if offset == 0 {
		return "", nil
	}
	err = topic.Scan(ctx, t.Name, offset-1, offset, t.ClientOptions, func(r *record.Record) (bool, error) {
		digest := record.DigestOf(r.Value)
		sum = hex.EncodeToString(digest[:])
		return true, nil
	})
	return sum, err
}

// poll returns the next records, and none if a compacted topic has no more.
func (t Topic) poll(ctx context.Context, client *kgo.Client, compacted bool) ([]*kgo.Record, error) {
	waiting, cancel := ctx, context.CancelFunc(func() {})
	if compacted {
		waiting, cancel = context.WithTimeout(ctx, quiet)
	}
	defer cancel()
	fetches := client.PollFetches(waiting)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) {
			return nil, fmt.Errorf("read %s: %w", t.Name, e.Err)
		}
	}
	return fetches.Records(), nil
}

// look returns how the topic is kept, and where it begins and ends.
func (t Topic) look(ctx context.Context, client *kgo.Client) (compacted bool, start, end int64, err error) {
	err = topic.Verify(ctx, client, t.Name, topic.PositionSettings)
	compacted = err == nil
	if !compacted {
		err = topic.Verify(ctx, client, t.Name, nil)
	}
	if errors.Is(err, topic.ErrUnverified) && t.AllowUnverified {
		err = nil
	}
	if err != nil {
		return compacted, 0, 0, err
	}
	starts, err := kadm.NewClient(client).ListStartOffsets(ctx, t.Name)
	if err != nil {
		return compacted, 0, 0, err
	}
	first, _ := starts.Lookup(t.Name, 0)
	end, err = topic.End(ctx, client, t.Name)
	return compacted, first.Offset, end, errors.Join(first.Err, err)
}

// Restore writes the records of a dump to the topic, which must be empty or, if the dump begins at
// an offset, end there with the record that the dump continues. It reads the dump twice, and writes
// nothing unless it is whole and of this topic. The record at an offset of a log is written at that
// offset; an error is returned if something else writes to the topic meanwhile.
func (t Topic) Restore(ctx context.Context, dump io.ReadSeeker) (Info, error) {
	if err := rewind(dump); err != nil {
		return Info{}, err
	}
	info, err := Read(dump, func(r *kgo.Record) error {
		t.progress("check", r.Offset+1, 0)
		return ctx.Err()
	})
	if err != nil {
		return info, err
	}
	if err := rewind(dump); err != nil {
		return info, err
	}
	if info.Topic != t.Name {
		return info, fmt.Errorf("the dump is of %s, not of %s", info.Topic, t.Name)
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt(nil), t.ClientOptions...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(maxBatch), kgo.MaxBufferedRecords(10_000))...)
	if err != nil {
		return info, err
	}
	defer client.Close()
	if err := t.mayRestore(ctx, client, info); err != nil {
		return info, err
	}
	if err := t.produce(ctx, client, info, dump); err != nil {
		return info, fmt.Errorf("%w. %s may have a part of the records: delete and create the topic, and restore again", err, t.Name)
	}
	return info, nil
}

// rewind goes back to the start of a dump.
func rewind(dump io.Seeker) error {
	if _, err := dump.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("a dump is read twice, so it has to be a file and no pipe: %w", err)
	}
	return nil
}

const maxBatch = 1_048_588 // bytes; what topics take by default

func (t Topic) mayRestore(ctx context.Context, client *kgo.Client, info Info) error {
	settings := topic.LogSettings
	switch {
	case info.Compacted:
		settings = topic.PositionSettings
	case t.Letters:
		settings = topic.LetterSettings
	}
	if err := topic.Verify(ctx, client, t.Name, settings); err != nil && (!errors.Is(err, topic.ErrUnverified) || !t.AllowUnverified) {
		return err
	}
	_, start, end, err := t.look(ctx, client)
	if err != nil {
		return err
	}
	if info.From > 0 {
		return t.mayContinue(ctx, info, end)
	}
	if start != 0 || end != 0 {
		return fmt.Errorf("%s is not empty: it has the offsets %d to %d. Records are restored only to a topic that was just created, with every instance stopped", t.Name, start, end-1)
	}
	return nil
}

// mayContinue returns an error unless the topic ends where the dump begins.
func (t Topic) mayContinue(ctx context.Context, info Info, end int64) error {
	if end != info.From {
		return fmt.Errorf("%s ends at %d, and the dump begins at %d: restore the one before it first, with every instance stopped", t.Name, end, info.From)
	}
	before, err := t.before(ctx, end)
	if err == nil && before != info.Before {
		err = fmt.Errorf("record @%d of %s is not the one that the dump continues", end-1, t.Name)
	}
	return err
}

func (t Topic) produce(ctx context.Context, client *kgo.Client, info Info, dump io.Reader) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	promise := func(want int64) func(*kgo.Record, error) {
		return func(r *kgo.Record, err error) {
			switch {
			case err != nil:
				stop(fmt.Errorf("write to %s: %w", t.Name, err))
			case !info.Compacted && r.Offset != want:
				stop(fmt.Errorf("record @%d of the dump became @%d of %s: something else writes to the topic", want, r.Offset, t.Name))
			}
		}
	}
	_, err := Read(dump, func(r *kgo.Record) error {
		out := &kgo.Record{Topic: t.Name, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp}
		if r.Attrs.IsControl() {
			var err error
			if out.Value, err = barrier(); err != nil {
				return err
			}
		}
		client.Produce(ctx, out, promise(r.Offset))
		t.progress("restore", r.Offset+1, info.End)
		return context.Cause(ctx)
	})
	if err == nil {
		err = client.Flush(ctx)
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// barrier returns a record that changes nothing, for the place of one that only a broker can write.
func barrier() ([]byte, error) {
	e := record.Envelope{Kind: record.Barrier, DecidedAt: time.Now().UnixMicro(), Writer: "restore"}
	rand.Read(e.Attempt[:])
	return new(record.Encoder).Encode(&e)
}

// Records returns the records of the dump of a log, for package admin. Each reading begins at the
// start of the dump.
func Records(dump io.ReadSeeker) admin.Records {
	return func(ctx context.Context, fn func(admin.Record) error) error {
		if err := rewind(dump); err != nil {
			return err
		}
		_, err := Read(dump, func(r *kgo.Record) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return fn(admin.Record{Offset: r.Offset, Appended: r.Timestamp.UTC(), Value: r.Value, Control: r.Attrs.IsControl()})
		})
		return err
	}
}
