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
	reason atomic.Pointer[error] // nil: not tried yet
}

func newTopicCheck(client []kgo.Opt, lax bool, logger *slog.Logger) *topicCheck {
	return &topicCheck{client: client, lax: lax, logger: logger}
}

var errUnchecked = errors.New("the topics have not been compared with the contracts yet")

// ready is nil once the topics are found to be as the contracts say, else why they are not.
func (c *topicCheck) ready() error {
	if reason := c.reason.Load(); reason != nil {
		return *reason
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
	for {
		err := c.verify(ctx, client, wanted)
		var drift topics.DriftError
		if errors.As(err, &drift) && !drift.Missing() {
			return err
		}
		c.tell(ctx, err)
		if err == nil {
			<-ctx.Done()
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (c *topicCheck) verify(ctx context.Context, client *kgo.Client, wanted []topics.Topic) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := topics.Verify(ctx, client, wanted)
	if err != nil && c.lax && unreadable(err) {
		c.logger.WarnContext(ctx, "topic settings may not be read, so they are taken for good", "error", err.Error())
		return nil
	}
	return err
}

// tell keeps the reason for ready, and logs it when it is another one than before.
func (c *topicCheck) tell(ctx context.Context, reason error) {
	before := c.reason.Swap(&reason)
	if reason != nil && (before == nil || *before == nil || (*before).Error() != reason.Error()) {
		c.logger.WarnContext(ctx, "topics not as they should be yet, trying again", "error", reason.Error())
	}
}
