package seal

import (
	"bytes"
	"context"
	"net"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// gate holds back what the broker answers to a client while it is closed.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // closed when the gate opens; nil while it is open
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = make(chan struct{})
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.shut)
	g.shut = nil
}

func (g *gate) pass() {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
}

func (g *gate) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	return gated{conn, g}, err
}

type gated struct {
	net.Conn
	gate *gate
}

func (c gated) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.gate.pass()
	return n, err
}

// crashAfterTombstone calls a function each time that a tombstone of one id is acknowledged, before
// the client knows.
type crashAfterTombstone struct {
	mu   sync.Mutex
	id   string
	then func()
}

func (c *crashAfterTombstone) at(id string, then func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.id, c.then = id, then
}

// OnProduceRecordUnbuffered implements kgo.HookProduceRecordUnbuffered.
func (c *crashAfterTombstone) OnProduceRecordUnbuffered(r *kgo.Record, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.then != nil && err == nil && r.Value == nil && string(r.Key) == c.id {
		c.then()
	}
}

// lockedBuffer may be written and read at the same time.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
