package contract

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

// topicCheck compares the topics of the service with what specs/contract says of them, once the broker is there.
type topicCheck struct {
	client []kgo.Opt
	lax    bool // what may not be read is passed over
	logger *slog.Logger
	done   atomic.Bool
}

func newTopicCheck(client []kgo.Opt, lax bool, logger *slog.Logger) *topicCheck {
	return &topicCheck{client: client, lax: lax, logger: logger}
}

var errUnchecked = errors.New("the topics have not been compared with the contracts yet")

func (c *topicCheck) ready() error {
	if c.done.Load() {
		return nil
	}
	return errUnchecked
}

// unreadable tells whether the client lacks the right to read settings.
func unreadable(err error) bool {
	return errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed)
}

// run returns an error when a topic is not as the contracts say; the error names the settings. A topic that is not there
// yet is waited for, as the broker is.
func (c *topicCheck) run(ctx context.Context) error {
	client, err := kgo.NewClient(c.client...)
	if err != nil {
		return err
	}
	defer client.Close()
	wanted := slices.Concat(contractinternal.Topics(), contractbus.Topics())
	for i := range wanted {
		if wanted[i].Name != contractinternal.LogTopic {
			wanted[i].Partitions = 0 // the operator's to choose; the log alone must have one, and the journal sees to that
		}
	}
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		err := topics.Verify(ctx, client, wanted)
		var drift topics.DriftError
		switch {
		case err == nil, c.lax && unreadable(err):
			if err != nil {
				c.logger.WarnContext(ctx, "topic settings may not be read, so they are taken for good", "error", err.Error())
			}
			c.done.Store(true)
			<-ctx.Done()
			return nil
		case errors.As(err, &drift) && !drift.Missing():
			return err
		}
		c.logger.WarnContext(ctx, "topics not checked yet, trying again", "error", err.Error(), "in", pause.String())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}
