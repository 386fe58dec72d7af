package journal

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/internal/topic"
	"github.com/deferpay/deferpay/services/journal/record"
)

// applyAtOnce is how many records are applied before other users of the lock get their turn.
const applyAtOnce = 128

// take applies records that were read.
func (j *Journal[S, B]) take(records []record.Record) error {
	for some := range slices.Chunk(records, applyAtOnce) {
		if err := j.applySome(some); err != nil {
			return err
		}
	}
	return nil
}

// applySome applies a few records under the lock. Those that have to be decoded are decoded before
// it is taken.
func (j *Journal[S, B]) applySome(records []record.Record) error {
	now := j.now()
	var room [applyAtOnce]*record.Record
	foreign := room[:0]
	j.mu.RLock()
	for i := range records {
		if r := &records[i]; r.Offset >= j.core.Next() && !j.core.Recall(r) {
			foreign = append(foreign, r)
		}
	}
	j.mu.RUnlock()
	for _, r := range foreign {
		r.Decode()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	var err error
	var last *record.Record
	for i := range records {
		if err = j.applyRead(&records[i], now); err != nil {
			break
		}
		last = &records[i]
	}
	if last != nil {
		j.feed.Reveal(topic.Mark{Offset: last.Offset, Attempt: record.AttemptOf(last.Value)})
	}
	if err == nil {
		j.applyAhead(j.sender)
	}
	j.act()
	return err
}

func (j *Journal[S, B]) applyRead(r *record.Record, now time.Time) error {
	if r.Offset < j.core.Next() {
		return j.agree(r, now)
	}
	if since, ok := j.core.Appended(r.Attempt); ok {
		j.compareClock(r, since, now)
	}
	err := j.core.Read(r)
	if err == nil {
		j.tail = r.Value
	}
	return err
}

// A record of ours is applied as soon as it is acknowledged and everything before it was applied,
// without waiting for it to be read: all replicas in sync have it then, at the offset that the
// broker returned, and a reader sees no more than that. The record is read all the same, and has to
// be the one that was applied.

// early is a record of ours that was applied and not read yet.
type early struct {
	offset int64
	value  []byte
	since  time.Time // when it left
}

// acknowledged is called when the broker has answered for all records of a wave. Those that failed
// have no offset.
func (j *Journal[S, B]) acknowledged(s *sender, wave []*kgo.Record) {
	for some := range slices.Chunk(wave, applyAtOnce) {
		j.mu.Lock()
		if j.sender == s {
			j.noteAcknowledged(some)
			s.acked = append(s.acked, some...)
			j.applyAhead(s)
			j.act()
		}
		j.mu.Unlock()
		// callers that were answered may ask for more, which leaves with the next wave
		runtime.Gosched()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s.sent -= len(wave)
	j.send(s)
}

// noteAcknowledged notes when records were acknowledged, if the times of decisions are wanted. A
// record that failed is noted as well, and its decision has no verdict.
func (j *Journal[S, B]) noteAcknowledged(some []*kgo.Record) {
	if j.cfg.Timed == nil {
		return
	}
	now := j.now()
	for _, r := range some {
		j.core.Acknowledged(record.AttemptIn(r.Value), now)
	}
}

// applyAhead applies acknowledged records, in the order of the log, up to the first one whose
// predecessor was not applied. The others wait until what is before them is read, or are read
// themselves. So do all after a connection was made, until the log was compared.
func (j *Journal[S, B]) applyAhead(s *sender) {
	if j.connections.changed() {
		j.reader.wake()
		return
	}
	for ; len(s.acked) > 0; s.done() {
		a := s.acked[0]
		if a.Offset < j.core.Next() {
			continue // read already, or failed
		}
		if a.Offset > j.core.Next() {
			j.reader.wake()
			return
		}
		r := &record.Record{Offset: a.Offset, Value: a.Value}
		if !j.core.Recall(r) {
			r.Decode() // a barrier
		}
		since, ok := j.core.Appended(r.Attempt)
		if !ok || j.core.Read(r) != nil {
			return // reading the log will show what is wrong
		}
		j.tail = a.Value
		j.ahead = append(j.ahead, early{a.Offset, a.Value, since})
	}
}

// agree checks that a record that was applied ahead is the one in the log, and marks it as our own.
func (j *Journal[S, B]) agree(r *record.Record, now time.Time) error {
	if len(j.ahead) == 0 || j.ahead[0].offset != r.Offset || !bytes.Equal(j.ahead[0].value, r.Value) {
		return fmt.Errorf("%w: record %d is not the one that the broker acknowledged", ErrDataLoss, r.Offset)
	}
	j.compareClock(r, j.ahead[0].since, now)
	j.ahead[0] = early{}
	j.ahead = j.ahead[1:]
	r.Own = true
	return nil
}
