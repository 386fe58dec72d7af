package gate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/deferpay/deferpay/tools/contractdiff/avrodiff"
	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/input"
)

// harmless are edits of a document that nobody who uses it notices. Each reports whether it
// applied.
var harmless = joined(documentEdits, schemaEdits, avroEdits)

func joined(all ...map[string]func(*yaml.Node) bool) map[string]func(*yaml.Node) bool {
	out := map[string]func(*yaml.Node) bool{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

var documentEdits = map[string]func(root *yaml.Node) bool{
	"another order": func(root *yaml.Node) bool {
		n := 0
		eachMap(root, func(_ string, m *yaml.Node) {
			if len(m.Content) > 2 && get(m, "$ref") == nil {
				n++
				for i, j := 0, len(m.Content)-2; i < j; i, j = i+2, j-2 {
					m.Content[i], m.Content[j] = m.Content[j], m.Content[i]
					m.Content[i+1], m.Content[j+1] = m.Content[j+1], m.Content[i+1]
				}
			}
		})
		return n > 0
	},
	"other words": func(root *yaml.Node) bool {
		n := 0
		eachMap(root, func(parent string, m *yaml.Node) {
			for _, key := range []string{"description", "summary", "example"} {
				if v := get(m, key); v != nil && v.Kind == yaml.ScalarNode && parent != "properties" {
					v.SetString("In other words.")
					n++
				}
			}
		})
		return n > 0
	},
	"messages moved into components": func(root *yaml.Node) bool {
		return moveMessages(root)
	},
	"payloads moved into components": func(root *yaml.Node) bool {
		n := 0
		eachMap(root, func(_ string, m *yaml.Node) {
			payload := get(m, "payload")
			inExample := get(m, "channel") == nil && get(m, "contentType") == nil && get(m, "name") != nil && get(m, "title") == nil && get(m, "bindings") == nil
			if payload != nil && payload.Kind == yaml.MappingNode && get(payload, "$ref") == nil && get(payload, "type") != nil && !inExample {
				n++
				component(root, "schemas", fmt.Sprint("MovedPayload", n), payload)
				set(m, "payload", reference("schemas", fmt.Sprint("MovedPayload", n)))
			}
		})
		return n > 0
	},
	"local schemas renamed": func(root *yaml.Node) bool {
		schemas := get(get(root, "components"), "schemas")
		if schemas == nil || len(schemas.Content) == 0 {
			return false
		}
		renamed := map[string]string{}
		for i := 0; i < len(schemas.Content); i += 2 {
			name := schemas.Content[i].Value
			renamed["#/components/schemas/"+name] = "#/components/schemas/" + name + "Renamed"
			schemas.Content[i].SetString(name + "Renamed")
		}
		eachMap(root, func(_ string, m *yaml.Node) {
			ref := get(m, "$ref")
			for from, to := range renamed {
				if ref != nil && (ref.Value == from || strings.HasPrefix(ref.Value, from+"/")) {
					ref.SetString(to + strings.TrimPrefix(ref.Value, from))
					break
				}
			}
		})
		return true
	},
	"optional fields added": func(root *yaml.Node) bool {
		n := 0
		eachMap(root, func(parent string, m *yaml.Node) {
			if properties := get(m, "properties"); properties != nil && properties.Kind == yaml.MappingNode && parent != "headers" {
				n++
				properties.Content = append(properties.Content, text("addedLater"), object("type", "string"))
			}
		})
		return n > 0
	},
	"extensions added": func(root *yaml.Node) bool {
		n := 0
		eachMap(get(root, "channels"), func(parent string, m *yaml.Node) {
			if get(m, "$ref") == nil && get(m, "address") != nil {
				n++
				set(m, "x-team", text("shop"))
			}
		})
		return n > 0
	},
}

func text(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s} }

func object(key, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{text(key), text(value)}}
}

func reference(section, name string) *yaml.Node {
	return object("$ref", "#/components/"+section+"/"+name)
}

func get(m *yaml.Node, key string) *yaml.Node {
	if m == nil || m.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}

func set(m *yaml.Node, key string, value *yaml.Node) {
	for i := 0; i < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			m.Content[i+1] = value
			return
		}
	}
	m.Content = append(m.Content, text(key), value)
}

// component adds a component of a section.
func component(root *yaml.Node, section, name string, value *yaml.Node) {
	for _, key := range []string{"components", section} {
		if get(root, key) == nil {
			set(root, key, &yaml.Node{Kind: yaml.MappingNode})
		}
		root = get(root, key)
	}
	set(root, name, value)
}

