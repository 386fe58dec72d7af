package topic

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Mismatch is a setting of a topic that is not what the journal needs.
type Mismatch struct {
	Topic   string
	Setting string
	Problem string
}

func (e *Mismatch) Error() string {
	return fmt.Sprintf("topic %s: %s %s", e.Topic, e.Setting, e.Problem)
}

// ErrUnverified is returned when the broker does not allow the configuration to be read.
var ErrUnverified = errors.New("no right to read the topic's configuration (DescribeConfigs)")

// Setting is what a topic's configuration has to say.
type Setting struct{ name, want, why string }

// LogSettings are those of a log.
var LogSettings = []Setting{
	{"cleanup.policy", "delete", "compaction would take records out of the log"},
	{"retention.ms", "-1", "the log is the only store: records must never expire"},
	{"retention.bytes", "-1", "the log is the only store: records must never be removed for room"},
	{"message.timestamp.type", "LogAppendTime", "the broker's clock is what instances are compared with"},
}

// LetterSettings are those of a topic of dead letters.
var LetterSettings = []Setting{
	{"cleanup.policy", "delete", "letters of the same key must all be kept"},
	{"retention.ms", "-1", "a letter must be kept until somebody has looked at it"},
}

// PositionSettings are those of a topic of positions.
var PositionSettings = []Setting{
	{"cleanup.policy", "compact", "the last position of each subscriber must be kept"},
}

// CompactSettings are those of a topic of snapshots.
var CompactSettings = []Setting{
	{"cleanup.policy", "compact", "the manifests and chunks of the last snapshots must be kept"},
}

// Requirements are what a topic has to be.
type Requirements struct {
	Partitions int
	Why        string // that many
	Settings   []Setting
}

// Verify compares a topic of one partition with what it has to be; see VerifyThat.
func Verify(ctx context.Context, client *kgo.Client, topic string, settings []Setting) error {
	return VerifyThat(ctx, client, topic, Requirements{1, "the order of its records is what decides", settings})
}

// VerifyThat compares a topic with what it has to be. It returns a *Mismatch, an error that wraps
// ErrUnverified, or what kept it from asking.
func VerifyThat(ctx context.Context, client *kgo.Client, topic string, want Requirements) error {
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx, topic)
	if err != nil {
		return fmt.Errorf("look for topic %s: %w", topic, err)
	}
	if err := topics[topic].Err; err != nil {
		return fmt.Errorf("look for topic %s: %w", topic, err)
	}
	if n := len(topics[topic].Partitions); n != want.Partitions {
		return &Mismatch{topic, "partitions", fmt.Sprintf("is %d and must be %d: %s", n, want.Partitions, want.Why)}
	}
	has, err := configuration(ctx, admin, topic)
	if err != nil {
		return err
	}
	for _, s := range want.Settings {
		if got := strings.TrimSpace(has[s.name]); got != s.want {
			return &Mismatch{topic, s.name, fmt.Sprintf("is %q and must be %q: %s", got, s.want, s.why)}
		}
	}
	return nil
}

// configuration returns the settings of a topic by name.
func configuration(ctx context.Context, admin *kadm.Client, topic string) (map[string]string, error) {
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	if err == nil && len(configs) > 0 {
		err = configs[0].Err
	}
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		return nil, fmt.Errorf("topic %s: %w: %w", topic, ErrUnverified, err)
	case err != nil:
		return nil, fmt.Errorf("read the configuration of topic %s: %w", topic, err)
	case len(configs) == 0:
		return nil, fmt.Errorf("read the configuration of topic %s: no answer", topic)
	}
	has := make(map[string]string)
	for _, c := range configs[0].Configs {
		has[c.Key] = c.MaybeValue()
	}
	return has, nil
}
