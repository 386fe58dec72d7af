package bus

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/hold"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

// A message that is not handled soon is laid aside: it is acknowledged and held, and tried again
// beside the messages behind it. Those of its own key wait for it in a lane, so that the messages
// of a key stay in order. Messages without a key stay in order within their partition.

const (
	// maxDelay bounds how long messages wait for one that is being handled for the first time. It
	// is one budget for all of them, which grows again by a tenth of the time that passes, so that
	// many slow messages do not add up.
	maxDelay = time.Second
	// ordinary is how long a message may take that is finished without a use of the budget. What is
	// slower uses it whether it succeeds or not.
	ordinary = 50 * time.Millisecond
	// How many lanes may be in use, and how much may be laid aside, before the partition waits. The
	// messages of one lane are handled one after the other, so that only their size counts.
	maxLanes      = 1000
	maxAsideBytes = 64 << 20
	// of a message, and of each of its headers, beside their texts
	taskBytes   = 2 << 10
	headerBytes = 128
)

// lanes are the lanes of one receive operation.
type lanes struct {
	c *receiver

	mu    sync.Mutex
	lines map[string][]*task // by lane; the first task is being handled
	aside map[place]*task
	bytes int           // of the messages that are laid aside
	room  chan struct{} // closed and replaced when a task ends

	// Messages whose schema nobody knows give up waiting for it when others need their room.
	needed  chan struct{} // closed and replaced when they do
	toLeave int           // how many have to give up
	leaving int           // how many have given up and not ended

	budget time.Duration // what is left of maxDelay
	grown  time.Time     // up to when the budget has grown
}

// place is where a message was read.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// task is a message on its way through a lane.
type task struct {
	life context.Context // of the subscription
	raw  *message.Message
	p    provenance
	lane string
	size int

	began  time.Time     // when the reader began to wait for it
	failed chan struct{} // closed when the first attempt has failed
	done   chan struct{} // closed when the message is finished, or the subscription has ended
	err    error         // set before done is closed; nil if the message is finished

	// used by the lane alone
	marked  bool      // OnLaidAside has returned nil
	unknown time.Time // since when the registry knows none of the schema ids of the lane

	// guarded by lanes.mu
	over     bool
	leaves   bool
	used     time.Duration // of the budget
	releases []func()
}

func newLanes(c *receiver) *lanes {
	return &lanes{c: c, lines: map[string][]*task{}, aside: map[place]*task{}, room: make(chan struct{}), needed: make(chan struct{}), budget: maxDelay}
}

func (t *task) place() place { return place{t.p.topic, t.p.partition, t.p.offset} }

// same reports whether two deliveries from one place are of one message. They are not if the topic
// was created again in between.
func (t *task) same(other *task) bool {
	return t.p.key == other.p.key && t.p.time.Equal(other.p.time) && bytes.Equal(t.raw.Payload, other.raw.Payload)
}

// sizeOf returns about how much memory a message takes.
func sizeOf(m *message.Message) int {
	n := taskBytes + len(m.Payload)
	for name, value := range m.Metadata {
		n += headerBytes + len(name) + len(value)
	}
	return n
}

func laneOf(p provenance) string {
	if p.keyed {
		return "key " + p.key
	}
	return "partition " + p.topic + " " + strconv.Itoa(int(p.partition))
}

// handle returns nil when a message is finished or laid aside.
func (l *lanes) handle(life context.Context, raw *message.Message, take func() func()) error {
	t := &task{life: life, raw: raw, p: readProvenance(raw), began: time.Now(), failed: make(chan struct{}), done: make(chan struct{})}
	t.p.anyKey, t.lane, t.size = l.c.anyKey, laneOf(t.p), sizeOf(raw)
	first, again := l.enter(t, take)
	if again {
		l.c.progress.end(raw)
		return nil
	}
	if first {
		if finished, err := l.await(t); finished {
			return err
		}
	}
	return l.layAside(t, take)
}

// enter puts a task at the end of its lane and reports whether the lane was empty. It reports again
// if the message is laid aside already, because it was delivered a second time: then it is held
// once more.
func (l *lanes) enter(t *task, take func() func()) (first, again bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before := l.aside[t.place()]; before != nil && t.p.offset >= 0 && before.same(t) {
		before.releases = append(before.releases, take())
		return false, true
	}
	line := append(l.lines[t.lane], t)
	l.lines[t.lane] = line
	if len(line) == 1 {
		go l.run(t)
	}
	return len(line) == 1, false
}

// await waits for a message that is being handled, but not after an attempt has failed, and no
// longer than the budget allows. It reports whether the message is finished.
func (l *lanes) await(t *task) (finished bool, err error) {
	timer := time.NewTimer(l.allowance(t.began))
	defer timer.Stop()
	select {
	case <-t.done:
		l.spend(t, max(0, time.Since(t.began)-ordinary))
		return true, t.err
	case <-t.raw.Context().Done():
		return true, context.Cause(t.raw.Context())
	case <-t.failed:
	case <-timer.C:
	}
	l.spend(t, time.Since(t.began))
	return false, nil
}

// allowance returns what is left of the budget.
func (l *lanes) allowance(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.budget = min(maxDelay, l.budget+now.Sub(l.grown)/10)
	l.grown = now
	return l.budget
}

// spend uses the budget for a task. What is used for one that turns out to be ordinary is given
// back when it ends: otherwise a budget that is used up makes each of them be laid aside, which
// uses up what has grown.
func (l *lanes) spend(t *task, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.used = min(d, l.budget)
	l.budget -= t.used
}

