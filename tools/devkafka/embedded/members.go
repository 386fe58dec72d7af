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

// connections are those open to the broker, by the address of the other end.
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

// listener notes what it accepts.
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

// goneFor is how long a member of a group may be without the connection it came by: longer than the
// sessions that clients here ask for, so that the broker ends those it can end itself.
const goneFor = 8 * time.Second

// removeLost takes members out of consumer groups whose connection is gone. The broker does so
// itself when a session ends, but for a member whose connection broke while it waited for the
// answer to its join: that one's session never begins, and its share of the topics would be
// nobody's for ever. A member that only changed its connection is told so and joins again.
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
				log.Warn("a member's connection is gone and its session never began: it leaves the group", "group", g.Group, "member", m.MemberID)
				if err := leave(ctx, client, g.Group, m.MemberID); err != nil {
					log.Warn("the member could not be removed", "member", m.MemberID, "error", err.Error())
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
