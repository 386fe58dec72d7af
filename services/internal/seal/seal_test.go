package seal

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/gen/contractlog"
	"github.com/deferpay/deferpay/services/internal/waittest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

const (
	patience = 30 * time.Second
	subject  = "CTR-7"
	account  = "FR1420041010050500013M02606"
)

// world is a broker with the topic of keys.
type world struct {
	t       *testing.T
	cluster *kfake.Cluster
	client  *kgo.Client // writes and reads around the rings
}

func newWorld(t *testing.T) *world {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	w := &world{t: t, cluster: cluster}
	if w.client, err = kgo.NewClient(append(w.options(), kgo.DefaultProduceTopic(contractinternal.PersonalDataKeysTopic))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	w.createTopic()
	return w
}

func (w *world) options() []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(w.cluster.ListenAddrs()...), kgo.MetadataMinAge(10 * time.Millisecond)}
}

func (w *world) createTopic() {
	w.t.Helper()
	keys := slices.DeleteFunc(contractinternal.Topics(), func(t topics.Topic) bool { return t.Name != contractinternal.PersonalDataKeysTopic })
	if _, err := topics.Apply(w.t.Context(), w.client, keys); err != nil {
		w.t.Fatal(err)
	}
}

// ring is an instance's ring. stop ends it as a crash would.
func (w *world) ring(options ...kgo.Opt) (r *Ring, stop func()) {
	w.t.Helper()
	r, stop = w.starting(slog.New(slog.DiscardHandler), options...)
	waittest.Nil(w.t, patience, "the ring is ready", r.Ready)
	return r, stop
}

func (w *world) starting(logger *slog.Logger, options ...kgo.Opt) (*Ring, func()) {
	w.t.Helper()
	r, err := New(Config{Client: append(w.options(), options...), Logger: logger})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return r, stop
}

func (w *world) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	w.t.Cleanup(cancel)
	return ctx
}

// seal seals the account, which must work.
func (w *world) seal(r *Ring) Sealed {
	w.t.Helper()
	s, err := r.Seal(w.context(), subject, []byte(account))
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) sealAbout(r *Ring, subject string) Sealed {
	w.t.Helper()
	s, err := r.Seal(w.context(), subject, []byte(account))
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) opens(r *Ring, s Sealed) {
	w.t.Helper()
	if got, err := r.Open(w.context(), subject, s); err != nil || string(got) != account {
		w.t.Errorf("%s opens as %d bytes, %v", s.KeyID, len(got), err)
	}
}

func (w *world) refuses(r *Ring, s Sealed, want error) {
	w.t.Helper()
	if got, err := r.Open(w.context(), subject, s); got != nil || !errors.Is(err, want) {
		w.t.Errorf("%s opens as %d bytes, %v; want %v", s.KeyID, len(got), err, want)
	}
}

func (w *world) forget(r *Ring, ids ...string) {
	w.t.Helper()
	if err := r.Forget(w.context(), ids...); err != nil {
		w.t.Errorf("forget: %v", err)
	}
}

