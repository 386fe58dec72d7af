package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/kafkabus"
)

const facts = "facts"

// memory is a log that knows positions alone.
type memory struct{ taken map[partition]ledger.Taken }

func (memory) Ready() error                  { return nil }
func (memory) Barrier(context.Context) error { return nil }
func (memory) Stats() journal.Stats          { return journal.Stats{} }

func (m memory) TakenIn(topic string, id int32) (ledger.Taken, bool) {
	t, ok := m.taken[partition{topic, id}]
	return t, ok
}

func (m memory) TakeIn(_ context.Context, before, t ledger.Taken) error {
	at := partition{t.Topic, t.Partition}
	if m.taken[at] != before {
		return errors.New("another position was recorded meanwhile")
	}
	m.taken[at] = t
	return nil
}

func (m memory) TakeInAgain(_ context.Context, wrong, t ledger.Taken) error {
	if at := (partition{t.Topic, t.Partition}); m.taken[at] == wrong {
		m.taken[at] = t
	}
	return nil
}

// reader is a subscriber that was assigned the one partition, and has read it up to at.
type reader struct {
	at    int64
	asked func() // unless nil, called when a position is about to be returned
}

func (*reader) Subscribe(context.Context, string) (<-chan *message.Message, error) { return nil, nil }
func (*reader) Close() error                                                       { return nil }
func (*reader) StartFrom(func(context.Context, string, int32) (int64, error))      {}
func (*reader) Restart()                                                           {}
func (r *reader) Positions() []kafkabus.Position {
	if r.asked != nil {
		r.asked()
	}
	return []kafkabus.Position{{Topic: facts, Offset: r.at}}
}

// store is a broker whose data lies in a folder.
type store struct {
	t       *testing.T
	dir     string
	cluster *kfake.Cluster
	client  []kgo.Opt
}

func (s *store) open() {
	s.t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(s.dir))
	if err != nil {
		s.t.Fatal(err)
	}
	s.cluster, s.client = c, []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}
	s.t.Cleanup(c.Close)
}

