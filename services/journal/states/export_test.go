package states

import (
	"github.com/deferpay/deferpay/services/journal/pack"
	"github.com/deferpay/deferpay/services/journal/record"
)

// LastAttempt returns the attempt that changed a cell last, the zero Attempt for nil.
func LastAttempt[S any](c *Cell[S]) record.Attempt {
	if c == nil {
		return record.Attempt{}
	}
	return c.last
}

// WeakHash makes the hash of names one of so many values. It is called before the first record.
func (l *States[S, B]) WeakHash(values uint64) {
	l.hash = func(seed pack.Seed, s record.Stream) uint64 { return pack.Hash(seed, s) >> 32 % values << 32 }
	*l = *l.Empty()
}
