package core_test

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/deferpay/deferpay/services/journal/internal/core"
	"github.com/deferpay/deferpay/services/journal/journaltest"
	"github.com/deferpay/deferpay/services/journal/record"
	"github.com/deferpay/deferpay/services/journal/shape"
	"github.com/deferpay/deferpay/services/journal/states"
)

type (
	state   = journaltest.State
	body    = journaltest.Body
	entry   = journaltest.Entry
	view    = journaltest.View
	verdict = journaltest.Verdict
	call    = core.Command[state, body]
)

// node is a core on the test domain, and the states that it applies to.
type node struct {
	*core.Core[state, body]
	applied *states.States[state, body]
}

// surroundings are what the tests vary of a node. Clock, mono and newAttempt are required.
type surroundings struct {
	codec      states.Codec[body] // journaltest's by default
	token      func(*states.Cell[state]) record.Attempt
	clock      func() time.Time
	mono       func() time.Time
	newAttempt func() record.Attempt
	project    func(entry, *view)
	packAfter  int64 // records; 0: streams are never packed
}

var stateCodec = func() *shape.Codec[state] {
	c, err := shape.Of[state]()
	if err != nil {
		panic(err)
	}
	return c
}()

func newNode(s surroundings) node {
	if s.codec == nil {
		s.codec = journaltest.Codec{}
	}
	l := states.New(states.Config[state, body]{Log: "test.log.v1", Fold: journaltest.Fold, Codec: s.codec, Token: s.token, States: stateCodec, PackAfter: cmp.Or(s.packAfter, 1<<40)})
	c := core.New(l, core.Config[state, body]{Writer: "test", MaxRecord: 1 << 20,
		Key:   func(e *entry) string { return string(e.Streams[0]) },
		Clock: s.clock, Mono: s.mono, NewAttempt: s.newAttempt, Project: s.project})
	c.Start()
	return node{c, l}
}

func newCall(c journaltest.Command, gone <-chan struct{}) *call {
	return &call{Streams: c.Streams(), Decide: c.Decide, Gone: gone}
}

// take returns copies of what the core asks for.
func (n node) take() (appends []core.Append, done []*call) {
	appends, done = n.Take()
	return slices.Clone(appends), slices.Clone(done)
}

// polled returns a record that has come, for Read.
func (n node) polled(offset int64, value []byte) record.Record {
	r := record.Record{Offset: offset, Value: value}
	if !n.Recall(&r) {
		r.Decode()
	}
	return r
}

// readBytes polls a record and reads it.
func (n node) readBytes(offset int64, value []byte) error {
	r := n.polled(offset, value)
	return n.Read(&r)
}

// states returns everything that was applied.
func (n node) states() map[record.Stream]string {
	m := make(map[record.Stream]string)
	for s, cell := range n.applied.Cells() {
		m[s] = fmt.Sprintf("%v", *cell)
	}
	return m
}
