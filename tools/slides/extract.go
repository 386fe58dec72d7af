package slides

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// selection is what the lines of a block select. Nothing selected means everything.
type selection struct {
	headers []string
	members []string // paths such as judgement.available
}

func parseSelection(text string) (s selection, err error) {
	for line := range strings.Lines(text) {
		name, list, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "":
		case "headers":
			s.headers = append(s.headers, strings.Fields(list)...)
		case "members":
			s.members = append(s.members, strings.Fields(list)...)
		default:
			return s, fmt.Errorf("%q selects nothing: want headers or members", name)
		}
	}
	return s, nil
}

// extract returns the HTML of a block of a kind that shows an example, and false for other kinds.
func (r *renderer) extract(kind, name, text string) (out string, ok bool, err error) {
	kinds := map[string]func(string, selection) (string, error){
		"http-request": r.request, "http-answer": r.answer, "event": r.event, "bytes": r.bytes, "log": r.log, "avro": r.avro,
	}
	show := kinds[kind]
	if show == nil {
		return "", false, nil
	}
	sel, err := parseSelection(text)
	if err == nil {
		out, err = show(name, sel)
	}
	if err != nil {
		return "", true, fmt.Errorf("%s %s: %w", kind, name, err)
	}
	return out, true, nil
}

// exchange returns the two halves of a recorded exchange.
func (r *renderer) exchange(name string) (request, answer string, err error) {
	text, err := r.example(name + ".http")
	if err != nil {
		return "", "", err
	}
	request, answer, ok := strings.Cut(string(text), "\nHTTP/1.1 ")
	if !ok {
		return "", "", fmt.Errorf("no answer")
	}
	return request, answer, nil
}

func (r *renderer) example(file string) ([]byte, error) {
	return os.ReadFile(filepath.Join(r.docs, "examples", file))
}

func (r *renderer) request(name string, s selection) (string, error) {
	text, _, err := r.exchange(name)
	if err != nil {
		return "", err
	}
	return r.half(text, "request", s)
}

func (r *renderer) answer(name string, s selection) (string, error) {
	_, text, err := r.exchange(name)
	if err != nil {
		return "", err
	}
	return r.half(text, "answer", s)
}

// half shows a request or an answer: its first line, the selected headers, the selected members.
func (r *renderer) half(text, class string, s selection) (string, error) {
	head, body, _ := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	var b strings.Builder
	fmt.Fprintf(&b, `<pre class="code %s"><b>%s</b>`+"\n", class, html.EscapeString(lines[0]))
	for _, name := range s.headers {
		i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, name+": ") })
		if i < 0 {
			return "", fmt.Errorf("no header %s", name)
		}
		fmt.Fprintf(&b, `<i>%s:</i> %s`+"\n", name, html.EscapeString(strings.TrimPrefix(lines[i], name+": ")))
	}
	if body != "" {
		value, err := decodeJSON([]byte(body))
		if err != nil {
			return "", err
		}
		shown, err := showJSON(value, s.members)
		if err != nil {
			return "", err
		}
		b.WriteString(shown + "\n")
	}
	return b.String() + "</pre>", nil
}

func decodeJSON(data []byte) (v any, err error) {
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// message is a recorded message of a public topic.
type message struct {
	Topic   string
	Offset  int64
	Key     string
	Headers map[string]string
	Value   string
}

func (r *renderer) message(name string) (m message, value any, pieces []piece, err error) {
	text, err := r.example(name + ".json")
	if err != nil {
		return m, nil, nil, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, nil, nil, err
	}
	data, err := hex.DecodeString(m.Value)
	if err != nil {
		return m, nil, nil, err
	}
	value, pieces, err = decodeMessage(filepath.Join(r.specs, "avro"), strings.TrimPrefix(m.Headers["ce_type"], "deferpay.event."), data)
	return m, value, pieces, err
}

func (r *renderer) event(name string, s selection) (string, error) {
	m, value, _, err := r.message(name)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<pre class="code event"><b>%s</b> @%d <i>%s</i> %s`+"\n", html.EscapeString(m.Topic), m.Offset, r.word("key"), html.EscapeString(m.Key))
	for _, name := range s.headers {
		text, ok := m.Headers[name]
		if !ok {
			return "", fmt.Errorf("no header %s", name)
		}
		fmt.Fprintf(&b, "<i>%s:</i> %s\n", name, html.EscapeString(text))
	}
	shown, err := showJSON(value, s.members)
	return b.String() + shown + "\n</pre>", err
}

func (r *renderer) bytes(name string, s selection) (string, error) {
	_, _, pieces, err := r.message(name)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(`<table class="bytes"><tbody>`)
	for _, p := range pieces {
		field, kind := p.Field, r.word(p.Type)
		if field == "" { // of the framing
			field, kind = kind, ""
		}
		fmt.Fprintf(&b, "<tr><td><code>% x</code></td><td>%s</td><td>%s</td><td>%s</td></tr>\n",
			p.Bytes, html.EscapeString(field), kind, html.EscapeString(p.Text))
	}
	return b.String() + "</tbody></table>", nil
}

// log shows log records. The lines of the file: offset, writer, type, offset of the record that it
// builds on, applied or void.
func (r *renderer) log(name string, _ selection) (string, error) {
	text, err := r.example(name + ".txt")
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<table class="log"><thead><tr><th>billing.log.v1</th><th>%s</th><th>%s</th><th>%s</th><th></th></tr></thead><tbody>`,
		r.word("writer"), r.word("record"), r.word("builds on"))
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) != 5 {
			return "", fmt.Errorf("line %q", line)
		}
		fmt.Fprintf(&b, `<tr class="%s"><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>`+"\n", f[4], f[0], f[1], f[2], f[3], r.word(f[4]))
	}
	return b.String() + "</tbody></table>", nil
}

func (r *renderer) avro(name string, s selection) (string, error) {
	text, err := os.ReadFile(filepath.Join(r.specs, "avro", name+".avsc"))
	if err != nil {
		return "", err
	}
	var schema struct {
		Fields []map[string]json.RawMessage
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<pre class="code avro">{"type": "record", "name": "<b>%s</b>",`+"\n"+` "fields": [`+"\n", name)
	left := 0
	for _, f := range schema.Fields {
		var field string
		if err := json.Unmarshal(f["name"], &field); err != nil {
			return "", err
		}
		if len(s.members) > 0 && !slices.Contains(s.members, field) {
			left++
			continue
		}
		fmt.Fprintf(&b, `  {"name": <u>"%s"</u>, "type": %s`, field, html.EscapeString(string(f["type"])))
		if def, ok := f["default"]; ok {
			fmt.Fprintf(&b, `, "default": %s`, html.EscapeString(string(def)))
		}
		b.WriteString("}\n")
	}
	if shown := len(schema.Fields) - left; len(s.members) > 0 && shown != len(s.members) {
		return "", fmt.Errorf("%d of the fields %v exist", shown, s.members)
	}
	if left > 0 {
		b.WriteString("  …\n")
	}
	return b.String() + "]}</pre>", nil
}
