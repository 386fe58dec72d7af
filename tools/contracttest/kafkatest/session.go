package kafkatest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Config has the places of a running system.
type Config struct {
	Brokers  []string
	Registry string // URL of a schema registry with Confluent's interface; empty: none
	// RegistryClient asks the registry; nil means a client without credentials, and with a timeout.
	RegistryClient *http.Client
	Rules          Rules
	// Patience is how long to wait for what a service does; 0 means 10 seconds.
	Patience time.Duration
	// Quiet is how long topics must not grow before they are complete; 0 means 1.5 seconds.
	Quiet time.Duration
	// Client are further options, such as for TLS.
	Client []kgo.Opt
}

// Session is a connection to the system under test. It is for one goroutine.
type Session struct {
	*Judge
	config   Config
	client   *kgo.Client
	admin    *kadm.Client
	schemas  *registry // nil: none
	run      int64
	injected int
}

// Connect returns a session. Close ends it.
func Connect(c *Contract, cfg Config) (*Session, error) {
	cfg.Patience, cfg.Quiet = cmp.Or(cfg.Patience, 10*time.Second), cmp.Or(cfg.Quiet, 1500*time.Millisecond)
	s := &Session{config: cfg, run: time.Now().UnixMilli()}
	var asked Registry
	if cfg.Registry != "" {
		var err error
		if s.schemas, err = newRegistry(cfg.Registry, cfg.RegistryClient); err != nil {
			return nil, err
		}
		asked = s.schemas
	}
	s.Judge = NewJudge(c, asked, cfg.Rules)
	client, err := kgo.NewClient(s.options(kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))...)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	s.client, s.admin = client, kadm.NewClient(client)
	return s, nil
}

// Close ends the session.
func (s *Session) Close() { s.client.Close() }

func (s *Session) options(more ...kgo.Opt) []kgo.Opt {
	return slices.Concat([]kgo.Opt{kgo.SeedBrokers(s.config.Brokers...)}, s.config.Client, more)
}

// Existing returns the topics of the documents that the broker has: those of channels without
// parameters, and those that fit the address of a channel with parameters.
func (s *Session) Existing(ctx context.Context) ([]string, error) {
	listed, err := s.admin.ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the topics: %w", err)
	}
	var out []string
	for _, topic := range listed.Names() {
		if s.contract.Channel(topic) != nil {
			out = append(out, topic)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the broker has none of the topics of the documents")
	}
	return out, nil
}

// Observe reads topics from their start until they stop growing, and of topics that grow for longer
// than the session is patient what they have by then. It passes every record on, judged. Records of
// transactions that are open or aborted are left out. A RegistryError is returned if the registry
// cannot be asked: the record that it was asked about is not passed on.
func (s *Session) Observe(ctx context.Context, topics []string, seen func(Verdict)) error {
	ends, err := s.settled(ctx, topics)
	if err != nil {
		return err
	}
	starts, err := s.listed(ctx, s.admin.ListStartOffsets, topics)
	if err != nil {
		return err
	}
	for at, end := range ends {
		if starts[at] >= end {
			delete(ends, at)
		}
	}
	return s.read(ctx, starts, ends, func(r Record) bool {
		if v := s.Judge.Judge(ctx, r); s.registryFault() == nil {
			seen(v)
		}
		return true
	})
}

