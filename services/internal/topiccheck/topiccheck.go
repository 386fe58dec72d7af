// Package topiccheck compares the topics of a service with what its contracts say of them, before the service is ready: a service does
// not work on a topic that may lose what it relies on. The services' front packages import it.
package topiccheck

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

// Check compares topics once the broker is there.
type Check struct {
	Client []kgo.Opt
	// Topics are what the contracts declare. The number of partitions is the operator's to choose, but of Log.
	Topics []topics.Topic
	Log    string
	Lax    bool // settings that may not be read are taken for good
	Logger *slog.Logger
	done   atomic.Bool
}

var errUnchecked = errors.New("the topics have not been compared with the contracts yet")

// Ready is nil once the topics were found good.
func (c *Check) Ready() error {
	if c.done.Load() {
		return nil
	}
	return errUnchecked
}

// unreadable tells whether the client lacks the right to read settings.
func unreadable(err error) bool {
	return errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed)
}

// Run returns an error when a topic is not as the contracts say; the error names the settings. A topic that is not there
// yet is waited for, as the broker is.
func (c *Check) Run(ctx context.Context) error {
	client, err := kgo.NewClient(c.Client...)
	if err != nil {
		return err
	}
	defer client.Close()
	wanted := slices.Clone(c.Topics)
	for i := range wanted {
		if wanted[i].Name != c.Log {
			wanted[i].Partitions = 0 // the operator's to choose; the log alone must have one, and the journal sees to that
		}
	}
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := topics.Verify(ctx, client, wanted)
		var drift topics.DriftError
		switch {
		case err == nil, c.Lax && unreadable(err):
			if err != nil {
				c.Logger.WarnContext(ctx, "topic settings may not be read, so they are taken for good", "error", err.Error())
			}
			c.done.Store(true)
			<-ctx.Done()
			return nil
		case errors.As(err, &drift) && !drift.Missing():
			return err
		}
		c.Logger.WarnContext(ctx, "topics not checked yet, trying again", "error", err.Error(), "in", pause.String())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}
