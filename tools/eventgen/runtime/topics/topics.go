// Package topics compares the topics of a broker with those of a contract, creates missing topics
// and corrects settings. It never removes anything.
//
// Generated code lists the topics. The eventgen command applies them, and services verify them when
// they start.
package topics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Topic is a topic as its contract declares it.
type Topic struct {
	Name       string
	Partitions int32 // 0: the broker's default, and any number is accepted
	// 0: the broker's default; it is not compared, because the operator may choose it
	Replicas int16
	Configs  []Config // other settings are those of the broker
}

// Config is one setting in the form of Kafka.
type Config struct{ Name, Value string }

// Drift is a difference between a broker and the contract.
type Drift struct {
	Topic   string
	Setting string // "exists", "partitions" or the name of a setting
	Want    string
	Have    string
}

// String returns the difference in one line.
func (d Drift) String() string {
	if d.Setting == settingExists {
		return fmt.Sprintf("topic %s does not exist", d.Topic)
	}
	return fmt.Sprintf("topic %s: %s is %s, the contract says %s", d.Topic, d.Setting, d.Have, d.Want)
}

const (
	settingExists     = "exists"
	settingPartitions = "partitions"
)

// DriftError is the error of Verify for a broker that differs from the contract.
type DriftError []Drift

// Error returns every difference on a line of its own.
func (e DriftError) Error() string {
	lines := make([]string, len(e))
	for i, d := range e {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

// Missing reports whether a topic does not exist.
func (e DriftError) Missing() bool {
	return slices.ContainsFunc(e, func(d Drift) bool { return d.Setting == settingExists })
}

// Wrong returns the topics that exist and differ. Waiting does not correct them.
func (e DriftError) Wrong() (wrong DriftError) {
	for _, d := range e {
		if d.Setting != settingExists {
			wrong = append(wrong, d)
		}
	}
	return wrong
}

// Verify returns nil if every topic is as declared, and otherwise a DriftError. It returns another
// error if the broker does not answer.
func Verify(ctx context.Context, cl *kgo.Client, want []Topic) error {
	drift, err := Diff(ctx, cl, want)
	if err != nil {
		return err
	}
	if len(drift) > 0 {
		return DriftError(drift)
	}
	return nil
}

// Diff returns the differences in the order of the declared topics. Settings and topics that are
// not declared are ignored.
func Diff(ctx context.Context, cl *kgo.Client, want []Topic) ([]Drift, error) {
	have, err := list(ctx, cl, want)
	if err != nil {
		return nil, err
	}
	configs, err := describe(ctx, kadm.NewClient(cl), have)
	if err != nil {
		return nil, err
	}
	var out []Drift
	for _, t := range want {
		if partitions, ok := have[t.Name]; ok {
			out = append(out, differences(t, partitions, configs[t.Name])...)
		} else {
			out = append(out, Drift{Topic: t.Name, Setting: settingExists})
		}
	}
	return out, nil
}

// list returns the number of partitions of the topics that exist. It asks the broker itself,
// because kadm answers from metadata of the client that may be seconds old.
func list(ctx context.Context, cl *kgo.Client, want []Topic) (map[string]int, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, t := range want {
		rt := kmsg.NewMetadataRequestTopic()
		rt.Topic = kmsg.StringPtr(t.Name)
		req.Topics = append(req.Topics, rt)
	}
	out := map[string]int{}
	if len(want) == 0 {
		return out, nil // an empty request means all topics
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	for _, t := range resp.Topics {
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case err == nil, errors.Is(err, kerr.LeaderNotAvailable): // just created
			out[*t.Topic] = len(t.Partitions)
		case !errors.Is(err, kerr.UnknownTopicOrPartition):
			return nil, fmt.Errorf("topic %s: %w", *t.Topic, err)
		}
	}
	return out, nil
}

func describe(ctx context.Context, adm *kadm.Client, have map[string]int) (map[string]map[string]string, error) {
	names := slices.Sorted(maps.Keys(have))
	out := map[string]map[string]string{}
	if len(names) == 0 {
		return out, nil
	}
	all, err := adm.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("describe topic settings: %w", err)
	}
	for _, r := range all {
		if r.Err != nil {
			return nil, fmt.Errorf("describe the settings of topic %s: %w", r.Name, r.Err)
		}
		m := map[string]string{}
		for _, c := range r.Configs {
			if c.Value != nil {
				m[c.Key] = *c.Value
			}
		}
		out[r.Name] = m
	}
	return out, nil
}

func differences(t Topic, partitions int, configs map[string]string) []Drift {
	var out []Drift
	if t.Partitions > 0 && int(t.Partitions) != partitions {
		out = append(out, Drift{t.Name, settingPartitions, fmt.Sprint(t.Partitions), fmt.Sprint(partitions)})
	}
	for _, c := range t.Configs {
		if have := configs[c.Name]; !same(c.Value, have) {
			out = append(out, Drift{t.Name, c.Name, c.Value, have})
		}
	}
	return out
}

// same compares two settings. The items of a list may be in any order.
func same(a, b string) bool {
	if a == b {
		return true
	}
	x, y := strings.Split(a, ","), strings.Split(b, ",")
	for _, l := range [][]string{x, y} {
		for i := range l {
			l[i] = strings.TrimSpace(l[i])
		}
		slices.Sort(l)
	}
	return slices.Equal(x, y)
}

// ErrShrink is wrapped by the error for a topic whose number of partitions is not that of the
// contract. Partitions cannot be removed, and adding some moves keys.
var ErrShrink = errors.New("the number of partitions is never changed, because keys would move to other partitions or records would be lost")

// Apply creates missing topics and sets settings that differ, and returns what it changed. It never
// changes the partitions of a topic: if they differ, it changes nothing and the error wraps
// ErrShrink. It is idempotent.
func Apply(ctx context.Context, cl *kgo.Client, want []Topic) (done []Drift, err error) {
	drift, err := Diff(ctx, cl, want)
	if err != nil {
		return nil, err
	}
	for _, d := range drift {
		if d.Setting == settingPartitions {
			return nil, fmt.Errorf("%s: %w", d, ErrShrink)
		}
	}
	adm := kadm.NewClient(cl)
	for _, d := range drift {
		if d.Setting == settingExists {
			i := slices.IndexFunc(want, func(t Topic) bool { return t.Name == d.Topic })
			err = create(ctx, adm, want[i])
		} else {
			err = alter(ctx, adm, d)
		}
		if err != nil {
			return done, err
		}
		done = append(done, d)
	}
	if len(done) == 0 {
		return nil, nil
	}
	return done, settle(ctx, cl, want)
}

// settleIn limits the time to wait until a broker shows the topics that it accepted.
const settleIn = 10 * time.Second

// settle waits until the broker shows every topic as declared. Apache Kafka answers when its
// controller has decided. Until the brokers are informed, they do not know the topic.
func settle(ctx context.Context, cl *kgo.Client, want []Topic) error {
	ctx, cancel := context.WithTimeout(ctx, settleIn)
	defer cancel()
	for {
		err := Verify(ctx, cl, want)
		var drift DriftError
		if !errors.As(err, &drift) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the broker accepted the topics but does not show them as declared: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func create(ctx context.Context, adm *kadm.Client, t Topic) error {
	configs := map[string]*string{}
	for _, c := range t.Configs {
		configs[c.Name] = &c.Value
	}
	partitions, replicas := t.Partitions, t.Replicas
	if partitions == 0 {
		partitions = -1
	}
	if replicas == 0 {
		replicas = -1
	}
	r, err := adm.CreateTopic(ctx, partitions, replicas, configs, t.Name)
	if err == nil {
		err = r.Err
	}
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", t.Name, err)
	}
	return nil
}

func alter(ctx context.Context, adm *kadm.Client, d Drift) error {
	r, err := adm.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: d.Setting, Value: &d.Want}}, d.Topic)
	if err == nil && len(r) > 0 {
		err = r[0].Err
	}
	if err != nil {
		return fmt.Errorf("set %s of topic %s: %w", d.Setting, d.Topic, err)
	}
	return nil
}
