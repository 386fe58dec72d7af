package embedded

import (
	"context"
	"log/slog"
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
		groups, err := kadm.NewClient(c).DescribeGroups(t.Context(), group)
		if err != nil {
			t.Fatal(err)
		}
		if last = groups[group]; last.State == "Stable" && len(last.Members) == want {
			return
		}
	}
	t.Fatalf("group is %s with %d members, want %d", last.State, len(last.Members), want)
}

// join sends a request to join a group and closes its connection before the answer.
func join(t *testing.T, k *Kafka, group string) {
	t.Helper()
	c := client(t, k)
	req := kmsg.NewPtrJoinGroupRequest()
	req.Group, req.ProtocolType = group, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = 6000, 3000
	subscribed := kmsg.NewConsumerMemberMetadata()
	subscribed.Topics = []string{"t"}
	p := kmsg.NewJoinGroupRequestProtocol()
	p.Name, p.Metadata = "cooperative-sticky", subscribed.AppendTo(nil)
	req.Protocols = append(req.Protocols, p)
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

// The partitions of a client that dies while it joins are assigned to the others.
func TestMemberLostWhileJoining(t *testing.T) {
	k, err := Start(t.Context(), Config{Broker: "127.0.0.1:0", Registry: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	admin := client(t, k)
	if _, err := kadm.NewClient(admin).CreateTopic(t.Context(), 1, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
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
