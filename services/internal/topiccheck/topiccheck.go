// Package topiccheck compares the topics of a service with what its contracts say of them, before
// the service is ready: a service does not work on a topic that may lose what it relies on. The
// services' front packages import it.
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
	// Topics are what the contracts declare. The number of partitions is the operator's to choose,
	// but of Log.
	Topics []topics.Topic
	Log    string
	Lax    bool // settings that may not be read are taken for good
	// Explain, when not nil, adds to an error of the connection what to look at.
	Explain func(error) error
	Logger  *slog.Logger
	reason  atomic.Pointer[error] // nil: not tried yet
}

const (
	askIn    = 5 * time.Second // for the broker to answer
	maxPause = time.Second
)

var errUnchecked = errors.New("the topics have not been compared with the contracts yet")

// Ready is nil once the topics were found good, else why they are not.
func (c *Check) Ready() error {
	if reason := c.reason.Load(); reason != nil {
		return *reason
	}
	return errUnchecked
}

// Run returns an error when a topic is not as the contracts say; the error names the settings. A
// topic that is not there yet is waited for, as the broker is.
func (c *Check) Run(ctx context.Context) error {
	client, err := kgo.NewClient(c.Client...)
	if err != nil {
		return err
	}
	defer client.Close()
	wanted := slices.Clone(c.Topics)
	for i := range wanted {
		if wanted[i].Name != c.Log {
			wanted[i].Partitions = 0
		}
	}
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, maxPause) {
		err := c.verify(ctx, client, wanted)
		var drift topics.DriftError
		if errors.As(err, &drift) && len(drift.Wrong()) > 0 {
			return drift.Wrong()
		}
		if c.Explain != nil {
			err = c.Explain(err)
		}
		c.tell(ctx, err)
		if err == nil {
			<-ctx.Done()
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

func (c *Check) verify(ctx context.Context, client *kgo.Client, wanted []topics.Topic) error {
	ctx, cancel := context.WithTimeout(ctx, askIn)
	defer cancel()
	err := topics.Verify(ctx, client, wanted)
	if c.Lax && (errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed)) {
		c.Logger.WarnContext(ctx, "topic settings may not be read, so they are taken for good", "error", err.Error())
		return nil
	}
	return err
}

// tell keeps the reason for Ready, and logs it when it is another one than before.
func (c *Check) tell(ctx context.Context, reason error) {
	before := c.reason.Swap(&reason)
	switch {
	case reason == nil:
		c.Logger.InfoContext(ctx, "topics are as the contracts say")
	case before == nil || *before == nil || (*before).Error() != reason.Error():
		c.Logger.WarnContext(ctx, "topics not checked yet, trying again", "error", reason.Error())
	}
}
