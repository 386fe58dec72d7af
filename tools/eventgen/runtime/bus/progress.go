package bus

import (
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// Progress shows whether the messages of one or more operations move on; see WithProgress. All
// methods may be called at the same time. The zero value is ready for use.
type Progress struct {
	mu    sync.Mutex
	under map[*message.Message]underway
}

// underway is a message that is not finished.
type underway struct {
	since time.Time
	aside bool
}

// LaidAside returns how many messages are tried again beside those behind them.
func (p *Progress) LaidAside() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.under {
		if u.aside {
			n++
		}
	}
	return n
}

// Oldest returns how long the oldest message that is not finished has been tried, laid aside or
// not.
func (p *Progress) Oldest() time.Duration { return p.longest(true) }

// Blocked returns how long the message that has kept its partition from moving on for the longest
// time has done so.
func (p *Progress) Blocked() time.Duration { return p.longest(false) }

func (p *Progress) longest(aside bool) (d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, u := range p.under {
		if !u.aside || aside {
			d = max(d, time.Since(u.since))
		}
	}
	return d
}

func (p *Progress) begin(m *message.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.under == nil {
		p.under = map[*message.Message]underway{}
	}
	p.under[m] = underway{since: time.Now()}
}

func (p *Progress) layAside(m *message.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u, ok := p.under[m]; ok {
		p.under[m] = underway{u.since, true}
	}
}

func (p *Progress) end(m *message.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.under, m)
}
