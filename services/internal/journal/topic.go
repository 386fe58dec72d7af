package journal

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TopicError says which setting of a topic is not what the journal needs. Nothing
// but changing the topic, or the rights on it, helps.
type TopicError struct {
	Topic   string
	Setting string
	Problem string
}

func (e *TopicError) Error() string {
	return fmt.Sprintf("topic %s: %s %s", e.Topic, e.Setting, e.Problem)
}

// errUnverified: the broker does not let us read the configuration.
var errUnverified = errors.New("no right to read the topic's configuration (DescribeConfigs)")

type setting struct{ name, want, why string }

var logSettings = []setting{
	{"cleanup.policy", "delete", "compaction would take records out of the log"},
	{"retention.ms", "-1", "the log is the only store: records must never expire"},
	{"retention.bytes", "-1", "the log is the only store: records must never be removed for room"},
	{"message.timestamp.type", "LogAppendTime", "the broker's clock is what instances are compared with"},
}

var positionSettings = []setting{
	{"cleanup.policy", "compact", "the last position of each reader must be kept"},
}

// verifyTopic compares a topic with what it must be. It returns a *TopicError, or
// an error wrapping errUnverified, or whatever kept it from asking.
func verifyTopic(ctx context.Context, client *kgo.Client, topic string, settings []setting) error {
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx, topic)
	if err != nil {
		return fmt.Errorf("look for topic %s: %w", topic, err)
	}
	if err := topics[topic].Err; err != nil {
		return fmt.Errorf("look for topic %s: %w", topic, err)
	}
	if n := len(topics[topic].Partitions); n != 1 {
		return &TopicError{topic, "partitions", fmt.Sprintf("is %d and must be 1: the order of its records is what decides", n)}
	}
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	if err == nil && len(configs) > 0 {
		err = configs[0].Err
	}
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		return fmt.Errorf("topic %s: %w: %w", topic, errUnverified, err)
	case err != nil:
		return fmt.Errorf("read the configuration of topic %s: %w", topic, err)
	case len(configs) == 0:
		return fmt.Errorf("read the configuration of topic %s: no answer", topic)
	}
	has := make(map[string]string)
	for _, c := range configs[0].Configs {
		has[c.Key] = c.MaybeValue()
	}
	for _, s := range settings {
		if got := strings.TrimSpace(has[s.name]); got != s.want {
			return &TopicError{topic, s.name, fmt.Sprintf("is %q and must be %q: %s", got, s.want, s.why)}
		}
	}
	return nil
}
