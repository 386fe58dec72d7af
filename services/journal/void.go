package journal

import (
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/record"
)

// takeAll applies records that were read. If one of them cannot be decoded, it looks whether a
// later record declares that one void, and goes on if so.
func (j *Journal[S, B]) takeAll(ctx context.Context, client *kgo.Client, records []record.Record) error {
	for {
		err := j.take(records)
		var unreadable *UnreadableError
		if !errors.As(err, &unreadable) {
			return err
		}
		end, failed := topic.End(ctx, client, j.cfg.Topic)
		if failed != nil {
			return failed
		}
		v, failed := topic.FindVoiding(ctx, j.cfg.Topic, unreadable.Offset, end, j.cfg.ClientOptions)
		if failed != nil {
			return failed
		}
		if v == nil {
			return err
		}
		j.declare(v)
		at := slices.IndexFunc(records, func(r record.Record) bool { return r.Offset == unreadable.Offset })
		records = records[at:]
	}
}

// awaitVoiding waits until a record declares the unreadable one void, or until that one is not in
// the log any more.
func (j *Journal[S, B]) awaitVoiding(ctx context.Context, unreadable *UnreadableError) {
	v, err := topic.FindVoiding(ctx, j.cfg.Topic, unreadable.Offset, -1, j.cfg.ClientOptions)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		j.cfg.Logger.Error("the log was not read beyond a record that cannot be read", "topic", j.cfg.Topic, "error", err)
		sleep(ctx, retryDelay)
	default:
		j.declare(v)
	}
}

func (j *Journal[S, B]) declare(v *record.Voiding) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.core.Declare(*v)
	j.cfg.Logger.Warn("a record that cannot be read was declared void", "topic", j.cfg.Topic, "offset", v.Offset, "reason", v.Reason)
}