// produce writes a record around the rings; a nil value is a tombstone.
func (w *world) produce(id string, value []byte) {
	w.t.Helper()
	if err := w.client.ProduceSync(w.context(), record(id, value)).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// records are those on the topic, read from its start to its last record.
func (w *world) records() []*kgo.Record {
	w.t.Helper()
	w.produce("last", nil)
	c, err := kgo.NewClient(append(w.options(), kgo.ConsumeTopics(contractinternal.PersonalDataKeysTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	var all []*kgo.Record
	for ctx := w.context(); len(all) == 0 || string(all[len(all)-1].Key) != "last"; {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, fetches.Records()...)
	}
	return all
}

func (w *world) keyOnTopic(id string) (value []byte, found bool) {
	w.t.Helper()
	for _, r := range w.records() {
		if string(r.Key) == id {
			value, found = r.Value, r.Value != nil
		}
	}
	return value, found
}

func TestSealAndOpen(t *testing.T) {
	w := newWorld(t)
	r, _ := w.ring()
	for _, plaintext := range [][]byte{[]byte(account), {}, nil, bytes.Repeat([]byte{7}, 100_000)} {
		s, err := r.Seal(w.context(), subject, plaintext)
		if err != nil {
			t.Fatal(err)
		}
		if len(plaintext) > 0 && bytes.Contains(s.Ciphertext, plaintext[:min(len(plaintext), 8)]) {
			t.Error("the ciphertext holds the plaintext")
		}
		if got, err := r.Open(w.context(), subject, s); err != nil || !bytes.Equal(got, plaintext) {
			t.Errorf("%d bytes open as %d, %v", len(plaintext), len(got), err)
		}
	}
	one, other := w.seal(r), w.seal(r)
	if one.KeyID == other.KeyID || bytes.Equal(one.Nonce, other.Nonce) || bytes.Equal(one.Ciphertext, other.Ciphertext) {
		t.Error("two sealed values share something")
	}
}

func TestSealedElsewhereDoesNotOpen(t *testing.T) {
	w := newWorld(t)
	r, _ := w.ring()
	s, other := w.seal(r), w.seal(r)
	if _, err := r.Open(w.context(), "CTR-8", s); !errors.Is(err, ErrCorrupt) {
		t.Errorf("about another contract: %v", err)
	}
	changed := func(change func(*Sealed)) Sealed {
		c := Sealed{s.KeyID, bytes.Clone(s.Nonce), bytes.Clone(s.Ciphertext)}
		change(&c)
		return c
	}
	for what, s := range map[string]Sealed{
		"zero":              {},
		"no key":            changed(func(c *Sealed) { c.KeyID = "" }),
		"another's key":     changed(func(c *Sealed) { c.KeyID = other.KeyID }),
		"no nonce":          changed(func(c *Sealed) { c.Nonce = nil }),
		"long nonce":        changed(func(c *Sealed) { c.Nonce = append(c.Nonce, 0) }),
		"changed nonce":     changed(func(c *Sealed) { c.Nonce[0]++ }),
		"no ciphertext":     changed(func(c *Sealed) { c.Ciphertext = nil }),
		"short ciphertext":  changed(func(c *Sealed) { c.Ciphertext = c.Ciphertext[:5] }),
		"changed byte":      changed(func(c *Sealed) { c.Ciphertext[3]++ }),
		"another's content": changed(func(c *Sealed) { c.Nonce, c.Ciphertext = other.Nonce, other.Ciphertext }),
	} {
		if got, err := r.Open(w.context(), subject, s); got != nil || !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %d bytes, %v", what, len(got), err)
		}
	}
	w.refuses(r, changed(func(c *Sealed) { c.KeyID = "k-unknown" }), ErrForgotten)
	w.opens(r, s)
}

// TestBoundPartsAreApart holds that moving a character from the key id to the subject changes what
// is authenticated.
func TestBoundPartsAreApart(t *testing.T) {
	if bytes.Equal(bound("a", "bc"), bound("ab", "c")) || bytes.Equal(bound("", "ab"), bound("ab", "")) {
		t.Error("two pairs are bound alike")
	}
}

func TestKeyPrecedesRecord(t *testing.T) {
	w := newWorld(t)
	r, _ := w.ring()
	s := w.seal(r)
	value, found := w.keyOnTopic(s.KeyID)
	if !found {
		t.Fatal("Seal returned, and the key is not on the topic")
	}
	k, err := contractinternal.DecodePersonalDataKey(value)
	if err != nil || k.KeyID != s.KeyID || len(k.Key) != keySize || time.Since(k.CreatedAt).Abs() > time.Minute {
		t.Errorf("the record is %v, %v", k.KeyID, err)
	}
}

// TestSealWaitsForAck holds back the acknowledgement: Seal must not return a value whose key may
// never arrive.
func TestSealWaitsForAck(t *testing.T) {
	w := newWorld(t)
	g := &gate{}
	r, _ := w.ring(kgo.Dialer(g.dial))
	g.close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if s, err := r.Seal(ctx, subject, []byte(account)); s.KeyID != "" || !errors.Is(err, ErrNotReady) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("sealed under %q, %v", s.KeyID, err)
	}
	g.open()
	w.opens(r, w.seal(r))
}

func TestTwoInstances(t *testing.T) {
	w := newWorld(t)
	a, _ := w.ring()
	b, _ := w.ring()
	s, kept := w.seal(a), w.seal(b)
	w.opens(b, s)
	w.opens(a, kept)
	w.forget(b, s.KeyID)
	w.refuses(a, s, ErrForgotten)
	w.refuses(b, s, ErrForgotten)
	w.opens(a, kept)
	late, _ := w.ring()
	w.refuses(late, s, ErrForgotten)
	w.opens(late, kept)
	if n := late.Len(); n != 1 {
		t.Errorf("%d keys, want 1", n)
	}
}

func TestForgetAgain(t *testing.T) {
	w := newWorld(t)
	r, _ := w.ring()
	s := w.seal(r)
	w.forget(r)
	w.forget(r, s.KeyID, s.KeyID, "k-unknown")
	before := len(w.records())
	w.forget(r, s.KeyID, "k-unknown")
	if after := len(w.records()); after > before+2 { // a barrier, and the test's own record
		t.Errorf("%d records were written to forget what is forgotten", after-before)
	}
	w.refuses(r, s, ErrForgotten)
}

// TestNoOpenAfterForget opens on two instances while one forgets: no Open that began after Forget
// returned has the plaintext.
func TestNoOpenAfterForget(t *testing.T) {
	w := newWorld(t)
	a, _ := w.ring()
	b, _ := w.ring()
	for range 5 {
		s := w.seal(a)
		var forgotten atomic.Bool
		var readers sync.WaitGroup
		for _, r := range []*Ring{a, b, a, b} {
			readers.Go(func() {
				for {
					after := forgotten.Load()
					got, err := r.Open(w.context(), subject, s)
					switch {
					case after && !errors.Is(err, ErrForgotten), got == nil && !errors.Is(err, ErrForgotten), got != nil && string(got) != account:
						t.Errorf("after Forget %v: %d bytes, %v", after, len(got), err)
						return
					case after:
						return
					}
				}
			})
		}
		w.forget(b, s.KeyID)
		forgotten.Store(true)
		readers.Wait()
	}
}

// TestCutOffInstance has an instance that hears nothing from the broker: it must not open what
// another instance has forgotten meanwhile, though it has the key in memory.
func TestCutOffInstance(t *testing.T) {
	w := newWorld(t)
	g := &gate{}
	cut, _ := w.ring(kgo.Dialer(g.dial))
	r, _ := w.ring()
	s := w.seal(r)
	w.opens(cut, s)
	g.close()
	w.forget(r, s.KeyID)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if got, err := cut.Open(ctx, subject, s); got != nil || !errors.Is(err, ErrNotReady) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cut off: %d bytes, %v", len(got), err)
	}
	g.open()
	w.refuses(cut, s, ErrForgotten)
}

