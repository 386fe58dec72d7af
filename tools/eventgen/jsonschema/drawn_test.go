package jsonschema

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	judge "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/deferpay/deferpay/tools/eventgen/jsonschema/internal/drawtest"
	"github.com/deferpay/deferpay/tools/eventgen/typechecktest"
	"github.com/deferpay/deferpay/tools/fulltest"
)

var drawn = flag.Int("drawn", fulltest.Choose(50, 1000), "random documents for each JSON type of the public documents")

// echo is a program that reads each document of its input as the type that is named before it, and
// writes it again. Then it changes the value and writes what that still allows.
const echo = `package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/jsonvalue"
%s)

var types = map[string]func() jsonvalue.Payload{
%s}

func main() {
	in, out := bufio.NewReaderSize(os.Stdin, 1<<20), bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for seed := uint64(0); ; seed++ {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		name, text, _ := bytes.Cut(line[:len(line)-1], []byte(" "))
		v := types[string(name)]()
		if err := v.DecodeJSON(text); err != nil {
			fmt.Fprintf(out, "refused %%q\n", err.Error())
			continue
		}
		again, err := v.AppendJSON(nil)
		if err != nil {
			fmt.Fprintf(out, "unwritten %%q\n", err.Error())
			continue
		}
		Change(rand.New(rand.NewPCG(seed, 3)), v)
		changed, err := v.AppendJSON(nil)
		if err != nil {
			changed = []byte("refused")
		} else if err := types[string(name)]().DecodeJSON(changed); err != nil {
			changed = append([]byte("unreadable "), changed...)
		}
		fmt.Fprintf(out, "written %%s\t%%s\n", again, changed)
	}
}
`

// drawnType is a type of a public document.
type drawnType struct {
	name   string // package and type
	schema string
	warned bool // generating warns of something in its document
}

// TestDrawnValues draws documents for every JSON type of the public documents. The type reads a
// document if and only if an independent validator accepts it, and what it writes has the same
// meaning, except for types that generating warns of.
func TestDrawnValues(t *testing.T) {
	dir := corpus()
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpus: set EVENTGEN_CORPUS to a folder of AsyncAPI documents (%v)", err)
	}
	types, files := drawnTypes(t, dir)
	program := echoProgram(t, types, files)
	values, accepted, changed, excused := 0, 0, 0, 0
	for _, d := range types {
		v, a, c, faults := d.try(t, program, *drawn)
		values, accepted, changed = values+v, accepted+a, changed+c
		if len(faults) > 0 && d.warned {
			excused++
			t.Logf("%s: %d documents, of which generating warns: %s", d.name, len(faults), faults[0])
		} else if len(faults) > 0 {
			t.Errorf("%s: %d of %d documents: %s\n%s", d.name, len(faults), v, faults[0], d.schema)
		}
	}
	t.Logf("%d types, %d documents, %d of them valid; of these %d were written after a change; %d types are warned of", len(types), values, accepted, changed, excused)
}

// TestDrawnGolden generates the golden packages and changes values of their types, like
// TestChangedValues, which has the packages that were generated before. So it fails if the
// generator is wrong, whatever is in the golden packages.
func TestDrawnGolden(t *testing.T) {
	fulltest.Only(t, "it builds a module of its own")
	names, err := filepath.Glob("testdata/golden/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no golden schemas: %v", err)
	}
	var types []drawnType
	files := map[string][]byte{}
	for _, name := range names {
		s, roots, faults := load(t, "testdata/golden", filepath.Base(name))
		if faults.Add(s.Resolve()...); faults.HasErrors() {
			t.Fatalf("faults:\n%v", faults)
		}
		pkg := strings.TrimSuffix(filepath.Base(name), ".yaml")
		out, _, err := s.Emit(Config{ImportPath: "example.org/corpus", Package: pkg})
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(files, out)
		for _, r := range roots {
			types = append(types, drawnType{name: pkg + "." + r.Name(), schema: r.SchemaText()})
		}
	}
	program := echoProgram(t, types, files)
	changed := 0
	for _, d := range types {
		c, faults := d.tryChanged(t, program, 1500)
		changed += c
		if len(faults) > 0 {
			t.Errorf("%s: %d documents: %s\n%s", d.name, len(faults), faults[0], d.schema)
		}
	}
	t.Logf("%d types, %d values were written after a change", len(types), changed)
}

