package embedded

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const patience = 30 * time.Second

func client(t *testing.T, k *Kafka, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(k.Broker)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// members waits until a group is stable with the given number of members.
func members(t *testing.T, c *kgo.Client, group string, want int) {
	t.Helper()
	var last kadm.DescribedGroup
	// a broker does not notify
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if last = describe(t, c, group); last.State == "Stable" && len(last.Members) == want {
			return
		}
	}
	t.Fatalf("group is %s with %d members, want %d", last.State, len(last.Members), want)
}

func describe(t *testing.T, c *kgo.Client, group string) kadm.DescribedGroup {
	t.Helper()
	groups, err := kadm.NewClient(c).DescribeGroups(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	return groups[group]
}

// joining returns a request to join a group that reads the topic t.
func joining(group string, session time.Duration) *kmsg.JoinGroupRequest {
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.ProtocolType = group, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(session.Milliseconds()), 3000
	subscribed := kmsg.NewConsumerMemberMetadata()
	subscribed.Topics = []string{"t"}
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "cooperative-sticky", subscribed.AppendTo(nil)
	req.Protocols = append(req.Protocols, p)
	return req
}

// join sends a request to join a group and closes its connection before the answer.
func join(t *testing.T, k *Kafka, group string) {
	t.Helper()
	c := client(t, k)
	req := joining(group, 6*time.Second)
	resp, err := req.RequestWith(t.Context(), c)
	if err != nil || kerr.ErrorForCode(resp.ErrorCode) != kerr.MemberIDRequired {
		t.Fatal(err, kerr.ErrorForCode(resp.ErrorCode))
	}
	req.MemberID = resp.MemberID
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _ = req.RequestWith(ctx, c)
	c.Close()
}

func start(t *testing.T, gone time.Duration) *Kafka {
	t.Helper()
	k, err := Start(t.Context(), Config{Broker: "127.0.0.1:0", Registry: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), gone: gone})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	if _, err := kadm.NewClient(client(t, k)).CreateTopic(t.Context(), 1, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	return k
}

// A client of franz-go whose connection was closed because it was idle sends its heartbeats over
// another one. It keeps its partitions.
func TestIdleMemberStays(t *testing.T) {
	t.Parallel()
	k := start(t, time.Second)
	var assigned, lost atomic.Int64
	live := client(t, k, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.ConnIdleTimeout(100*time.Millisecond),
		kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(700*time.Millisecond),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) { assigned.Add(1) }),
		kgo.OnPartitionsRevoked(func(context.Context, *kgo.Client, map[string][]int32) { lost.Add(1) }),
		kgo.OnPartitionsLost(func(context.Context, *kgo.Client, map[string][]int32) { lost.Add(1) }))
	admin := client(t, k)
	members(t, admin, "g", 1)
	first, _ := live.GroupMetadata()
	time.Sleep(5 * time.Second) // it must stay for several times as long as a lost member
	members(t, admin, "g", 1)
	if now, _ := live.GroupMetadata(); now != first || assigned.Load() != 1 || lost.Load() != 0 {
		t.Errorf("member %s is %s now; partitions were assigned %d times and lost %d times", first, now, assigned.Load(), lost.Load())
	}
}

// A member that is silent for less than its session stays, because its process may be frozen. When
// its connection is closed too, it is removed.
func TestSilentMemberStays(t *testing.T) {
	t.Parallel()
	k := start(t, time.Second)
	c, admin := client(t, k), client(t, k)
	req, generation := joining("g", 20*time.Second), int32(0)
	for range 2 {
		resp, err := req.RequestWith(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		req.MemberID = resp.MemberID
		generation = resp.Generation
	}
	sync := kmsg.NewPtrSyncGroupRequest()
	sync.Group, sync.MemberID, sync.Generation = "g", req.MemberID, generation
	if _, err := sync.RequestWith(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	time.Sleep(4 * time.Second)
	if g := describe(t, admin, "g"); len(g.Members) != 1 {
		t.Errorf("%d members while the connection is open", len(g.Members))
	}
	c.Close()
	for deadline := time.Now().Add(10 * time.Second); len(describe(t, admin, "g").Members) != 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the member stays after its connection was closed")
		}
	}
}

// The partitions of a client that dies while it joins are assigned to the others.
func TestMemberLostWhileJoining(t *testing.T) {
	t.Parallel()
	k := start(t, goneFor)
	admin := client(t, k)
	live := client(t, k, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(200*time.Millisecond))
	go func() {
		for !live.PollFetches(t.Context()).IsClientClosed() && t.Context().Err() == nil {
		}
	}()
	members(t, admin, "g", 1)
	join(t, k, "g")
	members(t, admin, "g", 2)
	members(t, admin, "g", 1)
}
