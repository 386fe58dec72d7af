package groupcheck

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/deferpay/deferpay/services/internal/waittest"
)

const patience = 20 * time.Second

// TestDeniedGroup lets the broker deny one of two groups, at first and again later. An instance
// that never had the right is not ready; one that had it goes on serving and logs what it lacks.
func TestDeniedGroup(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	var denied atomic.Bool
	denied.Store(true)
	cluster.ControlKey(int16(kmsg.Heartbeat), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if q := r.(*kmsg.HeartbeatRequest); q.Group != "x.second" || !denied.Load() {
			return nil, nil, false
		}
		response := r.ResponseKind().(*kmsg.HeartbeatResponse)
		response.ErrorCode = kerr.GroupAuthorizationFailed.Code
		return response, nil, true
	})
	var logged lines
	c := New([]kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, []string{"x.first", "x.second"},
		func(err error) error { return errors.Join(errors.New("look here"), err) }, slog.New(slog.NewTextHandler(&logged, nil)))
	if c.Ready() == nil || c.Denied() {
		t.Errorf("before the first answer: ready %v, denied %v", c.Ready(), c.Denied())
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	waittest.True(t, patience, "denied", c.Denied)
	for _, words := range []string{"READ on the group x.second", "look here"} {
		if err := c.Ready(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("want %q in %v", words, err)
		}
	}
	denied.Store(false)
	waittest.True(t, patience, "ready", func() bool { return c.Ready() == nil })
	if c.Denied() {
		t.Error("denied while it is ready")
	}
	told := strings.Count(logged.String(), "READ on the group x.second")
	denied.Store(true)
	waittest.True(t, patience, "denied again", c.Denied)
	if err := c.Ready(); err != nil {
		t.Errorf("not ready any more: %v", err)
	}
	waittest.True(t, patience, "told again", func() bool { return strings.Count(logged.String(), "READ on the group x.second") > told })
	denied.Store(false)
	waittest.True(t, patience, "allowed again", func() bool { return !c.Denied() })
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestRightsOutliveTheBroker checks that an absent broker takes no right back.
func TestRightsOutliveTheBroker(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	options := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	client, err := kgo.NewClient(options...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	c := New(nil, []string{"x"}, nil, slog.New(slog.DiscardHandler))
	if err := c.ask(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	cluster.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err = c.ask(ctx, client)
	if err == nil || errors.Is(err, kerr.GroupAuthorizationFailed) || !strings.Contains(err.Error(), "group x") {
		t.Errorf("got %v", err)
	}
}

// lines is a log that may be read while it is written.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
