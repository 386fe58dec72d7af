package main

import (
	"fmt"
	"io"
	"time"
)

// apart is the time between two lines of progress, and before the first one.
const apart = 2 * time.Second

// progress reports how far a long command has come.
type progress struct {
	out  io.Writer
	what string
	next time.Time
	now  func() time.Time
}

func newProgress(out io.Writer, what string) *progress {
	return &progress{out: out, what: what, next: time.Now().Add(apart), now: time.Now}
}

// doing is at for a command that does one thing after the other.
func (p *progress) doing(what string, done, all int64) {
	p.what = what
	p.at(done, all)
}

// at prints a line if the last one was long enough ago. all is 0 if it is not known.
func (p *progress) at(done, all int64) {
	now := p.now()
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(apart)
	if all > 0 {
		fmt.Fprintf(p.out, "journal: %s: %d of %d records, %d %%\n", p.what, done, all, 100*done/all)
		return
	}
	fmt.Fprintf(p.out, "journal: %s: %d records\n", p.what, done)
}
