package embedded

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
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

// signs notes when members of groups were last heard of.
type signs struct {
	mu   sync.Mutex
	last map[string]time.Time // by member
}

// observe is a control function of the broker: it sees each request and handles none.
func (s *signs) observe(req kmsg.Request) (kmsg.Response, error, bool) {
	switch r := req.(type) {
	case *kmsg.HeartbeatRequest:
		s.note(r.MemberID)
	case *kmsg.JoinGroupRequest:
		s.note(r.MemberID)
	case *kmsg.SyncGroupRequest:
		s.note(r.MemberID)
	case *kmsg.OffsetCommitRequest:
		s.note(r.MemberID)
	case *kmsg.ConsumerGroupHeartbeatRequest:
		s.note(r.MemberID)
	}
	return nil, nil, false
}

// watch has the requests of members observed.
func (s *signs) watch(cluster *kfake.Cluster) {
	for _, key := range []kmsg.Key{kmsg.Heartbeat, kmsg.JoinGroup, kmsg.SyncGroup, kmsg.OffsetCommit, kmsg.ConsumerGroupHeartbeat} {
		cluster.ControlKey(key.Int16(), s.observe)
	}
}

func (s *signs) note(member string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last[member] = time.Now()
}

// of returns when a member was last heard of, the zero time if it never was.
func (s *signs) of(member string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[member]
}

// keep forgets the members that are in no group.
func (s *signs) keep(members map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.last, func(member string, _ time.Time) bool { return !members[member] })
}

// goneFor is how long a member may be silent whose connection is closed before it is removed. It is
// longer than the session timeouts of the clients here, so that the broker removes the members that
// it can remove itself.
const goneFor = 8 * time.Second

// removeLost removes members whose process is gone from their consumer groups: the connection with
// which they joined is closed, and nothing was heard of them for a while. The broker does so itself
// when a session times out, except for a member whose connection broke while it was waiting for the
// answer to its join: the session of that member never begins, and its share of the partitions
// would never be assigned to anybody else. A member that has only changed its connection sends
// heartbeats over another one and stays. So does one that is frozen: its connection stays open.
func removeLost(ctx context.Context, client *kgo.Client, open *connections, heard *signs, after time.Duration, log *slog.Logger) {
	gone := map[string]time.Time{} // since when the connection is known to be closed
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
		closed, all := map[string]time.Time{}, map[string]bool{}
		for _, g := range groups {
			for _, m := range g.Members {
				all[m.MemberID] = true
				if open.has(m.ClientHost) {
					continue
				}
				closed[m.MemberID] = time.Now()
				if since, known := gone[m.MemberID]; known {
					closed[m.MemberID] = since
				}
				if time.Since(closed[m.MemberID]) >= after && time.Since(heard.of(m.MemberID)) >= after {
					remove(ctx, client, g.Group, m.MemberID, log)
				}
			}
		}
		gone = closed
		heard.keep(all)
	}
}

func remove(ctx context.Context, client *kgo.Client, group, member string, log *slog.Logger) {
	log.Warn("removing a group member whose connection is closed", "group", group, "member", member)
	if err := leave(ctx, client, group, member); err != nil {
		log.Warn("group member not removed", "member", member, "error", err.Error())
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
