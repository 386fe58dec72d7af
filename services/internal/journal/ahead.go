package journal

import (
	"bytes"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A record of ours is applied as soon as it is acknowledged and everything before it
// was applied, and not only when it is read: all replicas in sync have it then, at the
// offset that the broker says, and a reader can see no more. The record is read all
// the same, and what is read has to be what was applied.

// early is a record of ours that was applied and not read yet.
type early struct {
	offset int64
	value  []byte
	since  time.Time // when it left
}

// acknowledged takes a wave that the broker has answered for, giving way to others
// now and then. Those of its records that failed have no offset.
func (j *Journal[S, B]) acknowledged(s *sender, wave []*kgo.Record) {
	for some := range slices.Chunk(wave, applyAtOnce) {
		j.mu.Lock()
		if j.sender == s {
			s.acked = append(s.acked, some...)
			j.applyAhead(s)
			j.act()
		}
		j.mu.Unlock()
		runtime.Gosched() // who was answered may have more, which leaves with the next wave
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s.sent -= len(wave)
	j.send(s)
}

// applyAhead applies acknowledged records in the order of the log as far as they go on
// where it was applied to. The others wait until what is before them is read, or are
// read themselves.
func (j *Journal[S, B]) applyAhead(s *sender) {
	for ; len(s.acked) > 0; s.done() {
		a := s.acked[0]
		if a.Offset < j.core.ledger.next {
			continue // read already, or failed
		}
		if a.Offset > j.core.ledger.next {
			return
		}
		r := &record{offset: a.Offset, value: a.Value}
		if j.core.recall(r); !r.own {
			r.decode() // a barrier
		}
		since, ok := j.appended(r.attempt)
		if !ok || j.core.read(r) != nil {
			return // the reader will say what is wrong
		}
		j.ahead = append(j.ahead, early{a.Offset, a.Value, since})
	}
}

// agree looks whether a record that was applied ahead is the one in the log.
func (j *Journal[S, B]) agree(r *record, now time.Time) error {
	if len(j.ahead) == 0 || j.ahead[0].offset != r.offset || !bytes.Equal(j.ahead[0].value, r.value) {
		return fmt.Errorf("%w: record %d is another one than the broker has acknowledged", ErrDataLoss, r.offset)
	}
	j.compareClock(r, j.ahead[0].since, now)
	j.ahead[0] = early{}
	j.ahead = j.ahead[1:]
	return nil
}