// write appends messages with a name and a number.
func (s *store) write(name string, n int) {
	s.t.Helper()
	c, err := kgo.NewClient(s.client...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	for i := range n {
		r := &kgo.Record{Topic: facts, Key: []byte(fmt.Sprint(name, i)), Value: []byte(name)}
		if err := c.ProduceSync(s.t.Context(), r).FirstErr(); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *store) create(config map[string]*string) {
	s.t.Helper()
	c, err := kgo.NewClient(s.client...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	if _, err := kadm.NewClient(c).CreateTopic(s.t.Context(), 1, 1, config, facts); err != nil {
		s.t.Fatal(err)
	}
}

func (s *store) intake(log Log, r *reader) *Intake {
	s.t.Helper()
	i, err := New(log, r, s.client, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(i.client.Close)
	return i
}

func (s *store) start(i *Intake) int64 {
	s.t.Helper()
	from, err := i.start(s.t.Context(), facts, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return from
}

// record records the position of the reader, whether it has moved far enough or not.
func (s *store) record(i *Intake, r *reader) {
	s.t.Helper()
	if err := i.record(s.t.Context(), r.Positions()[0], i.standings()[partition{facts, 0}]); err != nil {
		s.t.Fatal(err)
	}
}

// grown returns a topic of two early messages and three more, and a copy of its broker's folder
// from before those.
func grown(t *testing.T) (s *store, older string) {
	t.Helper()
	s, older = &store{t: t, dir: t.TempDir()}, t.TempDir()
	s.open()
	s.create(nil)
	s.write("early", 2)
	s.cluster.Close()
	if err := os.CopyFS(older, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	s.open()
	s.write("lost", 3)
	return s, older
}

// A position in a topic that was cut since is taken back, whether the topic is shorter now or has
// grown beyond the position again. It can then move on from there.
func TestTopicCut(t *testing.T) {
	for _, c := range []struct {
		name string
		more int // messages that are written after the cut
		want int64
	}{
		{"as it was", -1, 5}, {"shorter", 0, 0}, {"shorter than the position", 2, 0}, {"grown beyond the position", 9, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, older := grown(t)
			log, r := memory{map[partition]ledger.Taken{}}, &reader{at: 5}
			i := s.intake(log, r)
			if from := s.start(i); from != 0 {
				t.Fatalf("begins at %d", from)
			}
			id := i.TopicID(facts, 0)
			s.record(i, r)
			s.cluster.Close()

			if c.more >= 0 {
				s.dir = older
			}
			s.open()
			s.write("new", max(0, c.more))
			i = s.intake(log, r)
			if from := s.start(i); from != c.want || i.TopicID(facts, 0) != id {
				t.Errorf("goes on at %d, want %d; topic %s, was %s", from, c.want, i.TopicID(facts, 0), id)
			}
			if known, _ := log.TakenIn(facts, 0); known.Offset != c.want {
				t.Errorf("the log has %d, want %d", known.Offset, c.want)
			}
		})
	}
}

// A topic that was created again is read from its start, even if it has the same messages.
func TestTopicCreatedAgain(t *testing.T) {
	s := &store{t: t, dir: t.TempDir()}
	s.open()
	s.create(nil)
	s.write("a", 3)
	log, r := memory{map[partition]ledger.Taken{}}, &reader{at: 2}
	i := s.intake(log, r)
	s.start(i)
	s.record(i, r)
	if err := s.cluster.DeleteTopic(facts); err != nil {
		t.Fatal(err)
	}
	s.create(nil)
	s.write("a", 3)
	if from := s.start(s.intake(log, r)); from != 0 {
		t.Errorf("goes on at %d, want 0", from)
	}
}

// A message that was compacted is no sign that a topic was cut.
func TestMarkCompacted(t *testing.T) {
	s := &store{t: t, dir: t.TempDir()}
	s.open()
	s.create(map[string]*string{"cleanup.policy": kadm.StringPtr("compact")})
	s.write("kept", 1)
	s.write("a", 3)
	log, r := memory{map[partition]ledger.Taken{}}, &reader{at: 3}
	i := s.intake(log, r)
	s.start(i)
	s.record(i, r)
	if known, _ := log.TakenIn(facts, 0); known.Seen.Offset != 2 {
		t.Fatalf("the log names the message at %d", known.Seen.Offset)
	}
	s.write("a", 3) // the same keys
	s.cluster.Compact()
	if from := s.start(i); from != 3 {
		t.Errorf("goes on at %d, want 3", from)
	}
}

// The position behind a dead letter is recorded once it is reached, and not before: the dead letter
// may be observed before its message is acknowledged, or while one before it is laid aside.
func TestNoteAfterDeadLetter(t *testing.T) {
	s := &store{t: t, dir: t.TempDir()}
	s.open()
	s.create(nil)
	s.write("a", 9)
	log, r := memory{map[partition]ledger.Taken{}}, &reader{at: 2}
	i := s.intake(log, r)
	s.start(i)
	i.Observe(bus.Observation{Outcome: bus.Handled, Topic: facts, Offset: 1})
	i.Observe(bus.Observation{Outcome: bus.DeadLettered, Topic: facts, Offset: 4})
	for _, step := range []struct{ at, want int64 }{{2, 0}, {4, 0}, {5, 5}, {6, 5}} {
		r.at = step.at
		if err := i.note(t.Context()); err != nil {
			t.Fatal(err)
		}
		if known, _ := log.TakenIn(facts, 0); known.Offset != step.want {
			t.Errorf("at %d the log has %d, want %d", step.at, known.Offset, step.want)
		}
	}
}

// Nothing is recorded of a topic that was cut while it was read, unless it was cut behind the last
// message that the log names, and has grown beyond the reader.
func TestTopicCutWhileRead(t *testing.T) {
	for _, c := range []struct {
		name     string
		recorded int64 // position in the log before the cut, 0 if none
		more     int   // messages that are written after the cut
		want     string
	}{
		{"it ends before the reader", 0, 2, "the topic ends at 4, before the position 5"},
		{"it has grown beyond the reader", 4, 9, errCut.Error()},
		{"it was cut behind what the log names", 2, 9, "<nil>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, older := grown(t)
			log, r := memory{map[partition]ledger.Taken{}}, &reader{at: c.recorded}
			i := s.intake(log, r)
			s.start(i)
			if c.recorded > 0 {
				s.record(i, r)
			}
			known := i.standings()[partition{facts, 0}]
			s.cluster.Close()

			s.dir = older
			s.open()
			s.write("new", c.more)
			r.at = 5
			err := s.intake(log, r).record(t.Context(), r.Positions()[0], known)
			now, _ := log.TakenIn(facts, 0)
			if recorded := now != known.taken; fmt.Sprint(err) != c.want || recorded != (err == nil) {
				t.Errorf("%v, want %s; the log has %d, had %d", err, c.want, now.Offset, known.taken.Offset)
			}
		})
	}
}

// A partition may be assigned again while a position of the session before is recorded.
func TestAssignedWhileNoted(t *testing.T) {
	for name, back := range map[string]bool{"the log is as it was": false, "the log took back its position": true} {
		t.Run(name, func(t *testing.T) {
			s := &store{t: t, dir: t.TempDir()}
			s.open()
			s.create(nil)
			s.write("a", 9)
			log, r := memory{map[partition]ledger.Taken{}}, &reader{at: 2}
			i := s.intake(log, r)
			s.start(i)
			s.record(i, r)
			i.Observe(bus.Observation{Outcome: bus.DeadLettered, Topic: facts, Offset: 4})
			r.at = 5
			r.asked = func() {
				if known, _ := log.TakenIn(facts, 0); back {
					again := ledger.Taken{Topic: facts, TopicID: known.TopicID}
					if err := log.TakeInAgain(t.Context(), known, again); err != nil {
						t.Error(err)
					}
				}
				s.start(i)
				i.Observe(bus.Observation{Outcome: bus.DeadLettered, Topic: facts, Offset: 3})
			}
			want, from := int64(5), int64(2)
			if back {
				want, from = 0, 0
			}
			if err := i.note(t.Context()); (err != nil) != back {
				t.Error(err)
			}
			if known, _ := log.TakenIn(facts, 0); known.Offset != want {
				t.Errorf("the log has %d, want %d", known.Offset, want)
			}
			if now := i.standings()[partition{facts, 0}]; now.noted != from || now.soon != 4 {
				t.Errorf("the new session has noted %d, want %d, and will note %d", now.noted, from, now.soon)
			}
		})
	}
}
