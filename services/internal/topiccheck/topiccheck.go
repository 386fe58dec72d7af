// Package topiccheck compares the topics of a service with what its contracts say of them, before
// the service is ready: a service does not work on a topic that may lose what it relies on. Package
// instance imports it.
package topiccheck

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/internal/check"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

// Config says what is compared.
type Config struct {
	Client []kgo.Opt
	// Topics are what the contracts declare. The number of partitions is the operator's to choose,
	// except that of Log.
	Topics []topics.Topic
	Log    string
	Lax    bool // settings that may not be read are accepted
	// Explain, unless it is nil, adds to an error of the connection what to look at.
	Explain func(error) error
	Logger  *slog.Logger
}

// Check compares topics once the broker is there.
type Check struct {
	check  check.Question
	config Config
}

// New returns a check of topics.
func New(c Config) *Check {
	c.Topics = slices.Clone(c.Topics)
	for i := range c.Topics {
		if c.Topics[i].Name != c.Log {
			c.Topics[i].Partitions = 0
		}
	}
	if c.Explain == nil {
		c.Explain = func(err error) error { return err }
	}
	return &Check{config: c, check: check.Question{
		Client: c.Client, Logger: c.Logger, Unasked: errors.New("the topics have not been compared with the contracts yet"),
		Good: "topics are as the contracts say", Bad: "topics not checked yet, trying again",
	}}
}

// Ready returns nil once the topics were found good, else why they are not.
func (c *Check) Ready() error { return c.check.Reason() }

// Run returns an error if a topic is not as the contracts say; the error names the settings. It
// waits for a topic that is not there yet, as for the broker.
func (c *Check) Run(ctx context.Context) error {
	return c.check.Run(ctx, func(ctx context.Context, client *kgo.Client) error {
		err := c.verify(ctx, client)
		var drift topics.DriftError
		if errors.As(err, &drift) && len(drift.Wrong()) > 0 {
			return check.Fatal{Reason: drift.Wrong()}
		}
		return c.config.Explain(err)
	})
}

func (c *Check) verify(ctx context.Context, client *kgo.Client) error {
	err := topics.Verify(ctx, client, c.config.Topics)
	if c.config.Lax && (errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed)) {
		c.config.Logger.WarnContext(ctx, "topic settings may not be read, so they are not checked", "error", err.Error())
		return nil
	}
	return err
}
