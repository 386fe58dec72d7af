// Package stage does what the buttons of the live view ask for: it plays the steps of the story,
// stops, kills, freezes and isolates the processes of the system, and plays scenes with faults in
// them. It does one thing at a time. The live view imports it.
package stage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/demo/story"
	"github.com/deferpay/deferpay/tools/live/feed"
)

// Network cuts instances off from the broker and the registry.
type Network interface {
	Cut(instance string, cut bool)
	IsCut(instance string) bool
}

// Options describe a stage.
type Options struct {
	Cluster   *cluster.Cluster
	Network   Network // nil if instances cannot be cut off
	Specs     string  // see story.Options
	Transport http.RoundTripper
	Feed      *feed.Feed
	// Newest returns where the newest message of a topic is; ok is false if there is none.
	Newest func(topic string) (partition int32, offset int64, ok bool)
	// Changed is called when the state of the stage has changed. It may call State.
	Changed func()
}

// Stage controls a system. Its methods are safe for concurrent use.
type Stage struct {
	o      Options
	client *http.Client
	ctx    context.Context
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	busy   string          // action that is running, or ""
	frozen map[string]bool // instances that were frozen
	down   map[string]bool // instances that were stopped or killed
	player *story.Player
	step   int    // that is being played, from 1; 0 for none
	played int    // steps
	failed string // why the story cannot go on

	guest guest
	keys  int
}

// New returns a stage for a system that is ready.
func New(o Options) *Stage {
	ctx, stop := context.WithCancel(context.Background())
	return &Stage{o: o, client: &http.Client{Transport: o.Transport, Timeout: 12 * time.Second}, ctx: ctx, stop: stop,
		frozen: map[string]bool{}, down: map[string]bool{}}
}

// Close ends the action that is running, and lets frozen and isolated instances go on.
func (s *Stage) Close() {
	s.stop()
	s.done.Wait()
	if s.player != nil {
		s.player.Close()
	}
	if err := s.thaw(); err != nil {
		s.o.Feed.Add("action", Report{Name: "back", Phase: "failed", Text: err.Error()})
	}
}

// Report is the beginning or the end of an action, for the feed.
type Report struct {
	Name  string `json:"name"`
	On    string `json:"on,omitempty"` // instance
	Phase string `json:"phase"`        // "begun", "done" or "failed"
	Text  string `json:"text,omitempty"`
}

// BusyError is returned while another action is running.
type BusyError struct{ With string }

func (e BusyError) Error() string { return "busy with " + e.With }

// ErrUnknown is returned for an action that there is not.
var ErrUnknown = errors.New("unknown action")

// ErrUnavailable is returned for an action that this system does not allow at the moment.
var ErrUnavailable = errors.New("not available")

// Do begins an action and returns. The parameter on is the instance that it is about, if any. For a
// step, number is the last step to play.
func (s *Stage) Do(name, on string, number int) error {
	run, err := s.find(name, on, number)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy != "" {
		return BusyError{s.busy}
	}
	why := s.unavailable(name)
	if name == "step" && number > s.playable() {
		why = NoProcesses
	}
	if why != "" {
		return fmt.Errorf("%w: %s", ErrUnavailable, why)
	}
	if err := s.ctx.Err(); err != nil {
		return err
	}
	s.busy = name
	s.done.Go(func() { s.perform(name, on, run) })
	return nil
}

// perform runs an action and reports it to the feed.
func (s *Stage) perform(name, on string, run func(context.Context) error) {
	ctx, cancel := context.WithTimeout(s.ctx, 10*time.Minute)
	defer cancel()
	s.o.Changed()
	s.o.Feed.Add("action", Report{Name: name, On: on, Phase: "begun"})
	report := Report{Name: name, On: on, Phase: "done"}
	if err := run(ctx); err != nil {
		report.Phase, report.Text = "failed", err.Error()
	}
	s.mu.Lock()
	s.busy = ""
	s.mu.Unlock()
	s.o.Feed.Add("action", report)
	s.o.Changed()
}

// find returns what an action does.
func (s *Stage) find(name, on string, number int) (func(context.Context) error, error) {
	if name == "step" {
		if number < 1 || number > len(story.Steps()) {
			return nil, fmt.Errorf("%w: step %d", ErrUnknown, number)
		}
		return func(ctx context.Context) error { return s.playTo(ctx, number) }, nil
	}
	if scene, ok := scenes[name]; ok {
		return func(ctx context.Context) error { return scene(s, ctx) }, nil
	}
	control, ok := controls[name]
	i := slices.IndexFunc(s.o.Cluster.Services(), func(x *cluster.Service) bool { return x.Name() == on })
	if !ok || i < 0 {
		return nil, fmt.Errorf("%w: %s on %q", ErrUnknown, name, on)
	}
	return func(ctx context.Context) error { return control(s, ctx, s.o.Cluster.Services()[i]) }, nil
}

