package serve

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// busy has the connections on which a request is expected or handled: those that are new, and those
// whose request is not answered. http.Server.Shutdown does not answer a request whose headers are
// read while it runs, and a client cannot know whether such a request was decided.
type busy struct {
	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

// note is for http.Server.ConnState.
func (b *busy) note(c net.Conn, state http.ConnState) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if state == http.StateNew || state == http.StateActive {
		b.conns[c] = struct{}{}
	} else {
		delete(b.conns, c)
	}
}

// wait returns when no connection is busy, or when ctx ends.
func (b *busy) wait(ctx context.Context) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil && b.count() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

func (b *busy) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns)
}

// maxSettle bounds the wait for requests on connections that were accepted last. A client may never
// send one.
const maxSettle = time.Second

// settle closes the listener and waits for the requests of the connections that were accepted.
// Served gets the error of http.Server.Serve, after which no connection is added.
func (b *busy) settle(ctx context.Context, l net.Listener, served <-chan error) {
	_ = l.Close() // it was listening
	<-served
	ctx, cancel := context.WithTimeout(ctx, maxSettle)
	defer cancel()
	b.wait(ctx)
}
