package journal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/admin"
	"github.com/deferpay/deferpay/services/journal/internal/snapshots"
	. "github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/shape"
)

// tally is a read model: how often something was recorded on each account, in the order of the
// first time.
type tally struct {
	order []string
	count map[string]int64
}

func newTally() *tally { return &tally{count: map[string]int64{}} }

func (m *tally) project(e Entry, _ *View) {
	if m.count[e.Body.Account] == 0 {
		m.order = append(m.order, e.Body.Account)
	}
	m.count[e.Body.Account]++
}

func (m *tally) String() string { return fmt.Sprint(m.order, m.count) }

func (m *tally) Shape() string { return "a count and a name" }

func (m *tally) Cut() journal.ModelCut {
	return &tallyCut{order: slices.Clone(m.order), count: maps.Clone(m.count)}
}

type tallyCut struct {
	order []string
	count map[string]int64
}

func (c *tallyCut) Next(dst []byte) ([]byte, bool, error) {
	if len(c.order) == 0 {
		return dst, false, nil
	}
	name := c.order[0]
	c.order = c.order[1:]
	return append(binary.AppendVarint(dst, c.count[name]), name...), true, nil
}

func (c *tallyCut) End() {}

func (m *tally) Check(item []byte) error {
	if _, size := binary.Varint(item); size <= 0 {
		return errors.New("no count")
	}
	return nil
}

func (m *tally) Load() journal.ModelLoading { return &tallyLoading{into: m, made: newTally()} }

type tallyLoading struct{ into, made *tally }

func (l *tallyLoading) Add(item []byte) error {
	n, size := binary.Varint(item)
	if size <= 0 {
		return errors.New("no count")
	}
	name := string(item[size:])
	l.made.order = append(l.made.order, name)
	l.made.count[name] = n
	return nil
}

func (l *tallyLoading) End() error { return nil }

func (l *tallyLoading) Use() { *l.into = *l.made }

// saved is an instance that takes snapshots, its read model, and what it logs.
type saved struct {
	*Journal
	model *tally
	log   *lines
	stop  func() error
}

// lines is what an instance logs.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func stateCodec(t testing.TB) *shape.Codec[State] {
	t.Helper()
	c, err := shape.Of[State]()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// savingConfig returns the configuration of an instance that takes a snapshot every so many
// records.
func savingConfig(t testing.TB, writer string, opts []kgo.Opt, every int64) (journal.Config[State, Body], *saved) {
	t.Helper()
	s := &saved{model: newTally(), log: &lines{}}
	cfg := Config(writer, opts)
	cfg.Passing = "key/"
	cfg.Project, cfg.Reset = s.model.project, func() { *s.model = *newTally() }
	cfg.Logger = slog.New(slog.NewTextHandler(s.log, nil))
	cfg.States = stateCodec(t)
	cfg.Snapshots = &journal.Snapshots{Topic: Snapshots, Version: 3, Model: s.model, Every: every}
	return cfg, s
}

func saving(t testing.TB, writer string, opts []kgo.Opt, every int64) *saved {
	t.Helper()
	cfg, s := savingConfig(t, writer, opts, every)
	s.Journal, s.stop = Start(t, cfg)
	return s
}

// shows returns the states of all accounts and keys, and the read model.
func (s *saved) shows(accounts, keys int) (text string) {
	s.Read(func(state func(journal.Stream) (State, bool)) {
		for a := range accounts {
			st, ok := state(Account(fmt.Sprint(a)))
			text += fmt.Sprintln(a, st, ok)
		}
		for k := range keys {
			st, ok := state(Key(fmt.Sprint("k", k)))
			text += fmt.Sprintln(k, st, ok)
		}
		text += s.model.String()
	})
	return text
}

// buys opens three accounts, unless there are records, and buys with the keys from so many on.
func (s *saved) buys(t testing.TB, from, to int) {
	t.Helper()
	for k := from; k < to; k++ {
		c := Buy(fmt.Sprint(k%3), fmt.Sprint("k", k), 1)
		if k < 3 {
			c = Open(fmt.Sprint(k), fmt.Sprint("k", k), 1_000_000)
		}
		Must(t, s.Journal, c)
	}
}

