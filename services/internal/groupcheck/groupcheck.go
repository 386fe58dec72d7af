// Package groupcheck asks whether an instance may be in its consumer groups: without the right its
// handlers would never get a message, and nothing would fail. The services' front packages import
// it.
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
)

// Check asks for the right to groups, again and again: rights can be taken away. An instance that
// never had them is set up wrongly and is not to serve; one that had them goes on without, for what
// it decides needs no group: only what it publishes and takes in waits, and Denied tells.
type Check struct {
	Client []kgo.Opt
	Groups []string
	// Explain, when not nil, adds to an error of the connection what to look at.
	Explain func(error) error
	Logger  *slog.Logger

	reason  atomic.Pointer[error] // what was found last; nil: nothing yet
	allowed atomic.Bool           // all was well once
}

const (
	askIn    = 5 * time.Second // for the broker to answer
	minPause = 250 * time.Millisecond
	maxPause = time.Second
	again    = 5 * time.Second // after all was well
)

var errUnchecked = errors.New("it has not been asked yet whether this instance may be in its consumer groups")

// Ready is nil once this instance was found to be allowed into all of its groups. Until then it
// names a group and the right that is missing.
func (c *Check) Ready() error {
	if c.allowed.Load() {
		return nil
	}
	return c.found()
}

// Denied says whether a right is missing now.
func (c *Check) Denied() bool { return errors.Is(c.found(), kerr.GroupAuthorizationFailed) }

// found is what was found last.
func (c *Check) found() error {
	if reason := c.reason.Load(); reason != nil {
		return *reason
	}
	return errUnchecked
}

// Run asks until ctx ends. A broker that does not answer any more takes back nothing: rights are as
// they were.
func (c *Check) Run(ctx context.Context) error {
	client, err := kgo.NewClient(c.Client...)
	if err != nil {
		return err
	}
	defer client.Close()
	for pause := minPause; ; {
		err := c.ask(ctx, client)
		if known := err == nil || errors.Is(err, kerr.GroupAuthorizationFailed); known || c.found() != nil {
			c.tell(ctx, err)
		}
		wait := again
		if c.found() != nil {
			wait, pause = pause, min(2*pause, maxPause)
		} else {
			pause = minPause
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// ask sends, for each group, what a member sends all the time, as somebody who is none: it changes
// nothing, and the broker looks first whether who asks has a member's right.
func (c *Check) ask(ctx context.Context, client *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, askIn)
	defer cancel()
	for _, group := range c.Groups {
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

// isAnswer says whether the broker has looked at the rights, and then found that there is no such
// member.
func isAnswer(err error) bool {
	for _, e := range []error{kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.GroupIDNotFound, kerr.RebalanceInProgress} {
		if errors.Is(err, e) {
			return true
		}
	}
	return err == nil
}

func (c *Check) explain(err error) error {
	if c.Explain == nil {
		return err
	}
	return c.Explain(err)
}

// tell keeps what was found, and logs it when it is something else than before.
func (c *Check) tell(ctx context.Context, reason error) {
	if reason == nil {
		c.allowed.Store(true)
	}
	before := c.reason.Swap(&reason)
	known := before != nil && *before != nil
	switch {
	case ctx.Err() != nil:
	case reason == nil && known:
		c.Logger.InfoContext(ctx, "this instance may be in all of its groups")
	case reason != nil && (!known || (*before).Error() != reason.Error()):
		c.Logger.WarnContext(ctx, "groups may not be joined, asking again", "error", reason.Error())
	}
}
