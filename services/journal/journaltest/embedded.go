package journaltest

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Embedded starts a broker in this process with the topics Log and Positions, and returns how to
// reach it. It is for examples and programs that have no testing.TB.
func Embedded() (opts []kgo.Opt, stop func(), err error) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		return nil, nil, err
	}
	opts = Options(c)
	for topic, config := range map[string]map[string]string{Log: LogConfig(), Positions: {"cleanup.policy": "compact"}} {
		if err := create(opts, topic, 1, config); err != nil {
			c.Close()
			return nil, nil, fmt.Errorf("create %s: %w", topic, err)
		}
	}
	return opts, c.Close, nil
}

// create creates a topic.
func create(opts []kgo.Opt, topic string, partitions int32, config map[string]string) error {
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer client.Close()
	values := make(map[string]*string)
	for k, v := range config {
		values[k] = kadm.StringPtr(v)
	}
	_, err = kadm.NewClient(client).CreateTopic(context.Background(), partitions, 1, values, topic)
	return err
}

// Serve runs a journal, of any domain, and waits until it is ready or has ended. stop ends it and
// returns what Run returned.
func Serve(j interface {
	Run(context.Context) error
	Ready() error
}) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	var result error
	go func() {
		defer close(ended)
		result = j.Run(ctx)
	}()
	for j.Ready() != nil {
		select {
		case <-ended:
			return func() error { cancel(); return result }
		case <-time.After(2 * time.Millisecond):
		}
	}
	return func() error {
		cancel()
		<-ended
		return result
	}
}