// echoProgram builds the program echo with types and their code, and returns its file.
func echoProgram(t *testing.T, types []drawnType, files map[string][]byte) string {
	t.Helper()
	var imports, entries strings.Builder
	seen := map[string]bool{}
	for _, d := range types {
		pkg, _, _ := strings.Cut(d.name, ".")
		if !seen[pkg] {
			fmt.Fprintf(&imports, "\t%q\n", "example.org/corpus/"+pkg)
		}
		seen[pkg] = true
		fmt.Fprintf(&entries, "\t%q: func() jsonvalue.Payload { return new(%s) },\n", d.name, d.name)
	}
	change, err := os.ReadFile("internal/drawtest/change.go")
	if err != nil {
		t.Fatal(err)
	}
	files["change.go"] = bytes.Replace(change, []byte("package drawtest"), []byte("package main"), 1)
	files["main.go"] = fmt.Appendf(nil, echo, &imports, &entries)
	module := typechecktest.Module(t, "example.org/corpus", files)
	if out, err := typechecktest.Go(t, module, "build", "-o", "echo", "."); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return filepath.Join(module, "echo")
}

// drawnTypes returns the types of public documents, and their code.
func drawnTypes(t *testing.T, dir string) (types []drawnType, files map[string][]byte) {
	files = map[string][]byte{}
	for i, doc := range documentsBelow(t, dir) {
		if i%fulltest.Choose(8, 1) > 0 {
			continue
		}
		s, roots, faults := document(t, dir, doc)
		resolved := s.Resolve()
		if faults.HasErrors() || resolved.HasErrors() || len(roots) == 0 {
			continue
		}
		pkg := fmt.Sprintf("corpus%d", i)
		out, _, err := s.Emit(Config{ImportPath: "example.org/corpus", Package: pkg})
		if err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		maps.Copy(files, out)
		for _, r := range roots {
			d := drawnType{pkg + "." + r.Name(), r.SchemaText(), len(resolved) > 0}
			if !slices.ContainsFunc(types, func(o drawnType) bool { return o.name == d.name }) {
				types = append(types, d)
			}
		}
	}
	return types, files
}

// try sends documents through a type, and returns how many there were, how many were valid, how
// many of these were written after a change, and what was wrong.
func (d drawnType) try(t *testing.T, program string, n int) (values, accepted, changed int, faults []string) {
	t.Helper()
	s, drawer := drawtest.Compile(t, d.schema), drawtest.New(t, d.schema)
	docs, lines := d.echo(t, program, drawer, n)
	known := members(t, d.schema)
	for i, doc := range docs {
		verdict, text, _ := strings.Cut(lines[i], " ")
		text, after, _ := strings.Cut(text, "\t")
		if after != "" && after != "refused" {
			changed++
			if fault := judgeChanged(s, after); fault != "" {
				faults = append(faults, fmt.Sprintf("%s %s", doc, fault))
			}
		}
		v, err := judge.UnmarshalJSON(bytes.NewReader(doc))
		if err != nil {
			t.Fatal(err)
		}
		refusal := s.Validate(v)
		switch {
		case refusal == nil && verdict != "written":
			faults = append(faults, fmt.Sprintf("%s is %s: %s", doc, verdict, text))
		case refusal != nil && verdict != "refused":
			faults = append(faults, fmt.Sprintf("%s is %s, and the judge refuses it: %v", doc, verdict, refusal))
		case refusal == nil:
			accepted++
			if w, err := judge.UnmarshalJSON(strings.NewReader(text)); err != nil || !means([]any{known.root}, v, w, known) {
				faults = append(faults, fmt.Sprintf("%s is written as %s", doc, text))
			}
		}
	}
	return len(docs), accepted, changed, faults
}

// tryChanged sends documents through a type, and returns how many were written after a change, and
// what was wrong with these.
func (d drawnType) tryChanged(t *testing.T, program string, n int) (changed int, faults []string) {
	t.Helper()
	s := drawtest.Compile(t, d.schema)
	docs, lines := d.echo(t, program, drawtest.New(t, d.schema), n)
	for i, doc := range docs {
		if _, after, _ := strings.Cut(lines[i], "\t"); after != "" && after != "refused" {
			changed++
			if fault := judgeChanged(s, after); fault != "" {
				faults = append(faults, fmt.Sprintf("%s %s", doc, fault))
			}
		}
	}
	return changed, faults
}