// eachMap calls f for each object of a tree, with the name of the member that it is.
func eachMap(n *yaml.Node, f func(parent string, m *yaml.Node)) { eachBelow("", n, f) }

func eachBelow(parent string, n *yaml.Node, f func(string, *yaml.Node)) {
	switch {
	case n == nil:
	case n.Kind == yaml.MappingNode:
		for i := 0; i < len(n.Content); i += 2 {
			eachBelow(n.Content[i].Value, n.Content[i+1], f)
		}
		f(parent, n)
	case n.Kind == yaml.SequenceNode:
		for _, it := range n.Content {
			eachBelow(parent, it, f)
		}
	}
}

// moveMessages moves the messages of channels into components.
func moveMessages(root *yaml.Node) bool {
	n := 0
	channels := get(root, "channels")
	if channels == nil || channels.Kind != yaml.MappingNode {
		return false
	}
	for i := 1; i < len(channels.Content); i += 2 {
		messages := get(channels.Content[i], "messages")
		if messages == nil || messages.Kind != yaml.MappingNode {
			continue
		}
		for j := 0; j < len(messages.Content); j += 2 {
			m := messages.Content[j+1]
			if m.Kind != yaml.MappingNode || get(m, "$ref") != nil {
				continue
			}
			n++
			name := messages.Content[j].Value + fmt.Sprint("Moved", n)
			component(root, "messages", name, m)
			messages.Content[j+1] = reference("messages", name)
		}
	}
	return n > 0
}

var roots = regexp.MustCompile(`(?m)^- (\S+\.(?:ya?ml|json))$`)

// overlay is a file system in which one file has other content.
type overlay struct {
	fs.FS
	name string
	data []byte
}

func (o overlay) ReadFile(name string) ([]byte, error) {
	if name == o.name {
		return o.data, nil
	}
	return fs.ReadFile(o.FS, name)
}

// TestHarmlessEdits edits public documents in ways that change nothing for anybody. None of the
// edits may be called breaking or semantic.
func TestHarmlessEdits(t *testing.T) {
	dir := os.Getenv("EVENTGEN_CORPUS")
	if dir == "" {
		dir = "../../../../shared/corpus"
	}
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("there are no public documents in %s; EVENTGEN_CORPUS names another folder", dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	fsys := os.DirFS(filepath.Join(dir, "asyncapi"))
	edits := map[string]int{}
	for _, m := range roots.FindAllStringSubmatch(string(readme), -1) {
		for kind := range harmless {
			if applyHarmless(t, fsys, m[1], kind) {
				edits[kind]++
			}
		}
	}
	total := 0
	for kind, n := range edits {
		total += n
		if n < 8 {
			t.Errorf("%q applied %d times only", kind, n)
		}
	}
	t.Logf("%d edits: %v", total, edits)
	if total < 50 {
		t.Errorf("%d edits are too few", total)
	}
}

// applyHarmless compares a document with its edited version, if it can be read and the edit
// applies.
func applyHarmless(t *testing.T, fsys fs.FS, name, kind string) bool {
	t.Helper()
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		t.Fatal(err)
	}
	var doc yaml.Node
	if yaml.Unmarshal(data, &doc) != nil || len(doc.Content) == 0 {
		return false
	}
	former, err := input.In(fsys, name, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read(former); err != nil || !harmless[kind](doc.Content[0]) {
		return false // it breaks a rule, which is not what is tested
	}
	var edited bytes.Buffer
	if err := yaml.NewEncoder(&edited).Encode(&doc); err != nil {
		t.Fatal(err)
	}
	next, err := input.In(overlay{fsys, name, edited.Bytes()}, name, "")
	if err != nil {
		t.Fatal(err)
	}
	all, err := Compare([]*input.Side{former}, next, avrodiff.FullTransitive)
	if err != nil {
		t.Errorf("%s, %s: %v", name, kind, err)
		return false
	}
	for _, f := range all {
		if f.Level > finding.Warning {
			t.Errorf("%s, %s: %s %s at %s: %s", path.Base(path.Dir(name))+"/"+path.Base(name), kind, f.Level, f.ID, f.Pointer, f.Message)
		}
	}
	return !slices.ContainsFunc(all, func(f finding.Finding) bool { return f.Level > finding.Warning })
}
