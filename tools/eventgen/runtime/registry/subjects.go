package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/twmb/franz-go/pkg/sr"
)

// Subject is a schema and the name under which it is registered.
type Subject struct {
	Name   string
	Schema string // self-contained
}

// Result is what Register did or Check found for one subject.
type Result struct {
	Subject string
	ID      int    // if it is registered
	State   string // registered, unchanged, new, changed, incompatible
	Detail  string // the incompatibility
}

// Register registers every schema under its subject. It also sets the compatibility level of the
// subject, so that the registry refuses schemas that readers could not read. It is idempotent. It
// stops at the first error; the subjects before it stay registered.
func (c *Client) Register(ctx context.Context, subjects []Subject, level string) ([]Result, error) {
	var l sr.CompatibilityLevel
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("compatibility level %q: %w", level, explain(err))
	}
	var out []Result
	for _, s := range subjects {
		r, err := c.register(ctx, s, l)
		if err != nil {
			return out, fmt.Errorf("register %s: %w", s.Name, err)
		}
		out = append(out, r)
	}
	return out, nil
}

func (c *Client) register(ctx context.Context, s Subject, level sr.CompatibilityLevel) (Result, error) {
	before, err := c.ID(ctx, s.Name, s.Schema)
	known := err == nil
	if err != nil && !errors.Is(err, ErrNotRegistered) {
		return Result{}, err
	}
	if err := c.setLevel(ctx, s.Name, level); err != nil {
		return Result{}, err
	}
	if known {
		return Result{Subject: s.Name, ID: before, State: "unchanged"}, nil
	}
	id, err := c.sr.RegisterSchema(ctx, s.Name, typed(s.Schema), -1, -1)
	if err != nil {
		return Result{}, err
	}
	return Result{Subject: s.Name, ID: id, State: "registered"}, nil
}

// setLevel sets the level of a subject, unless it is that already.
func (c *Client) setLevel(ctx context.Context, subject string, level sr.CompatibilityLevel) error {
	if got := c.sr.Compatibility(ctx, subject)[0]; got.Err == nil && got.Level == level {
		return nil
	}
	if got := c.sr.SetCompatibility(ctx, sr.SetCompatibility{Level: level}, subject)[0]; got.Err != nil {
		return fmt.Errorf("set compatibility %s: %w", level, explain(got.Err))
	}
	return nil
}

// Check returns the state of every schema without changing anything: unchanged, new (the subject
// does not exist), changed (and compatible with the registered ones) or incompatible.
func (c *Client) Check(ctx context.Context, subjects []Subject) ([]Result, error) {
	var out []Result
	for _, s := range subjects {
		r, err := c.check(ctx, s)
		if err != nil {
			return out, fmt.Errorf("check %s: %w", s.Name, explain(err))
		}
		out = append(out, r)
	}
	return out, nil
}

func (c *Client) check(ctx context.Context, s Subject) (Result, error) {
	id, err := c.ID(ctx, s.Name, s.Schema)
	if err == nil {
		return Result{Subject: s.Name, ID: id, State: "unchanged"}, nil
	}
	if !errors.Is(err, ErrNotRegistered) {
		return Result{}, err
	}
	if _, err := c.sr.SubjectVersions(ctx, s.Name); isStatus(err, http.StatusNotFound) {
		return Result{Subject: s.Name, State: "new"}, nil
	} else if err != nil {
		return Result{}, err
	}
	const all = -2 // against the versions that the level of the subject requires
	got, err := c.sr.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), s.Name, all, typed(s.Schema))
	if err != nil {
		return Result{}, err
	}
	r := Result{Subject: s.Name, State: "changed"}
	if !got.Is {
		r.State = "incompatible"
		for _, m := range got.Messages {
			r.Detail += m + "\n"
		}
	}
	return r, nil
}