// manifestsOf returns what is on the topic of snapshots.
func manifestsOf(t testing.TB, opts []kgo.Opt) []record.Manifest {
	t.Helper()
	list, err := snapshots.Topic{Name: Snapshots, Options: opts}.List(t.Context(), func(string, error) {})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// taken waits until the instance has taken so many snapshots.
func (s *saved) awaitSnapshots(t testing.TB, n int64) {
	t.Helper()
	for until := time.Now().Add(2 * time.Minute); s.Stats().Snapshots < n; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d snapshots were taken, want %d:\n%s", s.Stats().Snapshots, n, s.log)
		}
	}
}

func savedVirtually(t *testing.T, fn func(t *testing.T, c *kfake.Cluster, opts []kgo.Opt)) {
	t.Helper()
	Virtually(t, func(t *testing.T, c *kfake.Cluster, _ *Network, opts []kgo.Opt) {
		Topics(t, opts)
		CreateSnapshots(t, opts, Snapshots)
		fn(t, c, opts)
	})
}

// An instance that starts from a snapshot reads the rest of the log alone, has the same states and
// the same read model, and the same answers.
func TestStartFromSnapshot(t *testing.T) {
	savedVirtually(t, func(t *testing.T, _ *kfake.Cluster, opts []kgo.Opt) {
		a := saving(t, "a", opts, 40)
		a.buys(t, 0, 60)
		a.awaitSnapshots(t, 1)
		a.buys(t, 60, 70)
		want := a.shows(3, 70)
		b := saving(t, "b", opts, 1000)
		if !strings.Contains(b.log.String(), "starting from a snapshot") || b.Stats().Applied > 10 || b.Stats().SnapshotAt < 50 {
			t.Errorf("the instance has applied %d records, snapshot at %d:\n%s", b.Stats().Applied, b.Stats().SnapshotAt, b.log)
		}
		if got := b.shows(3, 70); got != want {
			t.Errorf("it has\n%s\nwant\n%s", got, want)
		}
		for k := 3; k < 70; k++ {
			if _, err := Do(t.Context(), b.Journal, Buy(fmt.Sprint(k%3), fmt.Sprint("k", k), 1)); !errors.Is(err, journal.ErrAlready) {
				t.Errorf("request %d again: %v", k, err)
			}
		}
		b.buys(t, 70, 80)
		if err := a.Barrier(t.Context()); err != nil || a.shows(3, 80) != b.shows(3, 80) {
			t.Errorf("the instances differ (%v)", err)
		}
	})
}

// Purchases go on while a snapshot is handed out, and it holds none of them.
func TestCutWhileBuying(t *testing.T) {
	opts := Options(Broker(t))
	Topics(t, opts)
	CreateSnapshots(t, opts, Snapshots)
	a := saving(t, "a", opts, 1<<40)
	a.buys(t, 0, 300)
	var buying sync.WaitGroup
	for c := range 8 {
		buying.Go(func() {
			for k := range 100 {
				Must(t, a.Journal, Buy(fmt.Sprint(k%3), fmt.Sprintf("%d-%d", c, k), 1))
			}
		})
	}
	var mu sync.Mutex
	var list []record.Manifest
	for range 2 { // two callers that want one at the same time
		buying.Go(func() {
			for range 5 {
				m, err := a.TakeSnapshot(t.Context())
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				list = append(list, m)
				mu.Unlock()
			}
		})
	}
	buying.Wait()
	for _, m := range list {
		offset := m.Offset
		loaded, model := a.LoadThis(t, m)
		var entries int64
		for n := range 3 {
			st, _ := loaded.State(Account(fmt.Sprint(n)))
			entries += st.Entries
		}
		var counted int64
		for _, n := range model.(*tallyLoading).made.count {
			counted += n
		}
		var keys int64
		for s := range loaded.Cells() {
			if strings.HasPrefix(string(s), "key/") {
				keys++
			}
		}
		// barriers and void records count in the offset
		if entries != counted || entries != keys || entries > offset+1 || entries < 300 {
			t.Errorf("the cut at %d has %d entries in its states, %d keys, and %d entries in its read model", offset, entries, keys, counted)
		}
	}
}

