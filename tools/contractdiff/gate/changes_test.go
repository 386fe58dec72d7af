package gate

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/deferpay/deferpay/tools/contractdiff/avrodiff"
	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/contractdiff/input"
)

var update = flag.Bool("update", false, "write the findings to testdata/changes.txt")

const (
	changesFile = "testdata/changes.txt"
	released    = "../../../specs/released/0.1.0"
)

// change is an entry of testdata/changes.txt.
type change struct {
	name   string
	edits  []edit
	expect string
	found  []string
	text   string // up to the findings
}

type edit struct{ file, from, to string }

var unescape = strings.NewReplacer(`\n`, "\n")

func readChanges(t *testing.T) (head string, list []*change) {
	t.Helper()
	data, err := os.ReadFile(changesFile)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(data), "\n= ")
	for _, part := range parts[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		c := &change{name: name, text: "= " + name + "\n"}
		for line := range strings.SplitSeq(strings.TrimSpace(rest), "\n") {
			switch {
			case strings.HasPrefix(line, "file: "):
				c.edits = append(c.edits, edit{file: line[len("file: "):]})
			case strings.HasPrefix(line, "-"):
				c.edits[len(c.edits)-1].from = unescape.Replace(line[1:])
			case strings.HasPrefix(line, "+"):
				c.edits[len(c.edits)-1].to = unescape.Replace(line[1:])
			case strings.HasPrefix(line, "expect: "):
				c.expect = line[len("expect: "):]
			case strings.HasPrefix(line, "> "):
				c.found = append(c.found, line[2:])
				continue
			default:
				t.Fatalf("%s: %q", name, line)
			}
			c.text += line + "\n"
		}
		list = append(list, c)
	}
	return parts[0] + "\n", list
}

// loadFS returns the files of a folder.
func loadFS(t *testing.T, dir string) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	root := os.DirFS(dir)
	err := fs.WalkDir(root, ".", func(at string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, at)
		out[path.Join("specs", at)] = &fstest.MapFile{Data: data, Mode: 0o444}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func side(t *testing.T, fsys fs.FS, root string) *input.Side {
	t.Helper()
	s, err := input.In(fsys, root, "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func contractsOf(t *testing.T, fsys fs.FS) *contracts {
	t.Helper()
	c, err := read(side(t, fsys, "specs"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *change) apply(t *testing.T, base fstest.MapFS) fstest.MapFS {
	t.Helper()
	out := maps.Clone(base)
	for _, e := range c.edits {
		name := "specs/" + e.file
		if out[name] == nil {
			t.Fatalf("there is no file %s", name)
		}
		text := string(out[name].Data)
		if n := strings.Count(text, e.from); n == 0 {
			t.Fatalf("%s does not contain %q", name, e.from)
		}
		out[name] = &fstest.MapFile{Data: []byte(strings.Replace(text, e.from, e.to, 1)), Mode: 0o444}
	}
	return out
}

// kind returns the files of the kind that is changed: OpenAPI takes longer to read than all others.
func (c *change) kind(base fstest.MapFS) fstest.MapFS {
	out := fstest.MapFS{}
	for name, f := range base {
		if strings.HasSuffix(name, "openapi.yaml") == strings.HasPrefix(c.name, "openapi: ") && (name != "specs/contract/openapi.yaml") {
			out[name] = f
		}
	}
	return out
}

// TestDeliberateChanges holds the gate to what testdata/changes.txt expects of each change.
func TestDeliberateChanges(t *testing.T) {
	base := loadFS(t, released)
	head, list := readChanges(t)
	if len(list) < 40 {
		t.Errorf("%d changes", len(list))
	}
	out, formers := head, map[int]*contracts{}
	for _, c := range list {
		t.Run(c.name, func(t *testing.T) {
			former := c.kind(base)
			was := formers[len(former)]
			if was == nil {
				was = contractsOf(t, former)
				formers[len(former)] = was
			}
			all, err := compare(was, contractsOf(t, c.apply(t, former)), avrodiff.Full)
			if err != nil {
				t.Fatal(err)
			}
			all = finding.Merge(all)
			worst := finding.Worst(all)
			if got := expectation(worst); got != c.expect {
				t.Errorf("it is %s, and %s was expected", got, c.expect)
			}
			var lines []string
			for _, f := range all {
				lines = append(lines, fmt.Sprintf("%s %s %s %s#%s", f.Level, f.ID, f.Kind, f.File, f.Pointer))
			}
			if got, want := strings.Join(lines, "\n"), strings.Join(c.found, "\n"); got != want && !*update {
				t.Errorf("found\n%s\nwant\n%s", got, want)
			}
			out += c.text
			for _, line := range lines {
				out += "> " + line + "\n"
			}
			out += "\n"
		})
	}
	if *update {
		if err := os.WriteFile(changesFile, []byte(strings.TrimRight(out, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func expectation(worst finding.Level) string {
	if worst < finding.Semantic {
		return "harmless"
	}
	return worst.String()
}

// TestUnchanged compares every contract of the project with itself.
func TestUnchanged(t *testing.T) {
	base := loadFS(t, released)
	for _, mode := range []avrodiff.Mode{avrodiff.FullTransitive} {
		all, err := Compare([]*input.Side{side(t, base, "specs")}, side(t, base, "specs"), mode)
		if err != nil || len(all) > 0 {
			t.Errorf("%s: %v, %v", mode, all, err)
		}
	}
}
