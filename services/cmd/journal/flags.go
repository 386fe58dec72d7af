package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/services/billing"
	"github.com/deferpay/deferpay/services/contract"
	"github.com/deferpay/deferpay/services/internal/settings"
	"github.com/deferpay/deferpay/services/journal/admin"
	"github.com/deferpay/deferpay/services/journal/backup"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/secure"
)

// common are the settings that every command has.
type common struct {
	brokers         []string
	writer          string
	allowUnverified bool
	security        secure.Kafka

	broker *secure.Broker
}

func (c *common) declare(s *settings.Set) {
	s.List(&c.brokers, "brokers", "KAFKA_BROKERS", "127.0.0.1:9092", "Kafka bootstrap `addresses`, comma-separated")
	s.String(&c.writer, "writer", "WRITER", operator(), "`name` that records of this call get")
	s.Bool(&c.allowUnverified, "allow-unverified-topics", "ALLOW_UNVERIFIED_TOPICS", false, "go on when topic configurations may not be read (no right to DescribeConfigs)")
	c.security.Declare(s)
}

// operator returns the name of who runs the command.
func operator() string {
	name := "operator"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}

// answerLimit is how long a command waits for a broker that is away.
const answerLimit = 15 * time.Second

// askEvery is the time between two questions whether the broker is there.
const askEvery = 5 * time.Second

// options returns how the broker is reached.
func (c *common) options() ([]kgo.Opt, error) {
	if len(c.brokers) == 0 {
		return nil, errors.New("no Kafka brokers: give -brokers or KAFKA_BROKERS")
	}
	var err error
	if c.broker, err = c.security.Open(); err != nil {
		return nil, err
	}
	return append(c.broker.Options(), kgo.SeedBrokers(c.brokers...), kgo.ClientID("journal"), kgo.RetryTimeout(answerLimit)), nil
}

// logs are the logs of the services.
var logs = []struct {
	name, topic string
	open        func(string, []kgo.Opt, bool) (*admin.Log, error)
}{
	{"contract", contractinternal.LogTopic, contract.OpenLog},
	{"billing", billinginternal.LogTopic, billing.OpenLog},
}

// others are the topics, besides the logs, that are worth a backup and may be restored.
var others = []string{contractinternal.PersonalDataKeysTopic, contractinternal.DeadLettersTopic, billinginternal.DeadLettersTopic}

const nameUsage = "the log: `contract` or billing, or the name of its topic"

// topicOf returns the topic of a log's name, and any other name as it is.
func topicOf(name string) string {
	for _, l := range logs {
		if name == l.name {
			return l.topic
		}
	}
	return name
}

// knownLog returns an error if a name is not that of a log.
func knownLog(name string) error {
	if topic := topicOf(name); topic == logs[0].topic || topic == logs[1].topic {
		return nil
	}
	return fmt.Errorf("-log %q is no log: give contract, billing, %s or %s", name, logs[0].topic, logs[1].topic)
}

// openLog returns the log of a name.
func (c *common) openLog(name string) (*admin.Log, error) {
	options, err := c.options()
	if err != nil {
		return nil, err
	}
	for _, l := range logs {
		if topicOf(name) == l.topic {
			return l.open(c.writer, options, c.allowUnverified)
		}
	}
	return nil, knownLog(name)
}

// copied returns an error if a name is not that of a topic that is copied.
func copied(name string) error {
	if slices.Contains(others, name) || knownLog(name) == nil {
		return nil
	}
	return fmt.Errorf("-log %q is not copied: give contract, billing, %s", name, strings.Join(others, ", "))
}

// topic returns the topic of a name, to be copied.
func (c *common) topic(name string) (backup.Topic, error) {
	options, err := c.options()
	letters := name == contractinternal.DeadLettersTopic || name == billinginternal.DeadLettersTopic
	return backup.Topic{Name: topicOf(name), ClientOptions: options, AllowUnverified: c.allowUnverified, Letters: letters}, err
}

// main runs a command: it parses the flags of set, calls check, and then do, whose context ends if
// the broker is away for too long. on returns the topic that do needs, "" if it needs no broker.
func (c call) main(set *settings.Set, common *common, check func() error, on func() string, do func(context.Context) error) int {
	common.declare(set)
	return settings.Main(set, c.args, c.getenv, c.stdout, c.stderr, check, func() error {
		options, err := common.options()
		if err != nil {
			return err
		}
		ctx, stop := context.WithCancelCause(c.ctx)
		defer stop(nil)
		if topic := on(); topic != "" {
			go watch(ctx, c.stderr, options, topic, stop)
		}
		err = do(ctx)
		if cause := context.Cause(ctx); cause != nil && errors.Is(err, context.Canceled) && !errors.Is(err, cause) {
			err = cause
		}
		return common.explain(err)
	})
}

// watch calls stop once the broker has not said for answerLimit where a topic ends. The library
// reads and writes on for ever when a broker is away. It says that it waits.
func watch(ctx context.Context, out io.Writer, options []kgo.Opt, topic string, stop context.CancelCauseFunc) {
	client, err := kgo.NewClient(options...)
	if err != nil {
		stop(err)
		return
	}
	defer client.Close()
	every := time.NewTicker(askEvery)
	defer every.Stop()
	for answered := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		_, _, err := bounds(ctx, client, topic, 0)
		switch {
		case err == nil:
			answered = time.Now()
		case time.Since(answered) > answerLimit:
			stop(fmt.Errorf("the broker is away: %w", err))
			return
		case ctx.Err() == nil:
			fmt.Fprintf(out, "journal: waiting for the broker: %v\n", err)
		}
	}
}

// explain adds a hint to an error of the connection.
func (c *common) explain(err error) error {
	if err == nil {
		return nil
	}
	return c.broker.Explain(err)
}

// required returns an error if a flag has no value.
func required(flag, value string) error {
	if strings.TrimSpace(value) == "" {
		return fmt.Errorf("%s is required", flag)
	}
	return nil
}

// print writes a value as a line of JSON.
func print(w io.Writer, v any) error { return json.NewEncoder(w).Encode(v) }