// layAside holds a message, as soon as there is room for it.
func (l *lanes) layAside(t *task, take func() func()) error {
	for {
		l.mu.Lock()
		if t.over {
			l.mu.Unlock()
			<-t.done
			return t.err
		}
		if len(l.aside) == 0 || len(l.lines) <= maxLanes && l.bytes+t.size <= maxAsideBytes {
			t.releases = append(t.releases, take())
			if before := l.aside[t.place()]; before != nil { // of a topic that was created again
				l.bytes -= before.size
			}
			l.aside[t.place()] = t
			l.bytes += t.size
			if l.leaving == 0 {
				l.toLeave = 0
			}
			l.mu.Unlock()
			l.c.progress.layAside(t.raw)
			return nil
		}
		l.makeRoom()
		room := l.room
		l.mu.Unlock()
		select {
		case <-room:
		case <-t.done:
		case <-t.raw.Context().Done():
			return context.Cause(t.raw.Context())
		}
	}
}

// makeRoom has up to half of what fits give up, of the messages whose schema nobody knows. It is
// called with mu locked. Nothing is asked for before all that gave up have ended: each takes a
// while to become a dead letter.
func (l *lanes) makeRoom() {
	if l.leaving == 0 && l.toLeave == 0 {
		l.toLeave = maxLanes / 2
		close(l.needed)
		l.needed = make(chan struct{})
	}
}

// leave reports whether a message whose schema nobody knows has to give up, for others need its
// room. If not, it has to ask again when the channel is closed.
func (l *lanes) leave(t *task) (now bool, later <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.toLeave > 0 {
		l.toLeave--
		l.leaving++
		t.leaves = true
	}
	return t.leaves, l.needed
}

// run handles the messages of a lane, one after the other, until there are no more.
func (l *lanes) run(t *task) {
	for t != nil {
		// the context of the message ends when it is acknowledged
		ctx, cancel := context.WithCancelCause(context.WithoutCancel(t.raw.Context()))
		life := t.life // t is the next message by the time that a late call runs
		stop := context.AfterFunc(life, func() { cancel(context.Cause(life)) })
		t.err = l.c.finish(ctx, t.raw, t.p, t)
		stop()
		cancel(nil)
		t = l.end(t)
	}
}

// end takes a task out of its lane and returns the next one. A message that is not finished is not
// released, so that it is delivered again.
func (l *lanes) end(t *task) (next *task) {
	l.mu.Lock()
	t.over = true
	if t.err == nil && time.Since(t.began) <= ordinary {
		l.budget = min(maxDelay, l.budget+t.used)
	}
	if l.aside[t.place()] == t {
		delete(l.aside, t.place())
		l.bytes -= t.size
	}
	if line := l.lines[t.lane]; len(line) > 1 {
		next = line[1]
		l.lines[t.lane] = line[1:]
	} else {
		delete(l.lines, t.lane)
	}
	if t.leaves {
		l.leaving--
	}
	releases := t.releases
	close(l.room)
	l.room = make(chan struct{})
	l.mu.Unlock()
	if t.err == nil {
		for _, release := range releases {
			release()
		}
	}
	if next != nil {
		next.unknown = t.unknown
	}
	l.c.progress.end(t.raw)
	close(t.done)
	return next
}

// giveWay ends the wait of the reader for a message that is in a lane.
func (t *task) giveWay() {
	if t.failed == nil {
		return
	}
	select {
	case <-t.failed:
	default:
		close(t.failed)
	}
}

// fail is called after each failed attempt.
func (t *task) fail(ctx context.Context, c *receiver, f Failure) {
	if t.failed == nil {
		return
	}
	t.giveWay()
	if c.onAside == nil || t.marked || errors.Is(f.Err, registry.ErrAway) {
		return
	}
	if err := guarded(func() error { return c.onAside(ctx, f) }); err != nil {
		c.log.WarnContext(ctx, "a message laid aside is not marked yet", "operation", c.op.Name, "topic", t.p.topic, "partition", t.p.partition, "offset", t.p.offset, "key", beginning(t.p.key, keyLogged), "error", err)
		return
	}
	t.marked = true
}

// lifetime is a subscriber that says when its subscriptions have ended.
type lifetime struct {
	message.Subscriber
	ctx context.Context
	end context.CancelFunc
}

func newLifetime(s message.Subscriber) *lifetime {
	ctx, end := context.WithCancel(context.Background())
	return &lifetime{s, ctx, end}
}

func (l *lifetime) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	context.AfterFunc(ctx, l.end)
	return l.Subscriber.Subscribe(ctx, topic)
}

func (l *lifetime) Close() error {
	l.end()
	return l.Subscriber.Close()
}

// receive handles a message of a subscription. Unless its transport can hold it, or if nothing
// behind an unknown message may be read, it is not laid aside.
func (c *receiver) receive(life context.Context, raw *message.Message) error {
	if name, ok := c.routes.ignored(raw.Payload, raw.Metadata["ce_type"]); ok {
		p := readProvenance(raw)
		c.observe(p, name, Ignored, 1, nil)
		return nil
	}
	c.progress.begin(raw)
	take := hold.Of(raw.Context())
	if take != nil && c.unknown != Stop {
		return c.lanes.handle(life, raw, take)
	}
	defer c.progress.end(raw)
	p := readProvenance(raw)
	p.anyKey = c.anyKey
	return c.finish(raw.Context(), raw, p, nil)
}
