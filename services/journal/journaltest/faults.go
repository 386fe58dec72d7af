package journaltest

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Network is a network in memory, between journals and a broker, that can be cut.
type Network struct {
	kfake.VirtualNetwork
	mu    sync.Mutex
	down  bool
	conns []net.Conn
}

// Dial is the dialer of a client, for kgo.Dialer.
func (n *Network) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		return nil, errors.New("connection refused")
	}
	c, err := n.DialContext(ctx, network, address)
	if err == nil {
		n.conns = append(n.conns, c)
	}
	return c, err
}

// Cut closes every connection. With down, it refuses new ones until it is called without.
func (n *Network) Cut(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
	for _, c := range n.conns {
		c.Close()
	}
	n.conns = nil
}

// Virtually runs a test in virtual time (testing/synctest), with a broker without topics on a
// network in memory. Faults come from n.Cut and from the control functions of the broker.
func Virtually(t *testing.T, fn func(t *testing.T, c *kfake.Cluster, n *Network, opts []kgo.Opt)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n := &Network{}
		c := Broker(t, kfake.ListenFn(n.Listen), kfake.Ports(9092))
		opts := append(Options(c), kgo.Dialer(n.Dial))
		fn(t, c, n, opts)
	})
}
