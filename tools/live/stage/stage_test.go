package stage

import (
	"errors"
	"net/http"
	"testing"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/live/feed"
)

// attached returns a stage for a system that others have started, and that is away.
func attached(t *testing.T) *Stage {
	t.Helper()
	c := cluster.Attach([]string{"127.0.0.1:1"}, "http://127.0.0.1:1", "http://127.0.0.1:1", []string{"http://127.0.0.1:1", "http://127.0.0.1:1"}, make([]string, 3))
	s := New(Options{Cluster: c, Transport: http.DefaultTransport, Feed: feed.New(100), Changed: func() {},
		Newest: func(string) (int32, int64, bool) { return 0, 0, false }})
	t.Cleanup(s.Close)
	return s
}

func TestOneActionAtATime(t *testing.T) {
	s := attached(t)
	release := s.Busy("story")
	var busy BusyError
	if err := s.Do("buy", "", 0); !errors.As(err, &busy) || busy.With != "story" {
		t.Errorf("while the story is played: %v", err)
	}
	if err := s.Do("step", "", 2); !errors.As(err, &busy) || busy.With != "story" {
		t.Errorf("a second story: %v", err)
	}
	release()
	if err := s.Do("buy", "", 0); err != nil {
		t.Errorf("after the story: %v", err)
	}
	s.done.Wait()
	if got := s.State().Busy; got != "" {
		t.Errorf("busy with %q after the action has ended", got)
	}
}

func TestProcessesOfOthers(t *testing.T) {
	s := attached(t)
	for name := range controls {
		if err := s.Do(name, "billing-1", 0); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", name, err)
		}
		if got := s.State().Unavailable[name]; got != NoProcesses {
			t.Errorf("%s is unavailable because of %q", name, got)
		}
	}
	for _, name := range []string{"month", "crash"} {
		if err := s.Do(name, "", 0); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s on a system of others: %v", name, err)
		}
	}
	if err := s.Do("step", "", s.State().Playable+1); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a step that stops processes: %v", err)
	}
}

func TestUnknownActions(t *testing.T) {
	s := attached(t)
	for _, c := range []struct {
		name, on string
		number   int
	}{{"nonsense", "", 0}, {"kill", "billing-9", 0}, {"kill", "", 0}, {"step", "", 0}, {"step", "", 99}} {
		if err := s.Do(c.name, c.on, c.number); !errors.Is(err, ErrUnknown) {
			t.Errorf("%+v: %v, want ErrUnknown", c, err)
		}
	}
}

// TestClockBelongsToTheStory checks that nobody moves the clock between two steps of the story.
func TestClockBelongsToTheStory(t *testing.T) {
	s := attached(t)
	s.o.Cluster = &cluster.Cluster{} // started for the stage
	for played, want := range map[int]string{0: "", 1: StoryRuns, 30: StoryRuns, 31: ""} {
		s.played = played
		if got := s.State().Unavailable["month"]; got != want {
			t.Errorf("after %d steps the clock is unavailable because of %q, want %q", played, got, want)
		}
	}
}
