package journal

import (
	"errors"

	"github.com/deferpay/deferpay/services/journal/record"
)

// Snapshots says how the states and the read model are kept, so that an instance reads the end of
// its log alone when it starts. A snapshot is one cut of everything. It is used if it is whole, and
// if log, program and snapshot belong together; otherwise it is ignored, and the reason is logged.
// Topic, Config.States and, with Config.Project, Model are required.
type Snapshots struct {
	// Topic is compacted and has two partitions. It may be lost: snapshots are taken again.
	Topic string
	// Version is that of Fold and Project. Raise it when the same records lead to other states or
	// to another read model than before: a snapshot of another version is not used.
	Version int32
	Model   ReadModel
	// Every is how many records are read before a snapshot is taken, 50,000 by default. In a long
	// log, it is an eighth of the log if that is more.
	Every int64
}

// StateCodec turns states into bytes and back. Its methods may be called at the same time.
// shape.Codec is one. If a codec has a method Check as that has, what is written to a snapshot is
// checked by it, which takes less time than Decode.
type StateCodec[S any] interface {
	Append(dst []byte, state S) ([]byte, error)
	Decode(data []byte) (S, error)
	// Shape describes the encoding. A snapshot is not used by a program with another one.
	Shape() string
}

// ReadModel is what Config.Project feeds.
type ReadModel interface {
	// Shape describes the encoding of the items, as that of StateCodec does.
	Shape() string
	// Cut begins to hand out the read model as it is now, while Project goes on. It is called as
	// Project is.
	Cut() ModelCut
	// Check returns an error if an item that a cut has handed out cannot be read. It is called with
	// every item before a snapshot is complete, beside everything else, so that a start may take
	// over what it does not look into.
	Check(item []byte) error
	// Load returns another read model, which is empty.
	Load() ModelLoading
}

// ModelCut is a read model as it was at one record.
type ModelCut interface {
	// Next appends the next item, and reports whether there was one. It is called as the function
	// given to Journal.Read is.
	Next(dst []byte) (_ []byte, more bool, err error)
	// End is called once, as Project is. Nothing has to be kept for the cut any more.
	End()
}

// ModelLoading is a read model that is being made of the items of a cut.
type ModelLoading interface {
	// Add takes the next item. It is called by one goroutine, while another one loads the states.
	Add(item []byte) error
	// End is called once everything has been added, after Add. An error is returned if items are
	// missing or do not belong together.
	End() error
	// Use makes it the read model, in place of the one that there is. It is called as Config.Reset
	// is, and only after End.
	Use()
}

func (s *Snapshots) check(states, project bool) error {
	switch {
	case s == nil:
		return nil
	case s.Topic == "", !states:
		return errors.New("journal: snapshots without a topic or a codec of states")
	case project && s.Model == nil:
		return errors.New("journal: snapshots would lack what Project feeds: there is no Model")
	case s.Every < 0:
		return errors.New("journal: a negative number of records between snapshots")
	}
	return nil
}

// format is part of the shape: a snapshot of another form is one of another shape.
const format = "journal snapshot 5"

// shape returns the digest of what the items of a snapshot look like.
func (cfg *Config[S, B]) shape() record.Digest {
	text := format + "\n" + cfg.States.Shape()
	if m := cfg.Snapshots.Model; m != nil {
		text += "\n" + m.Shape()
	}
	return record.DigestOf([]byte(text))
}