// ignoredSnapshots are ways in which a snapshot does not belong to the log or the program, and what
// is logged.
var ignoredSnapshots = []struct {
	name   string
	spoil  func(m *record.Manifest)
	reason string
}{
	{"newer fold", func(m *record.Manifest) { m.FoldVersion++ }, "it was made by version 4 of the fold, which is newer than this program's 3"},
	{"older fold", func(m *record.Manifest) { m.FoldVersion-- }, "it was made by version 2 of the fold, which is older than this program's 3"},
	{"other fields", func(m *record.Manifest) { m.Shape[0]++ }, "it was made by a program whose states consist of other fields"},
	{"another topic", func(m *record.Manifest) { m.TopicID[0]++ }, "it is of another topic of that name"},
	{"not complete", func(m *record.Manifest) { m.Complete = false }, "it is not complete"},
	{"of the future", func(m *record.Manifest) { m.Offset += 1000 }, "it is beyond the end of the log"},
	{"another record", func(m *record.Manifest) { m.Offset-- }, "its last record is not the one that the log has there"},
	{"cut short", func(m *record.Manifest) { m.Chunks++ }, "it is cut short: 1 of 2 chunks are there"},
	{"another hash", func(m *record.Manifest) { m.Hash[0]++ }, "its hash is not that of the manifest"},
	{"chunks of another", func(m *record.Manifest) { m.Snapshot[0]++ }, "it is cut short: 0 of 1 chunks are there"},
}

// A snapshot that does not belong to the log or the program is ignored, and the reason is logged.
func TestIgnoredSnapshots(t *testing.T) {
	for _, test := range ignoredSnapshots {
		t.Run(test.name, func(t *testing.T) {
			savedVirtually(t, func(t *testing.T, _ *kfake.Cluster, opts []kgo.Opt) {
				a := saving(t, "a", opts, 40)
				a.buys(t, 0, 60)
				a.awaitSnapshots(t, 1)
				m := manifestsOf(t, opts)[0]
				key := m.Snapshot.String()
				test.spoil(&m)
				value, err := record.EncodeManifest(m)
				if err != nil {
					t.Fatal(err)
				}
				if m.Snapshot.String() != key {
					put(t, opts, 0, key, nil)
				}
				put(t, opts, 0, m.Snapshot.String(), value)
				startsFromTheLog(t, opts, a, test.reason)
			})
		})
	}
}

// Whatever is on the topic of snapshots, an instance starts.
func TestDamagedSnapshots(t *testing.T) {
	for _, test := range []struct {
		name   string
		spoil  func(t *testing.T, opts []kgo.Opt, m record.Manifest)
		reason string
	}{
		{"garbage for a manifest", func(t *testing.T, opts []kgo.Opt, m record.Manifest) {
			put(t, opts, 0, m.Snapshot.String(), []byte("garbage"))
		}, "a snapshot is ignored"},
		{"a manifest under a foreign key", func(t *testing.T, opts []kgo.Opt, m record.Manifest) {
			value, err := record.EncodeManifest(m)
			if err != nil {
				t.Fatal(err)
			}
			put(t, opts, 0, m.Snapshot.String(), nil)
			put(t, opts, 0, "else", value)
		}, "it is that of"},
		{"garbage for a chunk", func(t *testing.T, opts []kgo.Opt, m record.Manifest) {
			m.FirstChunk = put(t, opts, 1, m.Snapshot.String()+"/0", []byte("garbage"))
			manifest(t, opts, m)
		}, "chunk 0: "},
		{"a chunk that was removed", func(t *testing.T, opts []kgo.Opt, m record.Manifest) {
			m.FirstChunk = put(t, opts, 1, m.Snapshot.String()+"/0", nil)
			manifest(t, opts, m)
		}, "it was removed"},
		{"items that end too early", func(t *testing.T, opts []kgo.Opt, m record.Manifest) {
			chunk(t, opts, m, []byte{9, 'c', 1})
		}, "its last item is cut short"},
		{"an item of no kind", func(t *testing.T, opts []kgo.Opt, m record.Manifest) {
			chunk(t, opts, m, []byte{1, 'z'})
		}, "not an item of a cut"},
		{"a length out of range", func(t *testing.T, opts []kgo.Opt, m record.Manifest) {
			chunk(t, opts, m, bytes.Repeat([]byte{0xff}, 12))
		}, "the length of an item is out of range"},
		{"a read model that cannot be read", func(t *testing.T, opts []kgo.Opt, m record.Manifest) {
			chunk(t, opts, m, []byte{1, 'm'})
		}, "no count"},
	} {
		t.Run(test.name, func(t *testing.T) {
			savedVirtually(t, func(t *testing.T, _ *kfake.Cluster, opts []kgo.Opt) {
				a := saving(t, "a", opts, 40)
				a.buys(t, 0, 60)
				a.awaitSnapshots(t, 1)
				test.spoil(t, opts, manifestsOf(t, opts)[0])
				startsFromTheLog(t, opts, a, test.reason)
			})
		})
	}
}

