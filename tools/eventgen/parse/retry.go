package parse

import (
	"math"
	"regexp"
	"strconv"
	"time"

	"github.com/deferpay/deferpay/tools/eventgen/reference"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// retry reads x-retry, in the shape proposed for AsyncAPI 3.2.
func (p *parser) retry(o *Operation, n *source.Node) {
	r := p.object(n, "x-retry")
	if r == nil {
		return
	}
	p.extension(r, "x-retry", "maxAttempts", "strategy", "delays")
	o.Retry.MaxAttempts = p.number(r, "maxAttempts", 1, math.MaxInt32)
	switch s := p.text(r, "strategy"); s {
	case "", "exponential":
	case "fixed":
		o.Retry.Fixed = true
	default:
		p.diags.ErrorHint(r.Get("strategy").Pos, "supported are exponential and fixed", "the retry strategy %q is not supported", s)
	}
	d := p.object(r, "delays")
	p.extension(d, "delays", "initial", "max")
	o.Retry.Initial, o.Retry.Max = p.duration(d, "initial"), p.duration(d, "max")
}

// extension refuses unknown members of one of our own extensions.
func (p *parser) extension(n *source.Node, what string, known ...string) {
	for _, m := range members(n) {
		if !contains(known, m.Key.Value) {
			p.diags.Errorf(m.Key.Pos, "unknown field %q of %s", m.Key.Value, what)
		}
	}
}

var isoDuration = regexp.MustCompile(`^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?$`)

// duration reads an ISO 8601 duration of hours, minutes and seconds.
func (p *parser) duration(n *source.Node, name string) time.Duration {
	v := p.text(n, name)
	if v == "" {
		return 0
	}
	m := isoDuration.FindStringSubmatch(v)
	if m == nil || v == "PT" {
		p.diags.ErrorHint(n.Get(name).Pos, "write PT0.1S, PT30S, PT5M or PT1H", "%s %q is not an ISO 8601 duration of hours, minutes and seconds", name, v)
		return 0
	}
	h, _ := strconv.Atoi(m[1])
	mi, _ := strconv.Atoi(m[2])
	s, _ := strconv.ParseFloat(m[3], 64)
	return time.Duration(h)*time.Hour + time.Duration(mi)*time.Minute + time.Duration(s*float64(time.Second))
}

// dispatch reads x-unknown-message and x-dispatch: what happens to a message that the channel does
// not have, and how messages are told apart.
func (p *parser) dispatch(o *Operation, n *source.Node) {
	switch o.Unknown = p.text(n, "x-unknown-message"); o.Unknown {
	case "", "dead-letter", "error", "ack":
	default:
		p.diags.ErrorHint(n.Get("x-unknown-message").Pos, "supported are dead-letter, error and ack", "the policy %q for unknown messages is not supported", o.Unknown)
	}
	switch d := p.text(n, "x-dispatch"); d {
	case "":
	case "in-order":
		o.InOrder = true
	default:
		p.diags.ErrorHint(n.Get("x-dispatch").Pos, "in-order is the only value", "the dispatch %q is not supported", d)
	}
}

// deadLetter reads x-dead-letter. The channel may be one of another document.
func (p *parser) deadLetter(o *Operation, n *source.Node) {
	d := p.object(n, "x-dead-letter")
	if d == nil {
		return
	}
	p.extension(d, "x-dead-letter", "channel")
	ref := d.Get("channel")
	if !reference.Is(ref) {
		p.diags.ErrorHint(d.Pos, "write x-dead-letter: {channel: {$ref: '#/channels/NAME'}}", "x-dead-letter of operation %s does not refer to a channel", o.Name)
		return
	}
	if o.DeadLetter = p.channel(o.Name, ref); o.DeadLetter != nil && (o.DeadLetter.Kafka.Topic == "" || len(o.DeadLetter.Params) > 0) {
		p.diags.Errorf(ref.Get("$ref").Pos, "the dead letter channel of operation %s has no fixed address", o.Name)
	}
}