// judgeChanged returns what is wrong with what was written after a change, or "".
func judgeChanged(s *judge.Schema, after string) string {
	w, err := judge.UnmarshalJSON(strings.NewReader(after))
	if err == nil {
		err = s.Validate(w)
	}
	if err != nil {
		return fmt.Sprintf("was changed and written as %s, which the judge refuses: %v", after, err)
	}
	return ""
}

// echo sends n documents through the program, and returns its line for each of them.
func (d drawnType) echo(t *testing.T, program string, drawer *drawtest.Drawer, n int) (docs [][]byte, lines []string) {
	t.Helper()
	var in bytes.Buffer
	for seed := range uint64(n) {
		doc := drawer.Document(seed)
		docs = append(docs, doc)
		fmt.Fprintf(&in, "%s %s\n", d.name, doc)
	}
	cmd := exec.Command(program)
	cmd.Stdin, cmd.Stderr = &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", d.name, err)
	}
	lines = strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(docs) {
		t.Fatalf("%s: the program wrote %d lines for %d documents", d.name, len(lines), len(docs))
	}
	return docs, lines
}

// known is a schema, and what it says about members wherever they are.
type known struct {
	root   any
	filled map[string]bool // those with a default, which are written where they were absent
	double bool            // it has numbers that are not integers
}

func members(t *testing.T, schema string) known {
	t.Helper()
	root, err := judge.UnmarshalJSON(strings.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	out := known{root: root, filled: map[string]bool{}}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, one := range v {
				walk(one)
			}
		case map[string]any:
			out.double = out.double || strings.Contains(fmt.Sprint(v["type"]), "number")
			props, _ := v["properties"].(map[string]any)
			for name, one := range props {
				p, _ := one.(map[string]any)
				_, ok := p["default"]
				out.filled[name] = out.filled[name] || ok || p["$ref"] != nil
			}
			for _, one := range v {
				walk(one)
			}
		}
	}
	walk(root)
	return out
}

// parts returns schemas with their references followed, and the schemas that these keywords of them
// apply to the same value.
func (k known) parts(schemas []any, keywords ...string) (out []map[string]any) {
	seen := map[uintptr]bool{}
	var walk func(v any)
	walk = func(v any) {
		s, ok := v.(map[string]any)
		if !ok || seen[reflect.ValueOf(s).Pointer()] {
			return
		}
		seen[reflect.ValueOf(s).Pointer()] = true
		if ref, ok := s["$ref"].(string); ok {
			at := k.root
			for _, step := range strings.Split(ref, "/")[1:] {
				at = at.(map[string]any)[step]
			}
			walk(at)
			return
		}
		out = append(out, s)
		for _, keyword := range keywords {
			switch v := s[keyword].(type) {
			case []any:
				for _, one := range v {
					walk(one)
				}
			case map[string]any:
				walk(v)
			}
		}
	}
	for _, s := range schemas {
		walk(s)
	}
	return out
}

// within returns the schemas of a member, or of the items of a list if the name is empty.
func within(parts []map[string]any, name string) (out []any) {
	for _, s := range parts {
		props, _ := s["properties"].(map[string]any)
		one, named := props[name]
		switch list, _ := s["items"].([]any); {
		case name == "":
			out = append(append(out, s["items"], s["additionalItems"]), list...)
		case named:
			out = append(out, one)
		default:
			patterns, _ := s["patternProperties"].(map[string]any)
			out = slices.AppendSeq(append(out, s["additionalProperties"]), maps.Values(patterns))
		}
	}
	return out
}

// kept returns the members of an object that are to be written again: those that its schemas name,
// and others if there is a schema for them.
func (k known) kept(at []any, object map[string]any) map[string]bool {
	parts := k.parts(at, applied...)
	named, out := map[string]bool{}, map[string]bool{}
	extra, anyName := false, false // there is a schema for others beside properties, or for all
	for _, s := range parts {
		props, _ := s["properties"].(map[string]any)
		for name := range props {
			named[name] = true
		}
		if more := s["additionalProperties"]; s["patternProperties"] != nil || more != nil && more != false {
			extra, anyName = extra || props != nil, anyName || props == nil
		}
	}
	// an object of an alternative with properties, in which others may be maps
	some := slices.ContainsFunc(k.parts(at, "allOf"), func(s map[string]any) bool { return s["properties"] != nil })
	for name := range object {
		some = some || named[name]
	}
	for name := range object {
		out[name] = named[name] || extra || anyName && !some
	}
	return out
}