// startsFromTheLog starts an instance, which must give a reason for not using the snapshot, and
// have what a has.
func startsFromTheLog(t *testing.T, opts []kgo.Opt, a *saved, reason string) {
	t.Helper()
	b := saving(t, "b", opts, 1000)
	if text := b.log.String(); !strings.Contains(text, "a snapshot is ignored") || !strings.Contains(text, reason) || strings.Contains(text, "starting from") {
		t.Errorf("want the reason %q, the instance logged:\n%s", reason, text)
	}
	if b.Stats().Applied < 60 || a.shows(3, 60) != b.shows(3, 60) {
		t.Errorf("%d records were applied, and the states are\n%s\nwant\n%s", b.Stats().Applied, b.shows(3, 60), a.shows(3, 60))
	}
}

// put writes a record to the topic of snapshots.
func put(t *testing.T, opts []kgo.Opt, partition int32, key string, value []byte) (offset int64) {
	t.Helper()
	client, err := kgo.NewClient(append(slices.Clip(opts), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	r, err := client.ProduceSync(t.Context(), &kgo.Record{Topic: Snapshots, Partition: partition, Key: []byte(key), Value: value}).First()
	if err != nil {
		t.Fatal(err)
	}
	return r.Offset
}

func manifest(t *testing.T, opts []kgo.Opt, m record.Manifest) {
	t.Helper()
	value, err := record.EncodeManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	put(t, opts, 0, m.Snapshot.String(), value)
}

// chunk replaces the first chunk of a snapshot by one whose hash is right.
func chunk(t *testing.T, opts []kgo.Opt, m record.Manifest, data []byte) {
	t.Helper()
	value, err := record.EncodeChunk(record.Chunk{Snapshot: m.Snapshot, Data: data})
	if err != nil {
		t.Fatal(err)
	}
	m.FirstChunk = put(t, opts, 1, m.Snapshot.String()+"/0", value)
	m.Hash = record.DigestOf(data)
	manifest(t, opts, m)
}

// A snapshot is used also if it comes slowly, at 1 MB/s.
func TestSnapshotComesSlowly(t *testing.T) {
	savedVirtually(t, func(t *testing.T, c *kfake.Cluster, opts []kgo.Opt) {
		a := saving(t, "a", opts, 40)
		a.buys(t, 0, 60)
		a.awaitSnapshots(t, 1)
		ended := make(chan struct{})
		t.Cleanup(func() { close(ended) }) // or the broker does not close
		c.ControlKey(int16(kmsg.Fetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			if topics := req.(*kmsg.FetchRequest).Topics; len(topics) == 1 && topics[0].Partitions[0].Partition == 1 {
				atOnce := time.Duration(topics[0].Partitions[0].PartitionMaxBytes)
				c.SleepControl(func() {
					select {
					case <-time.After(atOnce * time.Second / 1_000_000):
					case <-ended:
					}
				})
			}
			return nil, nil, false
		})
		b := saving(t, "b", opts, 1000)
		if !strings.Contains(b.log.String(), "starting from a snapshot") {
			t.Errorf("the instance logged:\n%s", b.log)
		}
	})
}

// Of two snapshots, the older one is used if the newer one cannot be.
func TestOlderSnapshotIsUsed(t *testing.T) {
	savedVirtually(t, func(t *testing.T, _ *kfake.Cluster, opts []kgo.Opt) {
		a := saving(t, "a", opts, 40)
		a.buys(t, 0, 45)
		a.awaitSnapshots(t, 1)
		a.buys(t, 45, 95)
		a.awaitSnapshots(t, 2)
		list := manifestsOf(t, opts)
		newer := list[len(list)-1]
		newer.Hash[3]++
		manifest(t, opts, newer)
		b := saving(t, "b", opts, 1000)
		if text := b.log.String(); !strings.Contains(text, "its hash is not") || !strings.Contains(text, fmt.Sprintf("starting from a snapshot\" topic=test.log.v1 offset=%d", list[0].Offset)) {
			t.Errorf("the instance logged:\n%s", text)
		}
		if a.shows(3, 95) != b.shows(3, 95) {
			t.Errorf("the states are\n%s\nwant\n%s", b.shows(3, 95), a.shows(3, 95))
		}
	})
}

// A snapshot that could not be used does not count as the newest: another one is taken, and it is
// removed.
func TestUnusableSnapshotIsReplaced(t *testing.T) {
	savedVirtually(t, func(t *testing.T, _ *kfake.Cluster, opts []kgo.Opt) {
		a := saving(t, "a", opts, 40)
		a.buys(t, 0, 60)
		a.awaitSnapshots(t, 1)
		if err := a.stop(); err != nil {
			t.Fatal(err)
		}
		m := manifestsOf(t, opts)[0]
		m.Hash[3]++
		manifest(t, opts, m)
		b := saving(t, "b", opts, 40)
		b.awaitSnapshots(t, 1)
		time.Sleep(time.Second)
		if list := manifestsOf(t, opts); len(list) != 1 || list[0].Writer != "b" {
			t.Errorf("the topic has %+v, want the snapshot of b alone", list)
		}
	})
}

// unreadable is a read model of large items, the last of which cannot be read.
type unreadable struct{ *tally }

func (m unreadable) Cut() journal.ModelCut { return largeCut{m.tally.Cut()} }

type largeCut struct{ journal.ModelCut }

func (c largeCut) Next(dst []byte) ([]byte, bool, error) {
	return c.ModelCut.Next(append(dst, make([]byte, 1<<20)...))
}

func (unreadable) Check(item []byte) error {
	if strings.HasSuffix(string(item), "2") {
		return errors.New("garbage")
	}
	return nil
}

// A snapshot in which something cannot be read is not completed, and nothing is left of it, also of
// what is on its way then.
func TestUnreadableSnapshotIsNotCompleted(t *testing.T) {
	savedVirtually(t, func(t *testing.T, c *kfake.Cluster, opts []kgo.Opt) {
		cfg, a := savingConfig(t, "a", opts, 1<<40)
		cfg.Snapshots.Model = unreadable{a.model}
		a.Journal, a.stop = Start(t, cfg)
		a.buys(t, 0, 60)
		c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			if len(req.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records) > 1<<10 {
				c.SleepControl(func() { time.Sleep(time.Second) })
			}
			return nil, nil, false
		})
		if _, err := a.Snapshot(t.Context()); err == nil || !strings.Contains(err.Error(), "garbage") {
			t.Errorf("taking a snapshot: %v", err)
		}
		time.Sleep(time.Minute)
		if list := manifestsOf(t, opts); len(list) > 0 || a.Stats().Snapshots > 0 {
			t.Errorf("the topic has %+v", list)
		}
		left, chunks := chunksOf(t, opts)
		if left > 0 || chunks < 2 {
			t.Errorf("%d chunks of %d are left", left, chunks)
		}
	})
}

