package story

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/observer"
)

// width is how many columns a terminal is expected to have.
const width = 120

// teller writes what is shown, no line longer than width.
type teller struct{ out io.Writer }

func (t *teller) line(format string, args ...any) {
	fmt.Fprintln(t.out, cut(strings.TrimRight(fmt.Sprintf(format, args...), " "), width))
}

func (t *teller) progress(format string, args ...any) { t.line("  · "+format, args...) }

// request shows who is asked for what, and the body's figures.
func (t *teller) request(q request) {
	prefix := "/billing/v1"
	if q.to.Name() == "contract-1" {
		prefix = "/refcontract/v1"
	}
	head := fmt.Sprintf("    > %-6s %s%s", q.method, prefix, q.path)
	var about []string
	if q.key != "" {
		about = append(about, "key "+q.key)
	}
	if q.match != "" {
		about = append(about, "If-Match "+q.match)
	}
	t.line("%-70s %-11s %s", head, q.to.Name(), strings.Join(about, ", "))
	if q.body != nil {
		t.wrapped("      ", "      ", members(q.body))
	}
}

// members writes a body's members in the order of their names, without the punctuation of JSON.
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

// answer shows the status and what matters of the body.
func (t *teller) answer(a answer) {
	replayed := ""
	if a.replayed() {
		replayed = ", replayed"
	}
	t.wrapped(fmt.Sprintf("    < %d%s  ", a.status, replayed), "      ", summary(a))
}

// wrapped writes a text after a head, and what does not fit into the line below, after another.
func (t *teller) wrapped(head, next, text string) {
	for i, l := range wrap(text, width-len(head)) {
		if i > 0 {
			head = next
		}
		t.line("%s%s", head, l)
	}
}

func summary(a answer) string {
	switch {
	case a.text("code") != "":
		return problemSummary(a)
	case a.text("operationRef") != "" && a.text("type") == "PURCHASE":
		return fmt.Sprintf("%s %s %s for %s; outstanding then %s of %s, by contract v%v", a.text("operationRef"), a.text("status"),
			money(a.at("amount")), a.text("period"), plain(a.at("judgement.outstanding")), money(a.at("judgement.ceiling")), a.at("judgement.contractVersion"))
	case a.text("operationRef") != "":
		return fmt.Sprintf("%s %s %s of %s, lowers %s", a.text("operationRef"), a.text("status"), money(a.at("amount")), a.text("purchaseRef"), a.text("period"))
	case a.text("invoiceRef") != "":
		return fmt.Sprintf("%s %s, period %s: total %s, collected %s, open %s, %v lines", a.text("invoiceRef"), a.text("status"), a.text("period"),
			money(a.at("total")), money(a.at("collected")), money(a.at("open")), a.at("lineCount"))
	case a.at("invoiced") != nil:
		return fmt.Sprintf("run of %s %s: %v invoiced, %v not", a.text("period"), a.text("status"), a.at("invoiced"), a.at("notInvoiced"))
	case a.text("contractRef") != "" && a.at("version") != nil:
		return contractSummary(a.body)
	}
	return short(a.body)
}

func problemSummary(a answer) string {
	var more []string
	if reasons, ok := a.at("reasons").([]any); ok {
		more = append(more, fmt.Sprint(reasons))
	}
	for _, name := range []string{"outstanding", "ceiling", "available"} {
		if a.amount(name) >= 0 {
			more = append(more, name+" "+plain(a.at(name)))
		}
	}
	if len(more) > 0 {
		return a.text("code") + ": " + strings.Join(more, ", ")
	}
	return a.text("code") + ": " + a.text("detail")
}

func contractSummary(c map[string]any) string {
	text := fmt.Sprintf("%v %v version %v, ceiling %s", c["contractRef"], c["status"], c["version"], money(c["ceiling"]))
	if m, ok := c["mandate"].(map[string]any); ok {
		text += fmt.Sprintf(", mandate %v %v …%v", m["rum"], m["status"], m["ibanLastFour"])
	}
	if s, ok := c["suspension"].(map[string]any); ok {
		text += fmt.Sprintf(", %v", s["cause"])
	}
	return text
}

// eligibility shows the read model after a step, as the instances give it.
func (t *teller) eligibility(instances string, a answer) {
	verdict := "may buy"
	if a.at("eligible") != true {
		verdict = "may not buy: " + strings.Trim(fmt.Sprint(a.at("reasons")), "[]")
	}
	t.wrapped(fmt.Sprintf("    = %s: ", instances), "      ", fmt.Sprintf("%s v%v, mandate %s, outstanding %s + %s of %s, %s", a.text("status"), a.at("contractVersion"),
		a.text("mandate.status"), plain(a.at("outstanding.notInvoiced")), plain(a.at("outstanding.notSettled")), plain(a.at("ceiling")), verdict))
}

// legend says how to read what follows.
func (t *teller) legend() {
	t.line("")
	t.line("    >  a request and its body     <  the answer     =  the read model afterwards; outstanding: not invoiced + not settled")
	t.line("    topic @offset key message: a log record says which records it builds on (\"on\"; \"new\": on none yet) and is applied")
	t.line("    only while those are the last of their streams; the id of an event names the record that it was derived from")
}

// show prints records as the observer read them: where, about which contract, what, and for a log
// record what it builds on.
func (r *run) show(records []observer.Record) {
	for _, rec := range records {
		topic := strings.TrimSuffix(rec.Topic, ".v1")
		head := fmt.Sprintf("    %-15s @%-4d %-11s %-19s", topic, rec.Offset, rec.Key, rec.Type)
		switch {
		case rec.Err != nil:
			r.t.line("%s %v", head, rec.Err)
		case rec.Envelope != nil:
			r.t.line("%s %s", head, buildsOn(rec))
		case r.twice[place{rec.Topic, rec.Offset}]:
			r.t.line("%s %-*s id %s", head, width-58-17, "again: delivered twice, readers know it by its id", shortID(rec.Headers["ce_id"]))
		default:
			r.t.line("%s %s", head, eventSummary(rec))
		}
	}
}

// buildsOn says which records a log record rests on, and whether it has effect.
func buildsOn(rec observer.Record) string {
	var parts []string
	for _, x := range rec.Envelope.Expects {
		name := strings.TrimPrefix(strings.TrimPrefix(x.Stream, "contract/"), "operation/")
		if id, ok := strings.CutPrefix(x.Stream, "event/"); ok { // the CloudEvents id of the fact that was read
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

// cut shortens a text to n columns.
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

// eventSummary gives what matters of a public message, and the identity by which readers tell a
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

// money prints an amount object, of an answer or of a record.
func money(v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return "-"
	}
	return minor(integer(m["amount"])) + fmt.Sprintf(" %v", m["currency"])
}

// plain is money without its currency.
func plain(v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return "-"
	}
	return minor(integer(m["amount"]))
}

func integer(v any) int64 {
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

// minor prints minor units as 1,234.56.
func minor(n int64) string {
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
			return money(x)
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

// wrap breaks a text at blanks into lines of at most n columns.
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