// applied are keywords whose schemas apply to the value itself.
var applied = []string{"allOf", "anyOf", "oneOf", "if", "then", "else"}

// means reports whether a written value, of which these are the schemas, has the meaning of the one
// that was read: numbers and instants are equal by value, numbers that are not integers as doubles,
// members that have a default may be added, and those for which there is no schema are ignored, as
// readers of JSON do.
func means(at []any, read, written any, known known) bool {
	parts := known.parts(at, applied...)
	switch r := read.(type) {
	case map[string]any:
		w, ok := written.(map[string]any)
		for name, v := range w {
			if was, there := r[name]; there && !means(within(parts, name), was, v, known) || !there && !known.filled[name] {
				return false
			}
		}
		for name, kept := range known.kept(at, r) {
			if _, there := w[name]; !there && kept {
				return false
			}
		}
		return ok
	case []any:
		w, ok := written.([]any)
		return ok && slices.EqualFunc(r, w, func(a, b any) bool { return means(within(parts, ""), a, b, known) })
	case json.Number:
		w, ok := written.(json.Number)
		a, okA := new(big.Rat).SetString(r.String())
		b, okB := new(big.Rat).SetString(string(w))
		if ok && okA && okB && a.Cmp(b) != 0 && known.double {
			x, _ := a.Float64()
			y, _ := b.Float64()
			return x == y
		}
		return ok && okA && okB && a.Cmp(b) == 0
	case string:
		w, ok := written.(string)
		a, errA := time.Parse(time.RFC3339, r)
		b, errB := time.Parse(time.RFC3339, w)
		return ok && (r == w || errA == nil && errB == nil && a.Equal(b))
	}
	return reflect.DeepEqual(read, written)
}

// TestMeans shows that a lost member, a rounded number and another text are noticed.
func TestMeans(t *testing.T) {
	known := members(t, `{"properties":{"a":{},"at":{},"filled":{"default":3},"deep":{"additionalProperties":{"$ref":"#/definitions/B"}}},
		"definitions":{"B":{"allOf":[{"properties":{"b":{},"list":{"items":{"oneOf":[{"properties":{"c":{}}},{"type":"null"}]}}}}]}}}`)
	for _, c := range []struct {
		read, written string
		want          bool
	}{
		{`{"a":1.0,"at":"2026-01-01T01:00:00+01:00"}`, `{"a":1,"at":"2026-01-01T00:00:00Z","filled":3}`, true},
		{`{"a":1}`, `{}`, false}, {`{"a":1}`, `{"a":1,"b":2}`, false}, {`{"a":1234567.89}`, `{"a":1234567.9}`, false},
		{`{"a":{}}`, `{"a":[]}`, false},
		{`{"deep":{"k":{"z":1}}}`, `{"deep":{"k":{}}}`, true}, {`{"deep":{"k":{"b":1}}}`, `{"deep":{"k":{}}}`, false},
		{`{"deep":{"k":{}}}`, `{"deep":{}}`, false}, {`{"deep":{"k":{"list":[{"c":1}]}}}`, `{"deep":{"k":{"list":[{}]}}}`, false},
		{`["a"]`, `["b"]`, false}, {`[1,2]`, `[1]`, false}, {`null`, `{}`, false}, {`true`, `true`, true},
	} {
		read, err := judge.UnmarshalJSON(strings.NewReader(c.read))
		written, err2 := judge.UnmarshalJSON(strings.NewReader(c.written))
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if got := means([]any{known.root}, read, written, known); got != c.want {
			t.Errorf("%s and %s: %t", c.read, c.written, got)
		}
	}
}

// TestJudgeOfOddSchemas judges a document of schemas that are true or false, or have patterns that
// Go does not compile, which match any text.
func TestJudgeOfOddSchemas(t *testing.T) {
	for schema, want := range map[string]bool{
		"true": true, "false": false, `{"pattern":"^(?!b)a"}`: true, `{"pattern":"(a)\\1"}`: true, `{"pattern":"^b"}`: false,
		`{"pattern":"^(?=b)","maxLength":0}`: false,
	} {
		drawtest.New(t, schema).Document(1)
		if err := drawtest.Compile(t, schema).Validate("a"); (err == nil) != want {
			t.Errorf("%s: %v", schema, err)
		}
		if known := members(t, schema); !means([]any{known.root}, "a", "a", known) || means([]any{known.root}, "a", "b", known) {
			t.Errorf("%s: %v", schema, known)
		}
	}
}
