// Package groupcheck asks whether an instance may be in its consumer groups. Without the right its
// handlers would never get a message, and nothing would fail. Package instance imports it.
package groupcheck

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/deferpay/deferpay/services/internal/check"
)

// Check asks for the right to groups again and again, since rights can be taken away. An instance
// that never had them is set up wrongly and does not serve. One that had them goes on without: what
// it decides needs no group, only what it publishes and receives waits, and Denied reports it.
type Check struct {
	check   check.Question
	groups  []string
	explain func(error) error
	allowed atomic.Bool // all was well once
}

// again is how long after a good answer the rights are asked for again.
const again = 5 * time.Second

// New returns a check of an instance's groups. Explain, unless it is nil, adds to an error of the
// connection what to look at.
func New(client []kgo.Opt, groups []string, explain func(error) error, logger *slog.Logger) *Check {
	if explain == nil {
		explain = func(err error) error { return err }
	}
	return &Check{groups: groups, explain: explain, check: check.Question{
		Client: client, Again: again, Logger: logger, Unasked: errors.New("the right to the consumer groups was not asked for yet"),
		Good: "this instance may be in all of its groups", Bad: "groups may not be joined, asking again",
	}}
}

// Ready returns nil once this instance was found to be allowed into all of its groups. Until then
// the error names a group and the right that is missing.
func (c *Check) Ready() error {
	if c.allowed.Load() {
		return nil
	}
	return c.check.Reason()
}

// Denied reports whether a right is missing now.
func (c *Check) Denied() bool { return errors.Is(c.check.Reason(), kerr.GroupAuthorizationFailed) }

// Run asks until ctx ends.
func (c *Check) Run(ctx context.Context) error {
	return c.check.Run(ctx, func(ctx context.Context, client *kgo.Client) error {
		err := c.ask(ctx, client)
		switch {
		case err == nil:
			c.allowed.Store(true)
		case c.check.Reason() == nil && !errors.Is(err, kerr.GroupAuthorizationFailed):
			return nil // a broker that does not answer takes no right back
		}
		return err
	})
}

// ask sends a heartbeat to each group, as a client that is not a member of it. That changes
// nothing, and the broker first checks whether the client has a member's right.
func (c *Check) ask(ctx context.Context, client *kgo.Client) error {
	for _, group := range c.groups {
		request := kmsg.NewPtrHeartbeatRequest()
		request.Group, request.MemberID, request.Generation = group, "nobody", -1
		response, err := request.RequestWith(ctx, client)
		if err == nil {
			err = kerr.ErrorForCode(response.ErrorCode)
		}
		switch {
		case errors.Is(err, kerr.GroupAuthorizationFailed):
			return fmt.Errorf("the right READ on the group %s is missing, so this instance cannot take its part: %w", group, c.explain(err))
		case isAnswer(err):
		default:
			return fmt.Errorf("ask for the right to the group %s: %w", group, c.explain(err))
		}
	}
	return nil
}

// isAnswer reports whether the broker has checked the rights, and then found that there is no such
// member.
func isAnswer(err error) bool {
	for _, e := range []error{kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.GroupIDNotFound, kerr.RebalanceInProgress} {
		if errors.Is(err, e) {
			return true
		}
	}
	return err == nil
}
