// Package screen prints the story: requests, answers, records, and what can be read afterwards.
// Package story imports it.
package screen

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/demo/story/internal/call"
	"github.com/deferpay/deferpay/tools/observer"
)

// width is the number of columns of the terminal.
const width = 120

// Screen prints lines of at most width columns.
type Screen struct{ Out io.Writer }

// Line prints a line.
func (s *Screen) Line(format string, args ...any) {
	fmt.Fprintln(s.Out, cut(strings.TrimRight(fmt.Sprintf(format, args...), " "), width))
}

// Progress prints a line about the start of the system.
func (s *Screen) Progress(format string, args ...any) { s.Line("  · "+format, args...) }

// Title prints the title of a step and what it demonstrates.
func (s *Screen) Title(number int, title, why string) {
	s.Line("")
	s.Line("%2d  %s", number, title)
	for _, l := range wrap(why, width-4) {
		s.Line("    %s", l)
	}
}

// Request prints a request: the service, the path, the headers and the body.
func (s *Screen) Request(q call.Request) {
	head := fmt.Sprintf("    > %-6s %s", q.Method, q.FullPath())
	var about []string
	if q.Key != "" {
		about = append(about, "key "+q.Key)
	}
	if q.Match != "" {
		about = append(about, "If-Match "+q.Match)
	}
	s.Line("%-70s %-11s %s", head, q.To.Name(), strings.Join(about, ", "))
	if q.Body != nil {
		s.wrapped("      ", "      ", members(q.Body))
	}
}

// members returns the members of a body, sorted by name, without the punctuation of JSON.
func members(v any) string {
	m, ok := v.(map[string]any)
	if !ok || m["currency"] != nil {
		return short(v)
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if inner, ok := m[name].(map[string]any); ok && inner["currency"] == nil {
			parts = append(parts, name+" {"+members(inner)+"}")
			continue
		}
		parts = append(parts, name+" "+short(m[name]))
	}
	return strings.Join(parts, ", ")
}

// Answer prints the status of an answer and a summary of its body.
func (s *Screen) Answer(a call.Answer) {
	replayed := ""
	if a.Replayed() {
		replayed = ", replayed"
	}
	s.wrapped(fmt.Sprintf("    < %d%s  ", a.Status, replayed), "      ", Summary(a))
}

// wrapped prints a text after a head. Further lines begin with next.
func (s *Screen) wrapped(head, next, text string) {
	for i, l := range wrap(text, width-len(head)) {
		if i > 0 {
			head = next
		}
		s.Line("%s%s", head, l)
	}
}

// Summary returns what matters of the body of an answer.
func Summary(a call.Answer) string {
	switch {
	case a.Text("code") != "":
		return problemSummary(a)
	case a.Text("operationRef") != "" && a.Text("type") == "PURCHASE":
		return fmt.Sprintf("%s %s %s for %s; outstanding then %s of %s, by contract v%v", a.Text("operationRef"), a.Text("status"),
			Money(a.At("amount")), a.Text("period"), plain(a.At("judgement.outstanding")), Money(a.At("judgement.ceiling")), a.At("judgement.contractVersion"))
	case a.Text("operationRef") != "":
		return fmt.Sprintf("%s %s %s of %s, lowers %s", a.Text("operationRef"), a.Text("status"), Money(a.At("amount")), a.Text("purchaseRef"), a.Text("period"))
	case a.Text("invoiceRef") != "":
		return fmt.Sprintf("%s %s, period %s: total %s, collected %s, open %s, %v lines", a.Text("invoiceRef"), a.Text("status"), a.Text("period"),
			Money(a.At("total")), Money(a.At("collected")), Money(a.At("open")), a.At("lineCount"))
	case a.At("invoiced") != nil:
		return fmt.Sprintf("run of %s %s: %v invoiced, %v not", a.Text("period"), a.Text("status"), a.At("invoiced"), a.At("notInvoiced"))
	case a.Text("contractRef") != "" && a.At("version") != nil:
		return contractSummary(a.Body)
	}
	return short(a.Body)
}

func problemSummary(a call.Answer) string {
	var more []string
	if reasons, ok := a.At("reasons").([]any); ok {
		more = append(more, fmt.Sprint(reasons))
	}
	for _, name := range []string{"outstanding", "ceiling", "available"} {
		if a.Amount(name) >= 0 {
			more = append(more, name+" "+plain(a.At(name)))
		}
	}
	if len(more) > 0 {
		return a.Text("code") + ": " + strings.Join(more, ", ")
	}
	return a.Text("code") + ": " + a.Text("detail")
}

func contractSummary(c map[string]any) string {
	text := fmt.Sprintf("%v %v version %v, ceiling %s", c["contractRef"], c["status"], c["version"], Money(c["ceiling"]))
	if m, ok := c["mandate"].(map[string]any); ok {
		text += fmt.Sprintf(", mandate %v %v …%v", m["rum"], m["status"], m["ibanLastFour"])
	}
	if s, ok := c["suspension"].(map[string]any); ok {
		text += fmt.Sprintf(", %v", s["cause"])
	}
	return text
}

// Eligibility prints the answer of the instances of billing about a contract.
func (s *Screen) Eligibility(instances string, a call.Answer) {
	verdict := "may buy"
	if a.At("eligible") != true {
		verdict = "may not buy: " + strings.Trim(fmt.Sprint(a.At("reasons")), "[]")
	}
	s.wrapped(fmt.Sprintf("    = %s: ", instances), "      ", fmt.Sprintf("%s v%v, mandate %s, outstanding %s + %s of %s, %s", a.Text("status"), a.At("contractVersion"),
		a.Text("mandate.status"), plain(a.At("outstanding.notInvoiced")), plain(a.At("outstanding.notSettled")), plain(a.At("ceiling")), verdict))
}

