// Package link stands between an instance and the broker and the registry that it uses, so that the
// network of this instance alone can be cut. It changes the addresses in the answers of the broker,
// because a Kafka client connects to those that it is told. The live view imports it.
package link

import (
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
)

// Links are the connections of all instances. Their methods are safe for concurrent use.
type Links struct {
	mu   sync.Mutex
	of   map[string]*link
	gone bool
}

// link is what one instance connects through.
type link struct {
	mu        sync.Mutex
	cut       bool
	gone      bool
	listeners map[string]net.Listener // by the address that they lead to
	conns     map[net.Conn]bool
}

// New returns links that nobody uses yet.
func New() *Links { return &Links{of: map[string]*link{}} }

// Connect returns the addresses that an instance is to use instead of those of the brokers and the
// registry. It is a value for cluster.Options.Link.
func (l *Links) Connect(instance string, brokers []string, registry string) ([]string, string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return nil, "", net.ErrClosed
	}
	if l.of[instance] == nil {
		l.of[instance] = &link{listeners: map[string]net.Listener{}, conns: map[net.Conn]bool{}}
	}
	k := l.of[instance]
	told := make([]string, len(brokers))
	for i, b := range brokers {
		var err error
		if told[i], err = k.to(b, true); err != nil {
			return nil, "", err
		}
	}
	u, err := url.Parse(registry)
	if err != nil {
		return nil, "", err
	}
	if u.Host, err = k.to(u.Host, false); err != nil {
		return nil, "", err
	}
	return told, u.String(), nil
}

// Cut closes the connections of an instance and every new one, or lets them pass again.
func (l *Links) Cut(instance string, cut bool) {
	if k := l.get(instance); k != nil {
		k.setCut(cut)
	}
}

// IsCut reports whether an instance is cut off.
func (l *Links) IsCut(instance string) bool {
	k := l.get(instance)
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.cut
}

func (l *Links) get(instance string) *link {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of[instance]
}

// Close closes all connections for good.
func (l *Links) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = true
	for _, k := range l.of {
		k.close()
	}
}

func (k *link) close() {
	k.mu.Lock()
	k.gone = true
	for _, in := range k.listeners {
		_ = in.Close()
	}
	k.mu.Unlock()
	k.setCut(true)
}

func (k *link) setCut(cut bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cut = cut
	if !cut {
		return
	}
	for c := range k.conns {
		_ = c.Close()
	}
}

// to returns the address of a listener whose connections lead to an address.
func (k *link) to(addr string, kafka bool) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.gone {
		return "", net.ErrClosed
	}
	if in := k.listeners[addr]; in != nil {
		return in.Addr().String(), nil
	}
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	k.listeners[addr] = in
	go k.serve(in, addr, kafka)
	return in.Addr().String(), nil
}

func (k *link) serve(l net.Listener, addr string, kafka bool) {
	for {
		in, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			go k.carry(in, addr, kafka)
		}
	}
}

// carry copies bytes in both directions until either side closes its connection or both are cut.
func (k *link) carry(in net.Conn, addr string, kafka bool) {
	if !k.keep(in) {
		return
	}
	defer k.drop(in)
	out, err := net.Dial("tcp", addr)
	if err != nil || !k.keep(out) {
		return
	}
	defer k.drop(out)
	var back sync.WaitGroup
	if kafka {
		t := &translation{to: func(host string) (string, error) { return k.to(host, true) }, asked: map[int32]asked{}}
		back.Go(func() { _ = t.answers(in, out); _ = in.Close() })
		_ = t.requests(out, in)
	} else {
		back.Go(func() { _, _ = io.Copy(in, out); _ = in.Close() })
		_, _ = io.Copy(out, in)
	}
	_ = out.Close()
	back.Wait()
}

// keep adds a connection to those that are cut, and reports whether it may be used.
func (k *link) keep(c net.Conn) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.cut {
		_ = c.Close()
		return false
	}
	k.conns[c] = true
	return true
}

func (k *link) drop(c net.Conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.conns, c)
	_ = c.Close()
}