// Why an action is not available. The page has words for each of them.
const (
	NoProcesses = "no-processes" // others have started the system
	StoryRuns   = "story-runs"   // the story moves the clock itself
	StoryFailed = "story-failed"
	StoryOver   = "story-over"
)

// unavailable returns why an action is not available, or "". The caller must hold s.mu.
func (s *Stage) unavailable(name string) string {
	_, control := controls[name]
	switch {
	case (control || name == "month" || name == "crash") && s.o.Cluster.Attached():
		return NoProcesses
	case name == "cut" && s.o.Network == nil:
		return NoProcesses
	case name == "month" && s.played > 0 && s.played < len(story.Steps()):
		return StoryRuns
	case name == "step" && s.failed != "":
		return StoryFailed
	case name == "step" && s.played == len(story.Steps()):
		return StoryOver
	case name == "step" && s.played == s.playable():
		return NoProcesses
	}
	return ""
}

// playable returns the number of steps that can be played on this system.
func (s *Stage) playable() int {
	if s.o.Cluster.Attached() {
		return story.WithoutProcesses
	}
	return len(story.Steps())
}

// State is what the page shows of the stage.
type State struct {
	Busy        string            `json:"busy"`
	Unavailable map[string]string `json:"unavailable"` // action to the reason
	Frozen      []string          `json:"frozen"`
	Down        []string          `json:"down"`
	Cut         []string          `json:"cut"`
	Step        int               `json:"step"` // that is being played, or 0
	Played      int               `json:"played"`
	Playable    int               `json:"playable"`         // steps, see playable
	Failed      string            `json:"failed,omitempty"` // why the story cannot go on
	Ahead       float64           `json:"ahead"`            // of the clock, in seconds
}

// State returns the present state.
func (s *Stage) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := State{Busy: s.busy, Unavailable: map[string]string{}, Frozen: []string{}, Down: []string{}, Cut: []string{},
		Step: s.step, Played: s.played, Playable: s.playable(), Failed: s.failed, Ahead: s.o.Cluster.Ahead().Seconds()}
	for _, name := range Actions() {
		if why := s.unavailable(name); why != "" {
			out.Unavailable[name] = why
		}
	}
	for _, x := range s.o.Cluster.Services() {
		name := x.Name()
		if s.frozen[name] {
			out.Frozen = append(out.Frozen, name)
		}
		if !x.Running() && !s.o.Cluster.Attached() {
			out.Down = append(out.Down, name)
		}
		if s.o.Network != nil && s.o.Network.IsCut(name) {
			out.Cut = append(out.Cut, name)
		}
	}
	return out
}

// Actions returns the names of all actions.
func Actions() []string {
	out := []string{"step"}
	for name := range scenes {
		out = append(out, name)
	}
	for name := range controls {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// OnStep keeps the progress of the story and adds it to the feed.
func (s *Stage) OnStep(p story.Progress) {
	s.mu.Lock()
	s.step = p.Number
	if p.Ended {
		s.step = 0
		if p.Err == nil {
			s.played = p.Number
		} else {
			s.failed = p.Err.Error()
		}
	}
	s.mu.Unlock()
	body := map[string]any{"number": p.Number, "ended": p.Ended}
	if p.Err != nil {
		body["fault"] = p.Err.Error()
	}
	s.o.Feed.Add("step", body)
	s.o.Changed()
}

// playTo plays the story up to a step. It undoes the faults first, because a step needs the whole
// system.
func (s *Stage) playTo(ctx context.Context, number int) error {
	if err := s.undo(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	player := s.player
	s.mu.Unlock()
	if player == nil {
		o := story.Options{Specs: s.o.Specs, Transport: s.o.Transport, OnStep: s.OnStep}
		if s.o.Cluster.Kafka == nil { // a broker of others may have records of an earlier story
			o.Brokers = s.o.Cluster.Brokers
		}
		var err error
		if player, err = story.NewPlayer(ctx, o, s.o.Cluster); err != nil {
			return err
		}
		s.mu.Lock()
		s.player = player
		s.mu.Unlock()
	}
	for player.Played() < number {
		if err := player.Next(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Busy marks the stage as busy while somebody else drives the system, until release is called.
func (s *Stage) Busy(with string) (release func()) {
	s.mu.Lock()
	s.busy = with
	s.mu.Unlock()
	s.o.Changed()
	return func() {
		s.mu.Lock()
		s.busy = ""
		s.mu.Unlock()
		s.o.Changed()
	}
}
