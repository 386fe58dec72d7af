package story

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/demo/story/internal/flow"
	"github.com/deferpay/deferpay/tools/demo/story/internal/screen"
	"github.com/deferpay/deferpay/tools/observer"
)

// Text is what a step says about itself.
type Text struct {
	Title string `json:"title"`
	Why   string `json:"why"` // may be empty
}

// Steps returns the texts of all steps, in their order.
func Steps() []Text {
	var out []Text
	for _, s := range steps() {
		out = append(out, Text{Title: s.title, Why: s.why})
	}
	return out
}

// WithoutProcesses is the number of steps at the beginning that need no control over the processes
// or the clock: they can be played on a system that others have started.
const WithoutProcesses = 13

// Progress is the beginning or the end of a step.
type Progress struct {
	Number int // of the step, from 1
	Ended  bool
	Err    error // why the step failed
}

// Player plays the story one step at a time, on a system that is running. Others may use the system
// at the same time. Its methods must not be called concurrently.
type Player struct {
	r      *run
	played int
	failed error
}

// NewPlayer returns a player that has played nothing. Of the options it uses Out, Transport,
// Brokers and OnStep.
func NewPlayer(ctx context.Context, o Options, c *cluster.Cluster) (*Player, error) {
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	o.Shared = true
	r, err := newRun(ctx, o, c, &screen.Screen{Out: o.Out})
	if err != nil {
		return nil, err
	}
	return &Player{r: r}, nil
}

// Close releases what the player uses. The system goes on.
func (p *Player) Close() { p.r.seen.Close() }

// Played returns the number of steps that have been played.
func (p *Player) Played() int { return p.played }

// Next plays the next step. Each step builds on those before it, so after a step that failed no
// other can be played.
func (p *Player) Next(ctx context.Context) error {
	all := steps()
	switch {
	case p.failed != nil:
		return p.failed
	case p.played == len(all):
		return errors.New("the whole story has been played")
	case p.r.c.Attached() && p.played == WithoutProcesses:
		return errors.New("the next steps stop processes and move the clock, which takes a system that was started for it")
	}
	if !p.r.goesOn { // what came after the last step is not of the next one
		p.r.flow = flow.New(p.r.seen)
		p.r.flow.Foreign = p.r.foreign
	}
	if err := p.r.playOne(ctx, p.played+1, all[p.played]); err != nil {
		p.failed = err
		return err
	}
	p.played++
	return nil
}

// foreign reports whether a record names a customer or a contract that is not of the story.
func (r *run) foreign(rec observer.Record) bool {
	switch rec.Topic {
	case contractFacts:
		return !slices.Contains(r.owned, rec.Key)
	case billingEvents:
		return rec.Key != r.customer
	}
	return r.namesOthers(rec.Value)
}

func (r *run) namesOthers(v any) bool {
	switch x := v.(type) {
	case map[string]any:
		for name, inner := range x {
			ref, isText := inner.(string)
			if isText && ref != "" && (name == "customerRef" && ref != r.customer || name == "contractRef" && !slices.Contains(r.owned, ref)) || r.namesOthers(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(x, r.namesOthers)
	}
	return false
}