// Legend explains the lines that follow.
func (s *Screen) Legend() {
	s.Line("")
	s.Line("    >  a request and its body     <  the answer     =  the read model; outstanding: not invoiced + not settled")
	s.Line("    topic @offset key message: a log record names the records it builds on (\"on\"; \"new\" if there is none yet)")
	s.Line("    and is applied if those are the last of their streams; the id of an event names the record it was derived from")
}

// Records prints records: the topic, the offset, the key and the type, and for a log record the
// records that it builds on. The function again reports whether a record was delivered before.
func (s *Screen) Records(records []observer.Record, again func(observer.Record) bool) {
	for _, rec := range records {
		topic := strings.TrimSuffix(rec.Topic, ".v1")
		head := fmt.Sprintf("    %-15s @%-4d %-11s %-19s", topic, rec.Offset, rec.Key, rec.Type)
		switch {
		case rec.Err != nil:
			s.Line("%s %v", head, rec.Err)
		case rec.Envelope != nil:
			s.Line("%s %s", head, buildsOn(rec))
		case again(rec):
			s.Line("%s %-*s id %s", head, width-58-17, "published again, with the same id", shortID(rec.Headers["ce_id"]))
		default:
			s.Line("%s %s", head, eventSummary(rec))
		}
	}
}

// buildsOn returns the records that a log record builds on, and whether it is applied or void.
func buildsOn(rec observer.Record) string {
	var parts []string
	for _, x := range rec.Envelope.Expects {
		name := strings.TrimPrefix(strings.TrimPrefix(x.Stream, "contract/"), "operation/")
		// CloudEvents id of the fact that was received
		if id, ok := strings.CutPrefix(x.Stream, "event/"); ok {
			name = "event " + shortID(id)
		}
		if key, ok := strings.CutPrefix(x.Stream, "key/"); ok {
			name = "key " + key[strings.LastIndexByte(key, '/')+1:]
		}
		if x.Offset >= 0 {
			name += fmt.Sprintf(" @%d", x.Offset)
		} else {
			name += " new"
		}
		parts = append(parts, name)
	}
	verdict := "applied"
	if rec.Void() {
		verdict = "VOID"
	}
	const room = width - 58 - 8
	return fmt.Sprintf("%-*s %s", room, cut("on "+strings.Join(parts, ", "), room), verdict)
}

// cut truncates a text to n columns.
func cut(text string, n int) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	return string(r[:n-1]) + "…"
}

func shortID(id string) string {
	if len(id) <= 13 {
		return id
	}
	return id[:4] + "…" + id[max(4, len(id)-6):]
}

// eventSummary returns what matters of a public message, and the id by which readers recognize a
// duplicate.
func eventSummary(rec observer.Record) string {
	v := rec.Value
	var text string
	switch {
	case v == nil:
		return "tombstone"
	case v["contract"] != nil:
		c, _ := v["contract"].(map[string]any)
		text = fmt.Sprintf("v%v %v, ceiling %s", v["version"], c["status"], plain(c["ceiling"]))
		if m, ok := c["mandate"].(map[string]any); ok && m["revokedAt"] == nil {
			text += ", mandate signed"
		} else if ok {
			text += ", mandate revoked"
		}
		if cause, ok := v["cause"]; ok {
			text += fmt.Sprintf(", %v", cause)
		}
	default:
		for _, name := range []string{"operationRef", "invoiceRef", "reasons", "kind", "amount", "total", "period", "phase", "reason", "percent"} {
			if v[name] != nil {
				text += " " + short(v[name])
			}
		}
		if o, ok := v["outstanding"].(map[string]any); ok {
			text += ", now " + plain(o["notInvoiced"]) + " + " + plain(o["notSettled"])
		}
	}
	const room = width - 58 - 17
	return fmt.Sprintf("%-*s id %s", room, cut(strings.TrimSpace(text), room), shortID(rec.Headers["ce_id"]))
}

// Money returns the text of an amount of money in an answer or a record.
func Money(v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return "-"
	}
	return Minor(Integer(m["amount"])) + fmt.Sprintf(" %v", m["currency"])
}

// plain is Money without the currency.
func plain(v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return "-"
	}
	return Minor(Integer(m["amount"]))
}

// Integer returns the value of an integer in an answer or a record, or 0 if it is none.
func Integer(v any) int64 {
	switch n := v.(type) {
	case json.Number:
		i, _ := n.Int64()
		return i
	case int64:
		return n
	case int32:
		return int64(n)
	}
	return 0
}

// Minor formats minor units as 1,234.56.
func Minor(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	whole := fmt.Sprint(n / 100)
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return fmt.Sprintf("%s%s.%02d", sign, whole, n%100)
}

func short(v any) string {
	switch x := v.(type) {
	case map[string]any:
		if x["currency"] != nil {
			return Money(x)
		}
		data, err := json.Marshal(x)
		if err != nil {
			return fmt.Sprint(x)
		}
		return string(data)
	case time.Time:
		return x.Format(time.RFC3339)
	}
	return fmt.Sprint(v)
}

// wrap breaks a text into lines of at most n columns.
func wrap(text string, n int) []string {
	var out []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > n {
			out, line = append(out, line), ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		out = append(out, line)
	}
	return out
}