// TestCrashBeforeReadBack ends an instance when its tombstone is acknowledged. The next one finds
// the key gone, and forgets it again without an error.
func TestCrashBeforeReadBack(t *testing.T) {
	w := newWorld(t)
	crash := &crashAfterTombstone{}
	a, stop := w.ring(kgo.WithHooks(crash))
	s, kept := w.seal(a), w.seal(a)
	stopped := make(chan struct{})
	crash.at(s.KeyID, func() { go func() { defer close(stopped); stop() }() })
	if err := a.Forget(w.context(), s.KeyID); !errors.Is(err, ErrNotReady) {
		t.Errorf("Forget of an instance that ends: %v", err)
	}
	<-stopped
	if _, err := a.Open(w.context(), subject, kept); !errors.Is(err, ErrNotReady) {
		t.Errorf("Open of an instance that has ended: %v", err)
	}
	b, _ := w.ring()
	w.refuses(b, s, ErrForgotten)
	w.forget(b, s.KeyID)
	w.opens(b, kept)
}

// A key appears while others about its subject are forgotten.
func TestForgetAboutReadsBack(t *testing.T) {
	w := newWorld(t)
	hook := &crashAfterTombstone{}
	r, _ := w.ring(kgo.WithHooks(hook))
	other, _ := w.ring()
	first, kept := w.seal(r), w.sealAbout(r, subject+"0")
	var late Sealed
	hook.at(first.KeyID, func() { late = w.seal(other) })
	about := func(s string) bool { return s == subject }
	if err := r.ForgetAbout(w.context(), about); err != nil {
		t.Fatal(err)
	}
	if late.KeyID == "" || r.Holds(about) {
		t.Error("a key is left")
	}
	for _, i := range []*Ring{r, other} {
		w.refuses(i, first, ErrForgotten)
		w.refuses(i, late, ErrForgotten)
		if got, err := i.Open(w.context(), subject+"0", kept); err != nil || string(got) != account {
			t.Errorf("another subject opens as %d bytes, %v", len(got), err)
		}
	}
}

