package embedded

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// connections is the set of the open connections to the broker, by the address of the client.
type connections struct {
	mu   sync.Mutex
	open map[string]bool
}

func (c *connections) set(addr string, open bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if open {
		c.open[addr] = true
	} else {
		delete(c.open, addr)
	}
}

func (c *connections) has(addr string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open[addr]
}

// listener records the connections that it accepts.
type listener struct {
	net.Listener
	connections *connections
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.connections.set(c.RemoteAddr().String(), true)
	return connection{c, l.connections}, nil
}

type connection struct {
	net.Conn
	connections *connections
}

func (c connection) Close() error {
	c.connections.set(c.RemoteAddr().String(), false)
	return c.Conn.Close()
}

// goneFor is how long the connection with which a member joined its group may be closed before the
// member is removed. It is longer than the session timeouts of the clients here, so that the broker
// removes the members that it can remove itself.
const goneFor = 8 * time.Second

// removeLost removes members whose connection is closed from their consumer groups. The broker does
// so itself when a session times out, except for a member whose connection broke while it was
// waiting for the answer to its join: the session of that member never begins, and its share of the
// partitions would never be assigned to anybody else. A member that has only changed its connection
// gets an error and joins again.
func removeLost(ctx context.Context, client *kgo.Client, open *connections, log *slog.Logger) {
	gone := map[string]time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		groups, err := kadm.NewClient(client).DescribeGroups(ctx)
		if err != nil {
			continue
		}
		seen := map[string]time.Time{}
		for _, g := range groups {
			for _, m := range g.Members {
				if open.has(m.ClientHost) {
					continue
				}
				since, known := gone[m.MemberID]
				if !known {
					since = time.Now()
				}
				if time.Since(since) < goneFor {
					seen[m.MemberID] = since
					continue
				}
				log.Warn("removing a group member whose connection is closed", "group", g.Group, "member", m.MemberID)
				if err := leave(ctx, client, g.Group, m.MemberID); err != nil {
					log.Warn("group member not removed", "member", m.MemberID, "error", err.Error())
				}
			}
		}
		gone = seen
	}
}

func leave(ctx context.Context, client *kgo.Client, group, member string) error {
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = group
	who := kmsg.NewLeaveGroupRequestMember()
	who.MemberID = member
	req.Members = append(req.Members, who)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}
