package journal

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/record"
)

// A log is only cut while connections to its broker break: the broker is started with older data,
// or a replica that lacks records becomes the leader. Brokers without leader epochs do not report
// it, and the log may have grown beyond what was read before anybody looks. So after a connection
// was made, the records that were read last are compared with those in the log before others are
// applied.

// connections counts the connections to brokers, and up to which of them the log was compared.
type connections struct{ made, compared atomic.Int64 }

// changed reports whether a connection was made since the log was compared.
func (c *connections) changed() bool { return c.made.Load() != c.compared.Load() }

// OnBrokerConnect implements kgo.HookBrokerConnect.
func (c *connections) OnBrokerConnect(_ kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	if err == nil {
		c.made.Add(1)
	}
}

// keepIdle is how long a connection that is not used is kept. A new one has the log compared before
// records are applied ahead again, so a pause between requests is to need none. By default, brokers
// close connections after ten minutes.
const keepIdle = 9 * time.Minute

// watched returns the client options, with a hook that counts connections.
func (j *Journal[S, B]) watched() []kgo.Opt {
	return append([]kgo.Opt{kgo.ConnIdleTimeout(keepIdle), kgo.WithHooks(&j.connections)}, j.cfg.ClientOptions...)
}

// compare returns an error that wraps ErrDataLoss if reading was resumed on a log that is not the
// one that was read. Records were read and are not applied yet: they may have come before the log
// was cut.
func (j *Journal[S, B]) compare(ctx context.Context, records []record.Record) error {
	made := j.connections.made.Load() // others may be made while the log is compared
	if len(records) == 0 || !j.connections.changed() {
		return nil
	}
	j.mu.RLock()
	at, tail := j.core.Next()-1, j.tail
	j.mu.RUnlock()
	if tail != nil {
		if err := j.unchanged(ctx, at, tail); err != nil {
			return err
		}
	}
	last := &records[len(records)-1]
	if err := j.unchanged(ctx, last.Offset, last.Value); err != nil {
		return err
	}
	j.connections.compared.Store(made)
	return nil
}

// unchanged returns an error that wraps ErrDataLoss if the log has another record at an offset.
func (j *Journal[S, B]) unchanged(ctx context.Context, at int64, value []byte) error {
	return topic.Scan(ctx, j.cfg.Topic, at, at+1, j.cfg.ClientOptions, func(r *record.Record) (bool, error) {
		if !bytes.Equal(r.Value, value) {
			return true, fmt.Errorf("%w: record %d is not the one that was read", ErrDataLoss, at)
		}
		return true, nil
	})
}