// chunksOf returns how many chunks are on the topic of snapshots, and how many there were, removed
// ones included.
func chunksOf(t *testing.T, opts []kgo.Opt) (left, ever int) {
	t.Helper()
	client, err := kgo.NewClient(append(slices.Clip(opts), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{Snapshots: {1: kgo.NewOffset().AtStart()}}))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), Snapshots)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(Snapshots, 1)
	last := map[string]bool{} // whether there is a value
	for next := int64(0); next < end.Offset; {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) { last[string(r.Key)], next = r.Value != nil, r.Offset+1 })
	}
	for _, there := range last {
		if ever++; there {
			left++
		}
	}
	return left, ever
}

// A log whose topic was deleted and created again has no use for a snapshot of before.
func TestSnapshotOfLogThatWasReplaced(t *testing.T) {
	savedVirtually(t, func(t *testing.T, c *kfake.Cluster, opts []kgo.Opt) {
		a := saving(t, "a", opts, 40)
		a.buys(t, 0, 60)
		a.awaitSnapshots(t, 1)
		if err := a.stop(); err != nil {
			t.Fatal(err)
		}
		deleteTopic(t, opts, Log)
		Create(t, opts, Log, LogConfig())
		b := saving(t, "b", opts, 1000)
		if text := b.log.String(); !strings.Contains(text, "it is of another topic of that name") {
			t.Errorf("the instance logged:\n%s", text)
		}
		if got := b.shows(3, 60); strings.Contains(got, "true") {
			t.Errorf("on an empty log, the states are\n%s", got)
		}
	})
}

