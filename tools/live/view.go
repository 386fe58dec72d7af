// Package live is the live view: one page that shows the two services, their logs and the topics
// between them while things happen, with buttons for the steps of the story and for faults. It
// watches the system from outside. The demo and the command tools/live/attach import it; services
// never do.
package live

import (
	"errors"
	"net/http"
	"net/url"
	"sync"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/live/feed"
	"github.com/deferpay/deferpay/tools/live/stage"
	"github.com/deferpay/deferpay/tools/live/watch"
)

// kept is the number of events that a browser can catch up on. The whole story has fewer.
const kept = 4000

// View is the live view of a system. It serves its page before the system is there. Its methods are
// safe for concurrent use.
type View struct {
	feed     *feed.Feed
	recorder *watch.Recorder

	// Restart, if not nil, stops the system and starts another one. It is called by a browser, in a
	// goroutine of its own, and at most once at a time.
	Restart func() error

	mu         sync.Mutex
	phase      string // "starting", "running" or "failed"
	text       string // about the phase
	restarting bool
	system     *cluster.Cluster
	instances  map[string]string // name by host and port
	stage      *stage.Stage
	watch      *watch.Watch
	seen       watch.State
}

// New returns a view of a system that is being started.
func New() *View {
	v := &View{feed: feed.New(kept), phase: "starting"}
	v.recorder = &watch.Recorder{Next: http.DefaultTransport, Feed: v.feed, Name: v.nameOf}
	v.publish()
	return v
}

// Transport returns the transport of requests that are to be shown.
func (v *View) Transport() http.RoundTripper { return v.recorder }

// nameOf returns the name of the instance that listens on an address.
func (v *View) nameOf(host string) string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if name := v.instances[host]; name != "" {
		return name
	}
	return host
}

// System is a running system to show.
type System struct {
	*cluster.Cluster
	Network stage.Network // nil if instances cannot be cut off
	Specs   string        // directory of the schemas of the log records
}

// Attach begins to show a system and to control it. It returns the stage, which the story reports
// its steps to if somebody else plays it.
func (v *View) Attach(sys System) (*stage.Stage, error) {
	instances, names := []watch.Instance{}, map[string]string{}
	for _, x := range sys.Services() {
		service := "billing"
		for _, c := range sys.Contracts {
			if c == x {
				service = "contract"
			}
		}
		u, err := url.Parse(x.URL)
		if err != nil {
			return nil, err
		}
		names[u.Host] = x.Name()
		instances = append(instances, watch.Instance{Name: x.Name(), Service: service, URL: x.URL, Admin: x.Admin})
	}
	v.mu.Lock()
	v.system, v.instances = sys.Cluster, names
	v.mu.Unlock()
	w, err := watch.Open(watch.Options{Brokers: sys.Brokers, Registry: sys.Registry, Specs: sys.Specs, Instances: instances, Feed: v.feed, Publish: v.observed})
	if err != nil {
		return nil, err
	}
	s := stage.New(stage.Options{Cluster: sys.Cluster, Network: sys.Network, Specs: sys.Specs, Transport: v.recorder, Feed: v.feed, Newest: w.Newest, Changed: v.publish})
	v.mu.Lock()
	v.watch, v.stage, v.phase, v.text = w, s, "running", ""
	v.mu.Unlock()
	v.publish()
	return s, nil
}

// Detach stops showing the system, and forgets what was shown.
func (v *View) Detach() {
	v.mu.Lock()
	w, s := v.watch, v.stage
	v.watch, v.stage, v.phase, v.text, v.system = nil, nil, "starting", "", nil
	v.mu.Unlock()
	if s != nil {
		s.Close()
		w.Close()
	}
	v.mu.Lock()
	v.seen = watch.State{}
	v.mu.Unlock()
	v.feed.Restart()
	v.publish()
}

// Failed shows why there is no system.
func (v *View) Failed(err error) {
	v.mu.Lock()
	v.phase, v.text = "failed", err.Error()
	v.mu.Unlock()
	v.publish()
}

func (v *View) observed(s watch.State) {
	v.mu.Lock()
	v.seen = s
	v.mu.Unlock()
	v.publish()
}

// publish sends the present state to the browsers.
func (v *View) publish() {
	v.mu.Lock()
	defer v.mu.Unlock()
	state := map[string]any{"phase": v.phase, "text": v.text, "seen": v.seen, "restartable": v.Restart != nil, "restarting": v.restarting}
	if v.stage != nil {
		state["stage"] = v.stage.State()
	}
	v.feed.SetState(state)
}

var errRestarting = errors.New("the system is being restarted")

// restart begins to restart the system.
func (v *View) restart() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.Restart == nil:
		return stage.ErrUnavailable
	case v.restarting:
		return errRestarting
	}
	v.restarting = true
	go func() {
		if err := v.Restart(); err != nil {
			v.Failed(err)
		}
		v.mu.Lock()
		v.restarting = false
		v.mu.Unlock()
		v.publish()
	}()
	return nil
}