func TestCrashBeforeTombstone(t *testing.T) {
	w := newWorld(t)
	a, stop := w.ring()
	s := w.seal(a)
	stop()
	if err := a.Forget(w.context(), s.KeyID); !errors.Is(err, ErrNotReady) {
		t.Errorf("Forget of an instance that has ended: %v", err)
	}
	b, _ := w.ring()
	w.opens(b, s)
	w.forget(b, s.KeyID)
	w.refuses(b, s, ErrForgotten)
}

// TestKeyComesBack has somebody who writes the key again after each of the first tombstones: Forget
// ends only when the key is gone.
func TestKeyComesBack(t *testing.T) {
	w := newWorld(t)
	again := &crashAfterTombstone{}
	r, _ := w.ring(kgo.WithHooks(again))
	s := w.seal(r)
	value, _ := w.keyOnTopic(s.KeyID)
	times := 0
	again.at(s.KeyID, func() {
		if times++; times <= 3 {
			w.produce(s.KeyID, value)
		}
	})
	w.forget(r, s.KeyID)
	if times != 4 {
		t.Errorf("%d tombstones, want 4", times)
	}
	if _, found := w.keyOnTopic(s.KeyID); found {
		t.Error("Forget returned, and the key is on the topic")
	}
	w.refuses(r, s, ErrForgotten)
}

func TestCompaction(t *testing.T) {
	w := newWorld(t)
	r, _ := w.ring()
	var kept, gone []Sealed
	for range 10 {
		kept, gone = append(kept, w.seal(r)), append(gone, w.seal(r))
	}
	var secrets [][]byte
	for _, s := range gone {
		value, _ := w.keyOnTopic(s.KeyID)
		k, err := contractinternal.DecodePersonalDataKey(value)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, k.Key)
	}
	for _, s := range gone {
		w.forget(r, s.KeyID)
	}
	w.cluster.Compact()
	w.cluster.Compact()
	for _, rec := range w.records() {
		for _, secret := range secrets {
			if bytes.Contains(rec.Value, secret) {
				t.Fatalf("record %d holds a forgotten key", rec.Offset)
			}
		}
	}
	late, _ := w.ring()
	for i := range kept {
		w.opens(late, kept[i])
		w.opens(r, kept[i])
		w.refuses(late, gone[i], ErrForgotten)
	}
	if n := late.Len(); n != len(kept) {
		t.Errorf("%d keys, want %d", n, len(kept))
	}
	w.opens(late, w.seal(r))
}

// TestHistories plays random histories of two instances, which restart, and of compaction, against
// what must be known at each step.
func TestHistories(t *testing.T) {
	w := newWorld(t)
	const seed = 7
	random := rand.New(rand.NewPCG(seed, seed))
	rings, stops := make([]*Ring, 2), make([]func(), 2)
	for i := range rings {
		rings[i], stops[i] = w.ring()
	}
	var all []Sealed
	forgotten := map[string]bool{}
	for step := range 120 {
		i := random.IntN(len(rings))
		switch what := random.IntN(10); {
		case what < 3 || len(all) == 0:
			all = append(all, w.seal(rings[i]))
		case what < 7:
			if s := all[random.IntN(len(all))]; forgotten[s.KeyID] {
				w.refuses(rings[i], s, ErrForgotten)
			} else {
				w.opens(rings[i], s)
			}
		case what < 9:
			s := all[random.IntN(len(all))]
			w.forget(rings[i], s.KeyID)
			forgotten[s.KeyID] = true
		case random.IntN(2) == 0:
			w.cluster.Compact()
		default:
			stops[i]()
			rings[i], stops[i] = w.ring()
		}
		if t.Failed() {
			t.Fatalf("at step %d of seed %d", step, seed)
		}
	}
	late, _ := w.ring()
	if n := late.Len(); n != len(all)-len(forgotten) {
		t.Errorf("%d keys are left, want %d", n, len(all)-len(forgotten))
	}
}

