package publication

import (
	"context"
	"log/slog"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// takePart is a member of the consumer group that chooses the instance that delivers, and delivers
// while this one is chosen, until ctx is done. The group assigns the log's one partition; nothing
// is read through it.
func (p *Publication[S, B]) takePart(ctx context.Context) {
	chosen := make(chan bool, 16)
	client, err := p.join(ctx, chosen)
	if err != nil {
		p.log.Error("the subscriber's client options are not usable", "error", err)
		<-ctx.Done()
		return
	}
	defer client.Close()
	stop := func() {}
	defer func() { stop() }()
	for {
		select {
		case <-ctx.Done():
			return
		case yes := <-chosen:
			stop()
			stop = func() {}
			if yes {
				stop = p.start(ctx)
			}
		}
	}
}

// join joins the group. Whether this instance is chosen is sent to chosen, until ctx is done.
func (p *Publication[S, B]) join(ctx context.Context, chosen chan<- bool) (*kgo.Client, error) {
	log := p.source.Topic
	tell := func(yes bool) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, client *kgo.Client, parts map[string][]int32) {
			if len(parts[log]) == 0 {
				return
			}
			client.PauseFetchTopics(log)
			select {
			case chosen <- yes:
			case <-ctx.Done():
			}
		}
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, p.source.ClientOptions...),
		kgo.ConsumerGroup(p.cfg.Group), kgo.ConsumeTopics(log), kgo.DisableAutoCommit(),
		kgo.SessionTimeout(p.cfg.SessionTimeout), kgo.HeartbeatInterval(p.cfg.SessionTimeout/4),
		// Half the session: the embedded broker forgets a member that waits in a join for longer
		// than its session, and never answers it. Closing the client waits for that answer.
		kgo.RebalanceTimeout(p.cfg.SessionTimeout/2),
		kgo.WithHooks(groupErrors{p.log}),
		kgo.OnPartitionsAssigned(tell(true)), kgo.OnPartitionsRevoked(tell(false)), kgo.OnPartitionsLost(tell(false)),
	)...)
	if err == nil {
		client.PauseFetchTopics(log)
	}
	return client, err
}

// groupErrors logs why an instance is not in the group: without the right to the group nothing
// would be delivered, and nothing would say so.
type groupErrors struct{ log *slog.Logger }

// OnGroupManageError implements kgo.HookGroupManageError.
func (g groupErrors) OnGroupManageError(err error) {
	g.log.Warn("not in the group that chooses which instance delivers; trying again", "error", err.Error())
}

// start delivers in the background; stop ends that and waits for its end.
func (p *Publication[S, B]) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	work.Go(func() { p.run(ctx) })
	return func() { cancel(); work.Wait() }
}