// A snapshot that has read a record which was declared void later is not used: neither by the
// instance that took it, nor by one that starts from it and reads the declaration afterwards.
func TestSnapshotOfWhatIsVoidNow(t *testing.T) {
	savedVirtually(t, func(t *testing.T, _ *kfake.Cluster, opts []kgo.Opt) {
		newer := func(writer string) *saved {
			cfg, s := savingConfig(t, writer, opts, 1<<40)
			cfg.Codec = newCodec{}
			cfg.Fold = func(v *View, e Entry) error {
				for _, s := range e.Streams {
					v.Set(s, State{Spent: 1})
				}
				return nil
			}
			s.Journal, s.stop = Start(t, cfg)
			return s
		}
		a := newer("a")
		v, err := a.Decide(t.Context(), journal.On(Account("1")), func(*View) (Body, error) { return Body{Kind: "tomorrow"}, nil })
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Snapshot(t.Context()); err != nil {
			t.Fatal(err)
		}
		declared := admin.Voiding{Offset: v.Offset, Reason: "a test", UnknownKind: true}
		if _, err := admin.Open(Config("operator", opts)).DeclareVoid(t.Context(), declared); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*saved{a, newer("b")} {
			Eventually(t, "the record has no effect", func() error {
				if err := s.Ready(); err != nil || spent(s.Journal, "1") != 0 {
					return fmt.Errorf("spent %d (%w)", spent(s.Journal, "1"), err)
				}
				return nil
			})
			if text := s.log.String(); !strings.Contains(text, "it has read a record that was declared void later") {
				t.Errorf("the instance logged:\n%s", text)
			}
		}
	})
}

