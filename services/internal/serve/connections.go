package serve

import (
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Connections bounds the connections that a server has open. Clients that are slow, or never send
// anything, hold a connection each, and with it memory and a file. All methods may be called at the
// same time.
type Connections struct {
	total, each int // bounds: of all, and of one address; 0: none
	logger      *slog.Logger

	mu      sync.Mutex
	open    int
	of      map[string]int // by origin
	refused int64
	warned  time.Time
}

// NewConnections returns bounds on all connections and on those of one address. 0 is no bound. The
// clients behind a proxy have one address.
func NewConnections(total, each int, logger *slog.Logger) *Connections {
	return &Connections{total: total, each: each, logger: logger, of: map[string]int{}}
}

// Open returns the number of open connections.
func (c *Connections) Open() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int64(c.open)
}

// Refused returns the number of connections that were closed at once because of the bounds.
func (c *Connections) Refused() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.refused
}

// over returns a listener that closes connections beyond the bounds.
func (c *Connections) over(l net.Listener) net.Listener {
	if c == nil {
		return l
	}
	return boundedListener{l, c}
}

// warnEvery is how often connections that are refused are logged.
const warnEvery = time.Minute

// admit counts a connection, or reports that it is beyond the bounds.
func (c *Connections) admit(origin string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	full, crowded := c.total > 0 && c.open >= c.total, c.each > 0 && c.of[origin] >= c.each
	if !full && !crowded {
		c.open++
		c.of[origin]++
		return true
	}
	c.refused++
	if now := time.Now(); now.Sub(c.warned) > warnEvery {
		c.warned = now
		c.logger.Warn("connections are refused, too many are open", "open", c.open, "from", origin, "open from there", c.of[origin])
	}
	return false
}

func (c *Connections) release(origin string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open--
	if c.of[origin]--; c.of[origin] == 0 {
		delete(c.of, origin)
	}
}

// originOf returns the address that a connection is counted for. Of IPv6 that is the network, of
// which one client usually has every address.
func originOf(a net.Addr) string {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return a.String()
	}
	addr := tcp.AddrPort().Addr().Unmap().WithZone("")
	if addr.Is4() || addr.IsLoopback() {
		return addr.String()
	}
	return netip.PrefixFrom(addr, 64).Masked().String()
}

type boundedListener struct {
	net.Listener
	bounds *Connections
}

// Accept implements net.Listener.
func (l boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		origin := originOf(conn.RemoteAddr())
		if l.bounds.admit(origin) {
			return &boundedConn{Conn: conn, release: func() { l.bounds.release(origin) }}, nil
		}
		_ = conn.Close()
	}
}

type boundedConn struct {
	net.Conn
	once    sync.Once
	release func()
}

// Close implements net.Conn.
func (c *boundedConn) Close() error {
	c.once.Do(c.release)
	return c.Conn.Close()
}