func TestUnreadableKey(t *testing.T) {
	w := newWorld(t)
	r, _ := w.ring()
	encode := func(id string, secret []byte) []byte {
		value, err := contractinternal.EncodePersonalDataKey(&contractlog.PersonalDataKey{KeyID: id, Key: secret, CreatedAt: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	for what, value := range map[string][]byte{
		"empty, which is no tombstone": {},
		"no Avro":                      []byte("junk"),
		"another id":                   encode("other", make([]byte, keySize)),
		"short key":                    encode("", make([]byte, keySize-1)),
	} {
		t.Run(what, func(t *testing.T) {
			w.t = t
			s, other := w.seal(r), w.seal(r)
			w.produce(s.KeyID, value)
			w.refuses(r, s, ErrCorrupt)
			w.opens(r, other)
			late, stop := w.ring()
			w.refuses(late, s, ErrCorrupt)
			stop()
			w.forget(r, s.KeyID)
			w.refuses(r, s, ErrForgotten)
		})
	}
}

// TestTopicLost deletes the topic and makes it again: the ring stops to open what it has in memory,
// and goes on with the new topic.
func TestTopicLost(t *testing.T) {
	w := newWorld(t)
	r, _ := w.ring()
	s := w.seal(r)
	if _, err := kadm.NewClient(w.client).DeleteTopic(t.Context(), contractinternal.PersonalDataKeysTopic); err != nil {
		t.Fatal(err)
	}
	w.createTopic()
	var fresh Sealed
	waittest.Nil(t, patience, "the ring works on the new topic", func() (err error) {
		if fresh, err = r.Seal(t.Context(), subject, []byte(account)); err != nil {
			return err
		}
		_, err = r.Open(t.Context(), subject, fresh)
		return err
	})
	w.refuses(r, s, ErrForgotten)
	w.opens(r, fresh)
}

// TestMorePartitions adds partitions while keys are on the topic: keys and tombstones stay in one.
func TestMorePartitions(t *testing.T) {
	w := newWorld(t)
	r, _ := w.ring()
	sealed := []Sealed{w.seal(r), w.seal(r), w.seal(r)}
	if _, err := kadm.NewClient(w.client).UpdatePartitions(t.Context(), 4, contractinternal.PersonalDataKeysTopic); err != nil {
		t.Fatal(err)
	}
	late, _ := w.ring()
	sealed = append(sealed, w.seal(late), w.seal(late), w.seal(r))
	for _, s := range sealed {
		w.opens(r, s)
		w.forget(late, s.KeyID)
		w.refuses(r, s, ErrForgotten)
	}
	admin := kadm.NewClient(w.client)
	ends, err := admin.ListEndOffsets(t.Context(), contractinternal.PersonalDataKeysTopic)
	if err != nil {
		t.Fatal(err)
	}
	ends.Each(func(o kadm.ListedOffset) {
		if (o.Offset > 0) != (o.Partition == partition) {
			t.Errorf("partition %d ends at %d", o.Partition, o.Offset)
		}
	})
}

func TestTopicComesLate(t *testing.T) {
	w := newWorld(t)
	if _, err := kadm.NewClient(w.client).DeleteTopic(t.Context(), contractinternal.PersonalDataKeysTopic); err != nil {
		t.Fatal(err)
	}
	r, _ := w.starting(slog.New(slog.DiscardHandler))
	waittest.True(t, patience, "the missing topic is the reason", func() bool { return strings.Contains(fmt.Sprint(r.Ready()), "look for topic") })
	w.createTopic()
	waittest.Nil(t, patience, "the ring is ready", r.Ready)
	w.opens(r, w.seal(r))
}

func TestNoBroker(t *testing.T) {
	r, err := New(Config{Client: []kgo.Opt{kgo.SeedBrokers("127.0.0.1:1")}})
	if err != nil {
		t.Fatal(err)
	}
	run, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(run) }()
	waittest.True(t, patience, "Run runs", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.life != nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	isNotReady(t, ctx, r)
	end()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	isNotReady(t, t.Context(), r)
}

func TestZeroRing(t *testing.T) {
	r := new(Ring)
	isNotReady(t, t.Context(), r)
	if err := r.Run(t.Context()); err == nil {
		t.Error("a zero Ring runs")
	}
	if r.Len() != 0 || r.String() == "" {
		t.Error("a zero Ring has keys")
	}
	if err := r.Forget(t.Context()); err != nil {
		t.Errorf("forget nothing: %v", err)
	}
}

func isNotReady(t *testing.T, ctx context.Context, r *Ring) {
	t.Helper()
	_, sealErr := r.Seal(ctx, subject, []byte(account))
	_, openErr := r.Open(ctx, subject, Sealed{KeyID: "k", Nonce: make([]byte, nonceSize)})
	for what, err := range map[string]error{"Ready": r.Ready(), "Seal": sealErr, "Open": openErr, "Forget": r.Forget(ctx, "k")} {
		if !errors.Is(err, ErrNotReady) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// TestBarriersAreShared holds that however many ask, an instance begins ten barriers a second at
// most.
func TestBarriersAreShared(t *testing.T) {
	w := newWorld(t)
	r, _ := w.ring()
	s := w.seal(r)
	before, began := len(w.records()), time.Now()
	var readers sync.WaitGroup
	for range 50 {
		readers.Go(func() {
			for range 4 {
				w.opens(r, s)
			}
		})
	}
	readers.Wait()
	most := int(time.Since(began)/apart) + 2
	if n := len(w.records()) - before - 1; n < 1 || n > most {
		t.Errorf("%d barriers, want 1 to %d", n, most)
	}
}

// TestNothingIsShown looks for keys and plaintexts in what is logged and printed.
func TestNothingIsShown(t *testing.T) {
	w := newWorld(t)
	var out lockedBuffer
	r, stop := w.starting(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	waittest.Nil(t, patience, "the ring is ready", r.Ready)
	s := w.seal(r)
	w.opens(r, s)
	value, _ := w.keyOnTopic(s.KeyID)
	k, err := contractinternal.DecodePersonalDataKey(value)
	if err != nil {
		t.Fatal(err)
	}
	w.produce("other", value) // cannot be read: it has another id
	_, corrupt := r.Open(w.context(), "CTR-8", s)
	_, unreadable := r.Open(w.context(), subject, Sealed{KeyID: "other", Nonce: s.Nonce, Ciphertext: s.Ciphertext})
	e := entry{key: key(k.Key)}
	fmt.Fprintf(&out, "%v %+v %#v %s %v %v %v %#v", r, r, r, r, corrupt, unreadable, e.key, e.key)
	w.forget(r, s.KeyID)
	stop()
	if shown := out.String(); !strings.Contains(shown, "cannot be read") {
		t.Errorf("the log is empty: %s", shown)
	}
	for what, secret := range map[string]string{
		"plaintext": account, "key": string(k.Key), "hex key": hex.EncodeToString(k.Key), "base64 key": base64.StdEncoding.EncodeToString(k.Key),
		"printed key": strings.Trim(fmt.Sprint(k.Key), "[]"), "Go key": strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", k.Key), "[]byte{"), "}"),
	} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("the %s is shown", what)
		}
	}
}

// FuzzOpen looks for a sealed value that panics, or opens though Seal never returned it.
func FuzzOpen(f *testing.F) {
	k := key{1, 2, 3}
	aead, err := k.aead()
	if err != nil {
		f.Fatal(err)
	}
	// no random nonce: fuzzing has several processes
	s := Sealed{KeyID: "k", Nonce: make([]byte, nonceSize)}
	s.Ciphertext = aead.Seal(nil, s.Nonce, []byte(account), bound(s.KeyID, subject))
	f.Add(s.KeyID, subject, s.Nonce, s.Ciphertext)
	f.Add("", "", []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, id, about string, nonce, ciphertext []byte) {
		got, err := k.open(about, Sealed{id, nonce, ciphertext})
		same := id == s.KeyID && about == subject && bytes.Equal(nonce, s.Nonce) && bytes.Equal(ciphertext, s.Ciphertext)
		if same != (err == nil) || same && string(got) != account {
			t.Errorf("opens as %d bytes, %v", len(got), err)
		}
	})
}
