package stage

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
)

// controls are the actions on one instance.
var controls = map[string]func(*Stage, context.Context, *cluster.Service) error{
	"stop":   (*Stage).stopOne,
	"kill":   (*Stage).kill,
	"freeze": (*Stage).freeze,
	"cut":    (*Stage).cut,
	"back":   (*Stage).back,
}

const stopIn = 10 * time.Second

func (s *Stage) stopOne(ctx context.Context, x *cluster.Service) error {
	if s.isFrozen(x.Name()) { // a frozen process does not see the signal
		if err := s.resume(x); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, stopIn)
	defer cancel()
	s.mark(s.down, x.Name(), true)
	if err := x.Stop(ctx); err != nil {
		return err
	}
	s.harmed(x, "stop")
	return nil
}

func (s *Stage) kill(_ context.Context, x *cluster.Service) error {
	s.mark(s.down, x.Name(), true)
	s.mark(s.frozen, x.Name(), false)
	if err := x.Kill(); err != nil {
		return err
	}
	s.harmed(x, "kill")
	return nil
}

func (s *Stage) freeze(_ context.Context, x *cluster.Service) error {
	if err := x.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	s.mark(s.frozen, x.Name(), true)
	s.harmed(x, "freeze")
	return nil
}

func (s *Stage) cut(_ context.Context, x *cluster.Service) error {
	s.o.Network.Cut(x.Name(), true)
	s.harmed(x, "cut")
	return nil
}

// back undoes what was done to an instance and waits until it is ready.
func (s *Stage) back(ctx context.Context, x *cluster.Service) error {
	if s.o.Network != nil {
		s.o.Network.Cut(x.Name(), false)
	}
	if s.isFrozen(x.Name()) {
		if err := s.resume(x); err != nil {
			return err
		}
	}
	if !x.Running() {
		if err := cluster.StartReady(ctx, x.Process); err != nil {
			return err
		}
	}
	s.mark(s.down, x.Name(), false)
	if err := s.ready(ctx, x); err != nil {
		return err
	}
	s.harmed(x, "back")
	return nil
}

// Harm is what was done to an instance, for the paths of the requests that it interrupts.
type Harm struct {
	On   string `json:"on"`   // instance
	What string `json:"what"` // name of the control
}

func (s *Stage) harmed(x *cluster.Service, what string) {
	s.o.Feed.Add("harm", Harm{On: x.Name(), What: what})
}

func (s *Stage) resume(x *cluster.Service) error {
	s.mark(s.frozen, x.Name(), false)
	return x.Signal(syscall.SIGCONT)
}

func (s *Stage) mark(set map[string]bool, name string, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on {
		set[name] = true
	} else {
		delete(set, name)
	}
}

func (s *Stage) isFrozen(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.frozen[name]
}

// undo brings every instance back to which an action has done something.
func (s *Stage) undo(ctx context.Context) error {
	if s.o.Cluster.Attached() {
		return nil
	}
	var errs []error
	for _, x := range s.o.Cluster.Services() {
		s.mu.Lock()
		touched := s.frozen[x.Name()] || s.down[x.Name()] || s.o.Network != nil && s.o.Network.IsCut(x.Name())
		s.mu.Unlock()
		if touched {
			errs = append(errs, s.back(ctx, x))
		}
	}
	return errors.Join(errs...)
}

// thaw resumes frozen instances and ends the isolation of others, so that they can be stopped.
func (s *Stage) thaw() error {
	var errs []error
	for _, x := range s.o.Cluster.Services() {
		if s.isFrozen(x.Name()) {
			errs = append(errs, s.resume(x))
		}
		if s.o.Network != nil {
			s.o.Network.Cut(x.Name(), false)
		}
	}
	return errors.Join(errs...)
}

const readyIn = 40 * time.Second

// ready waits until an instance is ready.
func (s *Stage) ready(ctx context.Context, x *cluster.Service) error {
	ctx, cancel := context.WithTimeout(ctx, readyIn)
	defer cancel()
	for {
		err := s.isReady(ctx, x)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", x.Name(), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
