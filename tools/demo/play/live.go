package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/demo/story"
	"github.com/deferpay/deferpay/tools/live"
	"github.com/deferpay/deferpay/tools/live/link"
	"github.com/deferpay/deferpay/tools/live/stage"
	"github.com/deferpay/deferpay/tools/process"
)

// playShown plays the story with the live view on it.
func playShown(ctx context.Context, o story.Options, addr string) error {
	view, links := live.New(), link.New()
	defer links.Close()
	o.Transport, o.Link = view.Transport(), links.Connect
	var s *stage.Stage
	release := func() {}
	o.Started = func(_ context.Context, c *cluster.Cluster) (err error) {
		if s, err = attach(view, c, links); err == nil {
			release = s.Busy("story")
		}
		return err
	}
	o.OnStep = func(p story.Progress) { s.OnStep(p) }
	o.BeforeStop = func(context.Context, story.Addresses) error { release(); return nil }
	ctx, end := context.WithCancel(ctx)
	defer end()
	l, err := live.Listen(addr)
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- view.Serve(ctx, l, addr) }()
	o.View = "http://" + l.Addr().String() + "/"
	fmt.Printf("  · the live view is on %s\n", o.View)
	o.OnStop = view.Detach
	err = story.Play(ctx, o)
	end()
	return errors.Join(err, <-served)
}

func attach(view *live.View, c *cluster.Cluster, links *link.Links) (*stage.Stage, error) {
	root, err := process.Root()
	if err != nil {
		return nil, err
	}
	return view.Attach(live.System{Cluster: c, Network: links, Specs: filepath.Join(root, "specs")})
}

// serve starts the system with the live view on it, whose buttons play the story, until ctx ends.
func serve(ctx context.Context, o story.Options, addr string) (err error) {
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "deferpay-live-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.Dir)) }()
	}
	t := &theatre{o: o, view: live.New()}
	t.view.Restart = func() error { return t.restart(ctx) }
	l, err := live.Listen(addr)
	if err != nil {
		return err
	}
	fmt.Printf("  · the live view is on http://%s/ (Ctrl-C ends it)\n", l.Addr())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return t.view.Serve(ctx, l, addr) })
	g.Go(func() error {
		if err := t.open(ctx); err != nil {
			return err
		}
		<-ctx.Done()
		return t.close()
	})
	return g.Wait()
}

// theatre is a system with its live view. It can be closed and opened again.
type theatre struct {
	o    story.Options
	view *live.View

	mu     sync.Mutex
	plays  int // number of systems that were started
	system *cluster.Cluster
	links  *link.Links
	closed bool
}

// open starts a system and shows it.
func (t *theatre) open(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.start(ctx)
}

func (t *theatre) start(ctx context.Context) error {
	if t.closed {
		return context.Canceled
	}
	t.plays++
	dir := filepath.Join(t.o.Dir, fmt.Sprint(t.plays))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	t.links = link.New()
	progress := func(format string, args ...any) { fmt.Printf("  · "+format+"\n", args...) }
	c, err := cluster.Start(ctx, cluster.Options{Dir: dir, Bin: t.o.Bin, Brokers: t.o.Brokers, Registry: t.o.Registry, Link: t.links.Connect, Progress: progress})
	if err != nil {
		t.links.Close()
		return err
	}
	t.system = c
	for _, s := range c.Services() {
		progress("%s is ready on %s", s.Name(), s.URL)
	}
	_, err = attach(t.view, c, t.links)
	return err
}

// stop stops the system. The caller must hold t.mu.
func (t *theatre) stop() error {
	if t.system == nil {
		return nil
	}
	t.view.Detach()
	err := t.system.Stop()
	t.links.Close()
	t.system = nil
	return err
}

// restart replaces the system by a new one.
func (t *theatre) restart(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.Join(t.stop(), t.start(ctx))
}

func (t *theatre) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	return t.stop()
}
