package seal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/gen/contractlog"
)

// Config is what a Ring needs to know.
type Config struct {
	Client []kgo.Opt    // how the brokers are reached
	Topic  string       // empty: contract.keys.v1
	Logger *slog.Logger // nil: nothing is logged
}

// Ring holds the keys that are on the topic. It is safe for concurrent use while Run runs. The zero
// Ring is never ready, and each of its methods returns an error.
type Ring struct {
	cfg    Config
	client *kgo.Client // produces

	mu       sync.Mutex
	life     context.Context // of Run; nil when it does not run
	keys     map[string]entry
	next     int64         // the offset that is read next
	progress chan struct{} // closed when next or the reading changes
	reading  int           // counts how often the topic was read from its start
	ready    bool
	reason   error
	waiting  *ticket       // is served by the barrier begun next
	wanted   chan struct{} // has an element when waiting is not nil
}

// entry is a key, or why its record cannot be read.
type entry struct {
	key     key
	subject string
	fault   bool
}

// New returns a Ring that has not touched the network yet.
func New(cfg Config) (*Ring, error) {
	if cfg.Topic == "" {
		cfg.Topic = contractinternal.PersonalDataKeysTopic
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	client, err := kgo.NewClient(append(prompt(cfg.Client),
		kgo.DefaultProduceTopic(cfg.Topic), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerLinger(0), kgo.ProducerBatchCompression(kgo.NoCompression()))...)
	if err != nil {
		return nil, err
	}
	return &Ring{cfg: cfg, client: client, reason: errUnread, progress: make(chan struct{}), wanted: make(chan struct{}, 1)}, nil
}

// prompt makes a client notice soon that a broker is back, unless the options say otherwise.
func prompt(options []kgo.Opt) []kgo.Opt {
	return append([]kgo.Opt{kgo.MetadataMinAge(250 * time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond })}, options...)
}

var (
	errUnread     = errors.New("the topic of keys has not been read to its end yet")
	errNotRunning = errors.New("the ring does not run")
)

// String hides the keys.
func (*Ring) String() string { return "(keys)" }

// GoString hides the keys.
func (*Ring) GoString() string { return "(keys)" }

// Ready returns nil once the topic was read to its end, or else an error that wraps ErrNotReady and
// says why not.
func (r *Ring) Ready() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ready && r.life != nil {
		return nil
	}
	reason := r.reason
	if reason == nil {
		reason = errNotRunning
	}
	return fmt.Errorf("%w: %w", ErrNotReady, reason)
}

// Len returns how many keys the topic has, as far as it was read.
func (r *Ring) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.keys)
}

// Seal encrypts plaintext under a new key. The subject is what the value is about, such as the
// reference of a contract; Open must be given the same. It returns after the key is acknowledged.
// When ctx ends first, the key may be on the topic all the same: it opens nothing.
func (r *Ring) Seal(ctx context.Context, subject string, plaintext []byte) (Sealed, error) {
	id := rand.Text()
	var k key
	defer clear(k[:])
	rand.Read(k[:]) // never fails
	sealed, err := k.seal(id, subject, plaintext)
	if err != nil {
		return Sealed{}, fmt.Errorf("seal: %w", err)
	}
	value, err := contractinternal.EncodePersonalDataKey(&contractlog.PersonalDataKey{KeyID: id, Subject: subject, Key: k[:], CreatedAt: time.Now()})
	if err != nil {
		return Sealed{}, fmt.Errorf("seal: encode the key: %w", err)
	}
	if _, err := r.produce(ctx, record(id, value)); err != nil {
		return Sealed{}, fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

// Open decrypts a value that Seal returned for the subject. It first reads the topic up to where it
// is when Open is called.
func (r *Ring) Open(ctx context.Context, subject string, s Sealed) ([]byte, error) {
	if s.KeyID == "" {
		return nil, fmt.Errorf("open: %w: it names no key", ErrCorrupt)
	}
	found, err := r.fresh(ctx, s.KeyID)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	e, ok := found[s.KeyID]
	switch {
	case !ok:
		return nil, fmt.Errorf("open: %w: %s", ErrForgotten, s.KeyID)
	case e.fault:
		return nil, fmt.Errorf("open: %w: the record of key %s cannot be read", ErrCorrupt, s.KeyID)
	}
	plaintext, err := e.key.open(subject, s)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return plaintext, nil
}

// fresh returns which of the keys are on the topic, as it was when fresh was called or later.
func (r *Ring) fresh(ctx context.Context, ids ...string) (map[string]entry, error) {
	reading, err := r.barrier(ctx)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reading != reading { // a key that is missing now may only not have been read again yet
		return nil, fmt.Errorf("%w: %w", ErrNotReady, errReadAgain)
	}
	found := map[string]entry{}
	for _, id := range ids {
		if e, ok := r.keys[id]; ok {
			found[id] = e
		}
	}
	return found, nil
}

// Forget destroys keys. It returns nil once none of them is on the topic, which it has read up to
// where it was after the last tombstone; otherwise some may be left, and it is to be called again.
// Ids that are not on the topic are no error.
func (r *Ring) Forget(ctx context.Context, ids ...string) error {
	for len(ids) > 0 {
		left, err := r.fresh(ctx, ids...)
		if err != nil {
			return fmt.Errorf("forget: %w", err)
		}
		ids = slices.Collect(maps.Keys(left))
		if err := r.bury(ctx, ids); err != nil {
			return err
		}
	}
	return nil
}

// ForgetAbout destroys the keys of all values about the subjects that match, also of those that
// were sealed in vain. It returns as Forget does.
func (r *Ring) ForgetAbout(ctx context.Context, match func(subject string) bool) error {
	for {
		if _, err := r.fresh(ctx); err != nil {
			return fmt.Errorf("forget: %w", err)
		}
		ids := r.about(match)
		if len(ids) == 0 {
			return nil
		}
		if err := r.bury(ctx, ids); err != nil {
			return err
		}
	}
}

// Holds reports whether there is a key of a value about a subject that matches, as far as the topic
// was read.
func (r *Ring) Holds(match func(subject string) bool) bool { return len(r.about(match)) > 0 }

// about returns the ids of the keys about the subjects that match.
func (r *Ring) about(match func(subject string) bool) (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, e := range r.keys {
		if !e.fault && match(e.subject) {
			ids = append(ids, id)
		}
	}
	return ids
}

// bury appends a tombstone for each key.
func (r *Ring) bury(ctx context.Context, ids []string) error {
	for _, id := range ids {
		if _, err := r.produce(ctx, record(id, nil)); err != nil {
			return fmt.Errorf("forget: %w", err)
		}
	}
	return nil
}

func record(id string, value []byte) *kgo.Record {
	return &kgo.Record{Key: []byte(id), Value: value, Partition: partition}
}

// produce appends a record and returns its offset once it is acknowledged. The record lives by
// Run's context: the client fails all it has buffered with one record whose context ends.
func (r *Ring) produce(ctx context.Context, rec *kgo.Record) (int64, error) {
	r.mu.Lock()
	life := r.life
	r.mu.Unlock()
	if life == nil {
		return 0, fmt.Errorf("%w: %w", ErrNotReady, errNotRunning)
	}
	done := make(chan error, 1)
	r.client.Produce(life, rec, func(_ *kgo.Record, err error) { done <- err })
	select {
	case err := <-done:
		if err != nil {
			return 0, fmt.Errorf("%w: append to %s: %w", ErrNotReady, r.cfg.Topic, err)
		}
		return rec.Offset, nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%w: append to %s: %w", ErrNotReady, r.cfg.Topic, context.Cause(ctx))
	}
}
