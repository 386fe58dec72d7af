package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/contracttest/judge"
)

// excused are the problem codes that the story and the probes need not see, with the test that sees
// the problem.
var excused = map[string]string{
	"unauthenticated":     "the demo accepts any key; TestBadRequestsRecordNothing of contract, TestCredentialsComeFirst of billing",
	"forbidden":           "the demo accepts any key; TestBadRequestsRecordNothing of contract, TestCredentialsComeFirst of billing",
	"contract-unreadable": "needs a fact that cannot be read; TestUnreadableContractWaits",
	"stream-parked":       "needs an impossible record; TestParkedCustomerWaits",
	"request-in-progress": "needs two requests at the same moment; the API tests of both services",
	"outcome-unknown":     "needs a lost acknowledgement; services/e2e",
	"not-ready":           "needs a broker that is away; services/e2e",
	"request-timeout":     "takes 20 s; TestStalledBody",
	"headers-too-large":   "is answered before there is a request; TestOwnErrorsAreProblems",
	"internal":            "is a defect; TestErrorHandlerLogsInternalOnly",
}

// coverage counts what was exercised and collects the faults.
type coverage struct {
	outcomes map[string]map[string]int // by operation (and variant), by outcome
	messages map[string]int
	codes    map[string]bool
	faults   []string
}

func newCoverage() *coverage {
	return &coverage{outcomes: map[string]map[string]int{}, messages: map[string]int{}, codes: map[string]bool{}}
}

func (c *coverage) fault(format string, args ...any) {
	if f := fmt.Sprintf(format, args...); !slices.Contains(c.faults, f) {
		c.faults = append(c.faults, f)
	}
}

// exchange counts a judged exchange.
func (c *coverage) exchange(e judge.Exchange, f judge.Finding) {
	for _, v := range f.Violations {
		c.fault("%s %s -> %d: %s", e.Method, e.Target, e.Status, v)
	}
	if _, code, ok := strings.Cut(f.Outcome, " "); ok {
		c.codes[code] = true
	}
	name := strings.TrimSpace(f.Operation + " " + f.Variant)
	if name == "" {
		name = "(no such operation)"
	}
	if c.outcomes[name] == nil {
		c.outcomes[name] = map[string]int{}
	}
	c.outcomes[name][f.Outcome]++
}

// record counts a judged record.
func (c *coverage) record(r judge.Record, name string, violations []string) {
	for _, v := range violations {
		c.fault("%s/%d @%d %s: %s", r.Topic, r.Partition, r.Offset, name, v)
	}
	c.messages[name]++
}

// records returns the number of judged records.
func (c *coverage) records() int {
	n := 0
	for _, m := range c.messages {
		n += m
	}
	return n
}

// names returns the names of an operation in the report: one, or one for each variant.
func names(op judge.Operation) []string {
	if len(op.Variants) == 0 {
		return []string{op.ID}
	}
	var out []string
	for _, v := range op.Variants {
		out = append(out, op.ID+" "+v)
	}
	return out
}

// settle adds a fault for everything that was not seen.
func (c *coverage) settle(api *judge.API, events *judge.Events) {
	for _, op := range api.Operations() {
		for _, name := range names(op) {
			if c.succeeded(name) == 0 {
				c.fault("%s: never succeeded: the story does not exercise it", name)
			}
		}
	}
	for _, topic := range events.Topics() {
		for _, m := range events.Messages(topic) {
			if c.messages[m] == 0 {
				c.fault("%s: never seen on %s", m, topic)
			}
		}
	}
	for _, code := range api.Codes() {
		if !c.codes[code] && excused[code] == "" {
			c.fault("problem %s: never seen, and no reason is listed why", code)
		}
	}
	for code := range excused {
		if !slices.Contains(api.Codes(), code) {
			c.fault("problem %s: excused, and in no document", code)
		}
	}
}

// succeeded returns how many answers of an operation were a success.
func (c *coverage) succeeded(name string) (n int) {
	for outcome, times := range c.outcomes[name] {
		if strings.HasPrefix(outcome, "2") {
			n += times
		}
	}
	return n
}

// print writes the report.
func (c *coverage) print(w io.Writer, api *judge.API, events *judge.Events) {
	prefix := ""
	for _, op := range api.Operations() {
		if p := strings.Join(strings.SplitN(op.Path, "/", 4)[:3], "/"); p != prefix {
			prefix = p
			fmt.Fprintf(w, "\n%s\n", prefix)
		}
		for _, name := range append(names(op), extra(op, c)...) {
			c.line(w, name, outcomesText(c.outcomes[name]))
		}
	}
	c.line(w, "(no such operation)", outcomesText(c.outcomes["(no such operation)"]))
	for _, topic := range events.Topics() {
		fmt.Fprintf(w, "\n%s\n", topic)
		for _, m := range events.Messages(topic) {
			text := ""
			if n := c.messages[m]; n > 0 {
				text = fmt.Sprintf("%d", n)
			}
			c.line(w, m, text)
		}
	}
	seen := 0
	for _, code := range api.Codes() {
		if c.codes[code] {
			seen++
		}
	}
	fmt.Fprintf(w, "\nproblem codes seen: %d of %d\n", seen, len(api.Codes()))
	for _, code := range api.Codes() {
		if !c.codes[code] {
			c.line(w, code, excused[code])
		}
	}
}

// extra returns the name for the requests of an operation with variants that had none of them; they
// were refused.
func extra(op judge.Operation, c *coverage) []string {
	if len(op.Variants) > 0 && c.outcomes[op.ID] != nil {
		return []string{op.ID}
	}
	return nil
}

func (c *coverage) line(w io.Writer, name, text string) {
	if text == "" {
		text = "NOT EXERCISED"
	}
	fmt.Fprintf(w, "  %-33s %s\n", name, text)
}

func outcomesText(outcomes map[string]int) string {
	var keys []string
	for k := range outcomes {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		keys[i] = fmt.Sprintf("%s x%d", k, outcomes[k])
	}
	return strings.Join(keys, ", ")
}
