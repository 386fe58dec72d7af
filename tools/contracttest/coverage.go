package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/deferpay/deferpay/tools/contracttest/judge"
	"github.com/deferpay/deferpay/tools/contracttest/kafkatest"
)

// excused are the problems that the story and the probes need not see, with the test that sees
// them. A key is a code, for every operation that declares it, or an operation and a code.
var excused = map[string]string{
	"contract-unreadable": "needs a fact that cannot be read; TestUnreadableContractWaits",
	"stream-parked":       "needs an impossible record; TestParkedCustomerWaits",
	"request-in-progress": "needs two requests at the same moment; the API tests of both services",
	"outcome-unknown":     "needs a lost acknowledgement; services/e2e",
	"not-ready":           "needs a broker that is away; services/e2e",
	"request-timeout":     "takes 20 s; TestStalledBody",
	"headers-too-large":   "is answered before there is a request; TestOwnErrorsAreProblems",
	"internal":            "is a defect; TestErrorHandlerLogsInternalOnly",
}

// fault is something that is not as the contracts have it.
type fault struct{ subject, text string } // the operation or message, "" if it is neither

// coverage counts what was exercised and collects the faults.
type coverage struct {
	outcomes map[string]map[string]int // by operation (and variant), by outcome
	messages map[string]int
	consumed []kafkatest.Outcome // what became of messages that were sent to consumers
	faults   []fault
}

// nowhere is the name of requests that are for no operation.
const nowhere = "(no such operation)"

func newCoverage() *coverage {
	return &coverage{outcomes: map[string]map[string]int{}, messages: map[string]int{}}
}

func (c *coverage) fault(subject, format string, args ...any) {
	if f := (fault{subject, fmt.Sprintf(format, args...)}); !slices.Contains(c.faults, f) {
		c.faults = append(c.faults, f)
	}
}

// exchange counts a judged exchange.
func (c *coverage) exchange(e judge.Exchange, f judge.Finding) {
	name := cmp.Or(strings.TrimSpace(f.Operation+" "+f.Variant), nowhere)
	for _, v := range f.Violations {
		c.fault(name, "%s %s -> %d: %s", e.Method, shorten(e.Target), e.Status, v)
	}
	if c.outcomes[name] == nil {
		c.outcomes[name] = map[string]int{}
	}
	c.outcomes[name][f.Outcome]++
}

// settleAccess adds a fault if no request was let in: then nothing was judged but refusals.
func (c *coverage) settleAccess() {
	refused := 0
	for _, outcomes := range c.outcomes {
		for outcome, times := range outcomes {
			if !strings.HasPrefix(outcome, "401") && !strings.HasPrefix(outcome, "403") {
				return
			}
			refused += times
		}
	}
	if refused > 0 {
		c.fault("", "each of the %d requests was refused with 401 or 403: give credentials with -header", refused)
	}
}

