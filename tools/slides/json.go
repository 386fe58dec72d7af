package slides

import (
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"slices"
	"strings"
)

// width is the length of a line above which an object is broken into lines.
const width = 46

// tree is a selection of members, in order.
type tree struct {
	name     string
	children []*tree
}

func (t *tree) add(path string) {
	name, rest, more := strings.Cut(path, ".")
	i := slices.IndexFunc(t.children, func(c *tree) bool { return c.name == name })
	if i < 0 {
		i = len(t.children)
		t.children = append(t.children, &tree{name: name})
	}
	if more {
		t.children[i].add(rest)
	}
}

// showJSON writes the selected members of a value as HTML, in the order of the selection. Three
// dots stand for those that are left out. It returns an error if a member does not exist.
func showJSON(v any, members []string) (string, error) {
	root := &tree{}
	for _, m := range members {
		root.add(m)
	}
	return show(v, root, "", 0)
}

// show writes a value that begins after as many characters as before on a line with an indent.
func show(v any, t *tree, indent string, before int) (string, error) {
	var items []string
	var err error
	brackets := "{}"
	switch v := v.(type) {
	case map[string]any:
		items, err = showMembers(v, t, indent)
	case []any:
		brackets = "[]"
		for _, it := range v {
			s, e := show(it, t, indent+"  ", len(indent)+2)
			items, err = append(items, s), e
			if e != nil {
				break
			}
		}
	default:
		return scalar(v), nil
	}
	if err != nil {
		return "", err
	}
	flat := strings.Join(items, ", ")
	if !strings.Contains(flat, "\n") && before+plainLength(flat) <= width && (indent != "" || len(items) < 2) {
		return brackets[:1] + flat + brackets[1:], nil
	}
	inner := "\n" + indent + "  "
	return brackets[:1] + inner + strings.Join(items, ","+inner) + "\n" + indent + brackets[1:], nil
}

func showMembers(v map[string]any, t *tree, indent string) ([]string, error) {
	selected := t.children
	if len(selected) == 0 {
		for _, name := range slices.Sorted(maps.Keys(v)) {
			selected = append(selected, &tree{name: name})
		}
	}
	var items []string
	for _, c := range selected {
		value, ok := v[c.name]
		if !ok {
			return nil, fmt.Errorf("no member %s", c.name)
		}
		s, err := show(value, c, indent+"  ", len(indent)+len(c.name)+6)
		if err != nil {
			return nil, err
		}
		items = append(items, fmt.Sprintf(`<u>"%s"</u>: %s`, c.name, s))
	}
	if len(selected) < len(v) {
		items = append(items, "…")
	}
	return items, nil
}

func scalar(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return html.EscapeString(fmt.Sprint(v))
	}
	return "<em>" + html.EscapeString(strings.TrimSpace(b.String())) + "</em>"
}

// plainLength is the length of a text without its tags.
func plainLength(s string) int {
	n, tag := 0, false
	for _, c := range html.UnescapeString(strings.NewReplacer("&lt;", "x", "&gt;", "x").Replace(s)) {
		switch {
		case c == '<':
			tag = true
		case c == '>':
			tag = false
		case !tag:
			n++
		}
	}
	return n
}