// read passes on the records from the starts up to the ends, or for ever if ends is nil, until the
// function returns false, or the registry cannot be asked. Records of transactions that mark their
// end are left out.
func (s *Session) read(ctx context.Context, starts, ends map[place]int64, each func(Record) bool) error {
	if ends != nil && len(ends) == 0 {
		return nil
	}
	from := map[string]map[int32]kgo.Offset{}
	for at, offset := range starts {
		if from[at.topic] == nil {
			from[at.topic] = map[int32]kgo.Offset{}
		}
		from[at.topic][at.partition] = kgo.NewOffset().At(offset)
	}
	client, err := kgo.NewClient(s.options(kgo.ConsumePartitions(from), kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(200*time.Millisecond))...)
	if err != nil {
		return fmt.Errorf("kafka client: %w", err)
	}
	defer client.Close()
	left := maps.Clone(ends)
	for more := true; more; more = more && (ends == nil || len(left) > 0) {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			return fmt.Errorf("read topics: %w", err)
		}
		for it := fetches.RecordIter(); !it.Done() && more; {
			k := it.Next()
			at := place{k.Topic, k.Partition}
			if end, bounded := left[at]; bounded && k.Offset+1 >= end {
				delete(left, at)
			} else if ends != nil && !bounded {
				continue // past the end
			}
			if !k.Attrs.IsControl() {
				more = each(fromKafka(k))
				if err := s.registryFault(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// registryFault returns why the registry cannot be asked, nil if it answers.
func (s *Session) registryFault() error {
	if s.schemas == nil {
		return nil
	}
	return s.schemas.fault
}

type place struct {
	topic     string
	partition int32
}

func (s *Session) listed(ctx context.Context, list func(context.Context, ...string) (kadm.ListedOffsets, error), topics []string) (map[place]int64, error) {
	var offsets kadm.ListedOffsets
	var failed error
	_, err := s.await(ctx, func() (bool, error) {
		var err error
		if offsets, err = list(ctx, topics...); err == nil {
			err = offsets.Error()
		}
		failed = err
		// a broker may not know yet a topic that was just created
		return !errors.Is(err, kerr.UnknownTopicOrPartition), nil
	})
	if err = errors.Join(err, failed); err != nil {
		return nil, fmt.Errorf("list the offsets of %s: %w", strings.Join(topics, ", "), err)
	}
	out := map[place]int64{}
	offsets.Each(func(o kadm.ListedOffset) { out[place{o.Topic, o.Partition}] = o.Offset })
	return out, nil
}

// ends returns the ends of topics now, which are before transactions that are open.
func (s *Session) ends(ctx context.Context, topics ...string) (map[place]int64, error) {
	return s.listed(ctx, s.admin.ListCommittedOffsets, topics)
}

// settled returns the ends of topics once they have not changed for a while, and the last ones if
// they change for longer than the session is patient.
func (s *Session) settled(ctx context.Context, topics []string) (map[place]int64, error) {
	var last map[place]int64
	since := time.Now()
	for until := since.Add(s.config.Patience); ; {
		now, err := s.ends(ctx, topics...)
		if err != nil {
			return nil, err
		}
		if !maps.Equal(now, last) {
			last, since = now, time.Now()
		} else if time.Since(since) > s.config.Quiet {
			return now, nil
		}
		if time.Now().After(until) {
			return now, nil
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// await calls a function until it returns true, for as long as the session is patient. It reports
// whether it did.
func (s *Session) await(ctx context.Context, done func() (bool, error)) (bool, error) {
	for until := time.Now().Add(s.config.Patience); ; {
		ok, err := done()
		if err != nil || ok {
			return ok, err
		}
		if time.Now().After(until) {
			return false, nil
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return false, err
		}
	}
}

// passed reports whether a consumer group has gone past a record.
func (s *Session) passed(ctx context.Context, group string, r Record) (bool, error) {
	offsets, err := s.admin.FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("offsets of the group %s: %w", group, err)
	}
	at, ok := offsets.Lookup(r.Topic, r.Partition)
	return ok && at.At > r.Offset, nil
}

// Send writes a record and returns it with its place.
func (s *Session) Send(ctx context.Context, r Record) (Record, error) {
	k := &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
	}
	if err := s.client.ProduceSync(ctx, k).FirstErr(); err != nil {
		return r, fmt.Errorf("send to %s: %w", r.Topic, err)
	}
	return fromKafka(k), nil
}

func fromKafka(k *kgo.Record) Record {
	r := Record{Topic: k.Topic, Partition: k.Partition, Offset: k.Offset, Key: k.Key, Value: k.Value}
	for _, h := range k.Headers {
		r.Headers = append(r.Headers, Header{Name: h.Key, Value: h.Value})
	}
	return r
}
