package oldlog

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// kept are the headers of answers that are recorded and compared.
var kept = []string{"Content-Type", "ETag", "Idempotent-Replayed", "Location", logPosition, "Retry-After"}

const logPosition = "Log-Position"

// Ask sends the request to a service at a base URL such as http://127.0.0.1:8081 and returns its
// answer.
func (e Exchange) Ask(ctx context.Context, client *http.Client, base string) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, e.Method, base+e.Path, bytes.NewReader(e.Body))
	if err != nil {
		return Answer{}, err
	}
	for name, value := range e.Headers {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	a := Answer{Status: resp.StatusCode, Headers: map[string]string{}}
	for _, name := range kept {
		if value := resp.Header.Get(name); value != "" {
			a.Headers[name] = value
		}
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil || len(body) == 0 {
		return a, err
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, body); err != nil {
		return a, fmt.Errorf("the answer is not JSON: %w: %.200s", err, body)
	}
	a.Body = compact.Bytes()
	return a, nil
}

// Differences compares an answer with the recorded one. Every recorded member must be there with
// its value, except the members of a problem document that are made for people. Other members may
// have been added, or moved into the part of an invoice (see lifted), one reason in forecasts has
// another name now (see toldApart), and one instant is that of the answer (see readBack). The
// Log-Position may be later than the recorded one, because reading adds barriers.
func Differences(recorded, now Answer) []string {
	var out []string
	if now.Status != recorded.Status {
		out = append(out, fmt.Sprintf("status %d, recorded %d: %s", now.Status, recorded.Status, now.Body))
	}
	for _, name := range slices.Sorted(maps.Keys(recorded.Headers)) {
		want, got := recorded.Headers[name], now.Headers[name]
		if got != want && (name != logPosition || !notBefore(got, want)) {
			out = append(out, fmt.Sprintf("header %s is %q, recorded %q", name, got, want))
		}
	}
	want, err1 := value(recorded.Body)
	got, err2 := value(now.Body)
	if err1 != nil || err2 != nil {
		return append(out, fmt.Sprintf("body: %v, recorded: %v", err2, err1))
	}
	got = lifted(got)
	if recorded.Headers["Content-Type"] == problemType {
		want, got = forPrograms(want), forPrograms(got)
	}
	return append(out, missing("", want, got)...)
}

// lifted returns an answer in which invoices, and lines of billing runs that name an invoice, have
// the members of their only part as their own too. When the recordings were made an invoice was
// that of one contract: what belongs to a contract was a member of the invoice and is one of its
// part now, such as contractRef, presentations and rejection.
func lifted(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = lifted(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = lifted(v[name])
		}
		if parts, ok := v["parts"].([]any); ok && len(parts) == 1 && v["invoiceRef"] != nil {
			part, _ := parts[0].(map[string]any)
			for name, value := range part {
				if _, own := v[name]; !own {
					v[name] = value
				}
			}
		}
	}
	return v
}

// notBefore reports whether a log position is equal to another one or later in the same log.
func notBefore(place, other string) bool {
	log, at, ok := strings.Cut(place, ":")
	otherLog, otherAt, otherOK := strings.Cut(other, ":")
	n, err1 := strconv.ParseInt(at, 10, 64)
	m, err2 := strconv.ParseInt(otherAt, 10, 64)
	return ok && otherOK && err1 == nil && err2 == nil && log == otherLog && n >= m
}

const problemType = "application/problem+json"

// forPrograms removes the members of a problem document that are made for people.
func forPrograms(problem any) any {
	if m, ok := problem.(map[string]any); ok {
		for _, name := range []string{"title", "detail", "hint"} {
			delete(m, name)
		}
	}
	return problem
}

func value(body json.RawMessage) (v any, err error) {
	if len(body) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// missing returns a line for each place at which got lacks a member of want or has another value.
func missing(at string, want, got any) []string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %s, recorded an object", name(at), text(got))}
		}
		var out []string
		for _, member := range slices.Sorted(maps.Keys(w)) {
			if v, there := g[member]; there {
				out = append(out, missing(at+"/"+member, w[member], v)...)
			} else {
				out = append(out, fmt.Sprintf("%s is missing, recorded %s", at+"/"+member, text(w[member])))
			}
		}
		return out
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return []string{fmt.Sprintf("%s has %d items, recorded %d", name(at), len(g), len(w))}
		}
		var out []string
		for i := range w {
			out = append(out, missing(fmt.Sprintf("%s/%d", at, i), w[i], g[i])...)
		}
		return out
	}
	if want != got && !toldApart(at, want, got) && at != readBack {
		return []string{fmt.Sprintf("%s is %s, recorded %s", name(at), text(got), text(want))}
	}
	return nil
}

// readBack is when the keys of erased data were last seen to be gone. It is looked up again for a
// repeated request.
const readBack = "/completedAt"

// A forecast is judged anew whenever it is asked for. Since the first recording, a contract
// whose validity has not begun is told apart from one whose validity is over. Refusals are recorded
// with their reasons, and keep them.
var forecastReason = regexp.MustCompile(`^/contracts/[0-9]+/reasons/[0-9]+$`)

func toldApart(at string, want, got any) bool {
	return want == "CONTRACT_EXPIRED" && got == "CONTRACT_NOT_STARTED" && forecastReason.MatchString(at)
}

func name(at string) string {
	if at == "" {
		return "the body"
	}
	return at
}

func text(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}
