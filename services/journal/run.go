package journal

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/internal/topic"
)

const (
	retryDelay = time.Second // before the log is read again from its start
	// before the broker is asked again for the topic's configuration
	verifyDelay = 250 * time.Millisecond
	answerLimit = 3 * time.Second // for the broker to answer a question
	drainLimit  = 2 * time.Second // for records in flight, when the journal stops
)

// Run verifies the topic, reads the log, from a snapshot or from its start, and appends a barrier;
// the journal is ready once it has read that. Run goes on reading until ctx is done. It then waits
// up to two seconds for records in flight, and returns nil. While the broker is away, it keeps
// trying, and Ready says why.
//
// A *TopicError is returned if the topic is not configured as a log must be, and another error if
// the broker does not allow the configuration to be read and AllowUnverified is not set. Run may be
// called once.
//
// At a record that cannot be decoded the journal stops being ready, and waits until a later record
// declares that one void.
func (j *Journal[S, B]) Run(ctx context.Context) error {
	defer j.unready(errStopped)
	for {
		err := j.session(ctx)
		j.unready(err)
		var wrong *TopicError
		var unreadable *UnreadableError
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &wrong), errors.Is(err, topic.ErrUnverified):
			return err
		case errors.As(err, &unreadable):
			j.cfg.Logger.Error("not ready: the log holds a record that cannot be read", "topic", j.cfg.Topic, "error", err)
			j.awaitVoiding(ctx, unreadable)
			continue
		}
		j.cfg.Logger.Error("reading the log again", "topic", j.cfg.Topic, "error", err)
		if !sleep(ctx, retryDelay) {
			return nil
		}
	}
}

// session reads the log, from a snapshot or from its start, for as long as that is possible.
func (j *Journal[S, B]) session(ctx context.Context) error {
	start, err := j.prepare(ctx)
	if err != nil {
		return err
	}
	client, err := topic.NewClientFrom(j.cfg.Topic, start.from, 2*maxInFlight, j.watched())
	if err != nil {
		return j.unusable(err)
	}
	defer client.Close()
	reading, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	defer context.AfterFunc(ctx, func() { j.drain(); stop(ctx.Err()) })()
	go j.watch(reading, client, stop)

	j.feed.Start(start.from, j.end(reading, client))
	j.mu.Lock()
	j.adopt(start)
	j.sender, j.reason = &sender{client: client, ctx: reading}, nil
	j.core.Start()
	j.act()
	j.mu.Unlock()
	if j.cfg.Snapshots != nil {
		go j.takeSnapshots(reading)
	}
	return j.readOn(reading, client, start.from)
}

// readOn takes records from an offset on, until ctx ends or that is not possible.
func (j *Journal[S, B]) readOn(ctx context.Context, client *kgo.Client, from int64) error {
	var p pace
	for r := topic.NewReader(client, from); ; {
		records, err := r.Poll(ctx)
		if err == nil {
			err = j.compare(ctx, records)
		}
		if err == nil {
			err = j.takeAll(ctx, client, records)
		}
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if err != nil {
			return err
		}
		if wait := p.after(records, j.now()); wait > 0 && !j.read.awaited() {
			j.reader.sleep(ctx, wait)
		}
	}
}

// prepare verifies the topic, and looks for a snapshot to start from.
func (j *Journal[S, B]) prepare(ctx context.Context) (start[S, B], error) {
	client, err := topic.NewProducer(1, j.cfg.ClientOptions)
	if err != nil {
		return start[S, B]{}, j.unusable(err)
	}
	defer client.Close()
	if err := j.verify(ctx, client); err != nil {
		return start[S, B]{}, err
	}
	return j.findStart(ctx), nil
}

func (j *Journal[S, B]) unusable(err error) error {
	return &TopicError{j.cfg.Topic, "client options", "are not usable: " + err.Error()}
}

// end returns where the log ends now, 0 if the broker does not answer.
func (j *Journal[S, B]) end(ctx context.Context, client *kgo.Client) int64 {
	asking, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	end, _ := topic.End(asking, client, j.cfg.Topic)
	return end
}

// verify asks for the topic's configuration until the broker answers.
func (j *Journal[S, B]) verify(ctx context.Context, client *kgo.Client) error {
	for {
		asking, cancel := context.WithTimeout(ctx, answerLimit)
		err := topicError(topic.Verify(asking, client, j.cfg.Topic, topic.LogSettings))
		cancel()
		var wrong *TopicError
		switch {
		case err == nil, ctx.Err() != nil, errors.As(err, &wrong):
			return err
		case errors.Is(err, topic.ErrUnverified) && j.cfg.AllowUnverified:
			j.cfg.Logger.Warn("the log's configuration was not verified", "topic", j.cfg.Topic, "error", err)
			return nil
		case errors.Is(err, topic.ErrUnverified):
			return err
		}
		j.setReason(err)
		if !sleep(ctx, verifyDelay) {
			return ctx.Err()
		}
	}
}

// drain waits a moment for records in flight to come back.
func (j *Journal[S, B]) drain() {
	j.mu.Lock()
	j.stopping = true
	j.mu.Unlock()
	for until := j.now().Add(drainLimit); j.now().Before(until); time.Sleep(5 * time.Millisecond) {
		j.mu.RLock()
		n := j.core.InFlight()
		j.mu.RUnlock()
		if n == 0 {
			return
		}
	}
}

// unready discards the state: every command ends, and nothing is served until the log was read
// again.
func (j *Journal[S, B]) unready(reason error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if reason == nil {
		reason = errStopped
	}
	j.reason = reason
	if j.sender == nil {
		return
	}
	j.sender.outbox = nil // its last wave would send it to a closed client
	j.sender, j.ahead, j.tail = nil, nil, nil
	j.feed.Stop()
	j.core.Reset(reason)
	j.act()
	if j.cfg.Reset != nil {
		j.cfg.Reset()
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