// Two instances that take a snapshot of the same record at the same time do not disturb each other.
func TestTwoSnapshotsAtOnce(t *testing.T) {
	opts := Options(Broker(t))
	Topics(t, opts)
	CreateSnapshots(t, opts, Snapshots)
	a, b := saving(t, "a", opts, 1<<40), saving(t, "b", opts, 1<<40)
	a.buys(t, 0, 60)
	if err := b.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	for _, s := range []*saved{a, b} {
		both.Go(func() {
			for range 3 {
				if _, err := s.TakeSnapshot(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	both.Wait()
	list := manifestsOf(t, opts)
	if len(list) != 6 {
		t.Fatalf("there are %d snapshots, want 6", len(list))
	}
	for _, m := range list {
		a.LoadThis(t, m)
	}
	c := saving(t, "c", opts, 1<<40)
	if a.shows(3, 60) != c.shows(3, 60) || c.Stats().Applied > 0 {
		t.Errorf("after %d records, the states are\n%s\nwant\n%s", c.Stats().Applied, c.shows(3, 60), a.shows(3, 60))
	}
}

// The last two snapshots stay, and the one that the subscriber needs.
func TestOldSnapshotsAreRemoved(t *testing.T) {
	savedVirtually(t, func(t *testing.T, _ *kfake.Cluster, opts []kgo.Opt) {
		a := saving(t, "a", opts, 20)
		messages, _ := subscribe(t, a.Journal, nil)
		a.buys(t, 0, 25)
		for range 25 {
			receive(t, messages).Ack()
		}
		time.Sleep(time.Second) // the position is saved
		a.awaitSnapshots(t, 1)
		for n := range 5 {
			a.buys(t, 25+n*25, 50+n*25) // not acked
			a.awaitSnapshots(t, int64(n)+2)
		}
		list := manifestsOf(t, opts)
		var offsets []int64
		for _, m := range list {
			offsets = append(offsets, m.Offset)
			a.LoadThis(t, m)
		}
		if len(list) != 3 || offsets[0] > 27 || offsets[2] < 140 {
			t.Errorf("the snapshots at %v are kept, want the first one and the last two", offsets)
		}
	})
}

// A snapshot that was never completed is removed after an hour, with its chunks.
func TestAbandonedSnapshotIsRemoved(t *testing.T) {
	savedVirtually(t, func(t *testing.T, _ *kfake.Cluster, opts []kgo.Opt) {
		a := saving(t, "a", opts, 20)
		left := record.Manifest{Snapshot: journal.Attempt{7}, Chunks: 2, Writer: "dead", TakenAt: time.Now().UnixMicro()}
		manifest(t, opts, left)
		a.buys(t, 0, 25)
		a.awaitSnapshots(t, 1)
		if list := manifestsOf(t, opts); len(list) != 2 {
			t.Fatalf("at once, there are %d snapshots, want 2", len(list))
		}
		time.Sleep(2 * time.Hour)
		a.buys(t, 25, 50)
		a.awaitSnapshots(t, 2)
		time.Sleep(time.Second)
		for _, m := range manifestsOf(t, opts) {
			if m.Snapshot == left.Snapshot {
				t.Error("it is still there")
			}
		}
	})
}

// A subscriber that has to read the log again begins at a snapshot, and delivers the same.
func TestSubscriberStartsFromSnapshot(t *testing.T) {
	savedVirtually(t, func(t *testing.T, _ *kfake.Cluster, opts []kgo.Opt) {
		a := saving(t, "a", opts, 20)
		messages, s := subscribe(t, a.Journal, nil)
		a.buys(t, 0, 30)
		for range 30 {
			receive(t, messages).Ack()
		}
		time.Sleep(2 * time.Second)
		a.awaitSnapshots(t, 1)
		s.Close()
		a.buys(t, 30, 60)
		a.awaitSnapshots(t, 2)
		if err := a.stop(); err != nil {
			t.Fatal(err)
		}
		b := saving(t, "b", opts, 1000) // starts beyond what is to be delivered
		messages, _ = subscribe(t, b.Journal, nil)
		entries := map[string]int64{"0": 10, "1": 10, "2": 10}
		for range 30 {
			m := receive(t, messages)
			e, after, _ := journal.FromMessage[State, Body](m)
			st, _ := after.State(Account(e.Body.Account))
			if entries[e.Body.Account]++; st.Entries != entries[e.Body.Account] || e.Body.Kind != "bought" {
				t.Fatalf("%s %s with %+v, want entry %d of the account", e.Body.Kind, e.Body.Key, st, entries[e.Body.Account])
			}
			m.Ack()
		}
		if from := b.FromSnapshot(t, 40); from < 20 || from > 40 {
			t.Errorf("what is needed from record 40 on is read from %d on", from)
		}
	})
}

// Without a topic of snapshots, or without a usable one, an instance reads the log, and says why no
// snapshot is taken.
func TestNoTopicOfSnapshots(t *testing.T) {
	for name, partitions := range map[string]int{"there is none": 0, "it has one partition": 1} {
		t.Run(name, func(t *testing.T) {
			Virtually(t, func(t *testing.T, _ *kfake.Cluster, _ *Network, opts []kgo.Opt) {
				Topics(t, opts)
				if partitions == 1 {
					Create(t, opts, Snapshots, map[string]string{"cleanup.policy": "compact"})
				}
				a := saving(t, "a", opts, 20)
				a.buys(t, 0, 30)
				for until := time.Now().Add(2 * time.Minute); a.Stats().SnapshotFailures == 0; time.Sleep(time.Second) {
					if time.Now().After(until) {
						t.Fatalf("nothing is said:\n%s", a.log)
					}
				}
				if text := a.log.String(); !strings.Contains(text, "no snapshot was taken") || a.Ready() != nil {
					t.Errorf("ready: %v, logged:\n%s", a.Ready(), text)
				}
			})
		})
	}
}

func TestSnapshotConfigIsChecked(t *testing.T) {
	for name, spoil := range map[string]func(*journal.Config[State, Body]){
		"without a topic": func(c *journal.Config[State, Body]) { c.Snapshots.Topic = "" },
		"no codec":        func(c *journal.Config[State, Body]) { c.States = nil },
		"no model":        func(c *journal.Config[State, Body]) { c.Snapshots.Model = nil },
		"negative":        func(c *journal.Config[State, Body]) { c.Snapshots.Every = -1 },
	} {
		cfg, _ := savingConfig(t, "a", nil, 10)
		spoil(&cfg)
		if _, err := journal.New(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func deleteTopic(t *testing.T, opts []kgo.Opt, topic string) {
	t.Helper()
	client, err := kgo.NewClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).DeleteTopic(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
}