// record counts a judged record.
func (c *coverage) record(v kafkatest.Verdict) {
	r, name := v.Record, v.Name()
	for _, text := range v.Violations {
		c.fault(name, "%s/%d @%d %s: %s", r.Topic, r.Partition, r.Offset, name, text)
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

// settle adds a fault for everything that was not seen and is not excused.
func (c *coverage) settle(api *judge.API, events *judge.Events) {
	for _, op := range api.Operations() {
		for _, name := range names(op) {
			if c.succeeded(name) == 0 {
				c.fault(name, "%s: never succeeded: the story does not exercise it", name)
			}
		}
		for _, problem := range c.unseen(op) {
			if excuse(op.ID, problem) == "" {
				c.fault(op.ID, "%s: %s is declared and was never answered, and no reason is listed why", op.ID, problem)
			}
		}
	}
	for _, code := range api.Elsewhere() {
		if !c.elsewhere(code) {
			c.fault(nowhere, "%s is declared for requests that are for no operation, and was never answered", code)
		}
	}
	for _, topic := range events.Topics() {
		for _, m := range events.Messages(topic) {
			if c.messages[m] == 0 {
				c.fault(m, "%s: never seen on %s", m, topic)
			}
		}
	}
	for key := range excused {
		if !slices.ContainsFunc(api.Operations(), func(op judge.Operation) bool { return excuses(key, op) }) {
			c.fault("", "problem %s: excused, and in no document", key)
		}
	}
}

// excuse returns why an operation's problem, such as "404 contract-not-found", need not be seen, ""
// if it must be.
func excuse(operation, problem string) string {
	_, code, _ := strings.Cut(problem, " ")
	return cmp.Or(excused[operation+" "+code], excused[code])
}

// excuses reports whether a key of excused is for a problem of the operation.
func excuses(key string, op judge.Operation) bool {
	return slices.ContainsFunc(op.Problems, func(problem string) bool {
		_, code, _ := strings.Cut(problem, " ")
		return key == code || key == op.ID+" "+code
	})
}

// unseen returns the problems that an operation declares and that no request got.
func (c *coverage) unseen(op judge.Operation) (out []string) {
	for _, problem := range op.Problems {
		seen := c.outcomes[op.ID][problem]
		for _, name := range names(op) {
			seen += c.outcomes[name][problem]
		}
		if seen == 0 {
			out = append(out, problem)
		}
	}
	return out
}

// elsewhere reports whether a request that is for no operation got a code.
func (c *coverage) elsewhere(code string) bool {
	for outcome := range c.outcomes[nowhere] {
		if strings.HasSuffix(outcome, " "+code) {
			return true
		}
	}
	return false
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
	if len(api.Operations()) > 0 {
		c.line(w, nowhere, outcomesText(c.outcomes[nowhere]))
	}
	for _, topic := range events.Topics() {
		fmt.Fprintf(w, "\n%s\n", topic)
		for _, m := range events.Messages(topic) {
			c.line(w, m, countText(c.messages[m]))
		}
	}
	c.printConsumed(w)
	c.printTotals(w, api)
}

// printConsumed writes what became of the messages that were sent to consumers.
func (c *coverage) printConsumed(w io.Writer) {
	operation := ""
	for _, o := range c.consumed {
		if o.Operation != operation {
			operation = o.Operation
			fmt.Fprintf(w, "\n%s, given\n", operation)
		}
		text := string(o.Policy)
		if o.Held {
			text += ", laid aside"
		}
		if len(o.Faults) > 0 {
			text = "FAULT " + strings.Join(o.Faults, "; ")
		}
		fmt.Fprintf(w, "  %-58s %s\n", o.Kind, text)
	}
}

// settleConsumed adds the faults of consumers.
func (c *coverage) settleConsumed() {
	for _, o := range c.consumed {
		for _, text := range o.Faults {
			c.fault(o.Operation, "%s, given a message: %s: %s", o.Operation, o.Kind, text)
		}
	}
}

// printTotals writes how much of the contracts was seen, and what was not.
func (c *coverage) printTotals(w io.Writer, api *judge.API) {
	if len(api.Operations()) == 0 {
		return
	}
	declared, seen, reasons := 0, 0, map[string][]string{}
	for _, op := range api.Operations() {
		declared += len(op.Problems)
		missing := c.unseen(op)
		seen += len(op.Problems) - len(missing)
		for _, problem := range missing {
			_, code, _ := strings.Cut(problem, " ")
			line := code + ": " + cmp.Or(excuse(op.ID, problem), "NO REASON")
			reasons[line] = append(reasons[line], op.ID)
		}
	}
	fmt.Fprintf(w, "\nproblems of operations answered: %d of %d declared; the others:\n", seen, declared)
	for _, line := range slices.Sorted(maps.Keys(reasons)) {
		fmt.Fprintf(w, "  %s (%d operations)\n", line, len(reasons[line]))
	}
	for _, m := range api.Members() {
		fmt.Fprintf(w, "\n%s: %d of %d members and %d of %d enum values of the bodies were seen\n", m.Document, m.Seen, m.Declared, m.ValuesSeen, m.Values)
		for _, missing := range m.Missing {
			fmt.Fprintf(w, "  not seen: %s\n", missing)
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

func countText(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
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
