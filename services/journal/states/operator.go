package states

import (
	"fmt"
	"slices"

	"github.com/deferpay/deferpay/services/journal/record"
)

// parking is why a stream is parked.
type parking struct {
	err     error
	attempt record.Attempt // of the impossible record
}

// VoidedError is returned for a record that declares an earlier one void which was read as if it
// were not. The states now know, and have to be read again from the start: see Empty.
type VoidedError struct {
	Log            string
	Offset, Voided int64 // of the record that declares, and of the one that it declares void
}

func (e *VoidedError) Error() string {
	return fmt.Sprintf("record @%d of %s declares the record @%d void, which was read already", e.Offset, e.Log, e.Voided)
}

// Declare takes note of a declaration that was found further on in the log.
func (l *States[S, B]) Declare(v record.Voiding) {
	if !slices.Contains(l.voids[v.Offset], v.Digest) {
		l.voids[v.Offset] = append(l.voids[v.Offset], v.Digest)
	}
}

// isVoided reports whether a record is declared void. What an operator has declared is not, if it
// can be read.
func (l *States[S, B]) isVoided(r *record.Record) bool {
	if len(l.voids) == 0 {
		return false
	}
	digests := l.voids[r.Offset]
	return len(digests) > 0 && slices.Contains(digests, record.DigestOf(r.Value)) && !isOperators(r)
}

// isOperators reports whether a record is of a kind that every reader knows, for ever, and can be
// read. A kind that is added later is not one of these: readers of before may find it declared
// void, and all have to agree.
func isOperators(r *record.Record) bool {
	if r.Fault != nil {
		return false
	}
	var err error
	switch r.Kind {
	case record.Barrier:
	case record.Void:
		_, err = r.Voiding()
	case record.Release:
		_, err = r.Releasing()
	case record.Forget:
		_, err = r.Forgetting()
	default:
		return false
	}
	return err == nil
}

// applyOperators applies a record of a kind that the journal itself defines. Its expectations are
// not looked at.
func (l *States[S, B]) applyOperators(r *record.Record) (Result[S, B], error) {
	var err error
	switch r.Kind {
	case record.Void:
		var v record.Voiding
		if v, err = r.Voiding(); err == nil && v.Offset < r.Offset && !slices.Contains(l.voids[v.Offset], v.Digest) {
			l.Declare(v)
			return Result[S, B]{}, &VoidedError{Log: l.cfg.Log, Offset: r.Offset, Voided: v.Offset}
		}
	case record.Release:
		var rel record.Releasing
		if rel, err = r.Releasing(); err == nil && l.parked[rel.Stream].attempt == rel.Attempt {
			delete(l.parked, rel.Stream)
		}
	case record.Forget:
		var f record.Forgetting
		if f, err = r.Forgetting(); err == nil {
			l.forget(f)
		}
	default:
		err = fmt.Errorf("%w of the journal itself: %q", ErrUnknownKind, r.Kind)
	}
	if err != nil {
		return Result[S, B]{}, &UnreadableError{Log: l.cfg.Log, Offset: r.Offset, Kind: r.Kind, Err: err}
	}
	l.next = r.Offset + 1
	return Result[S, B]{Outcome: Operators}, nil
}
