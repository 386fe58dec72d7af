package tidy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// arrows returns the imports outside tests: of the main module's packages, of what they depend on,
// and of the tools that are modules of their own.
func arrows(t *testing.T) []Arrow {
	t.Helper()
	all, err := listed()
	if err != nil {
		t.Fatal(err)
	}
	modules, err := filepath.Glob("../../tools/*/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	all = slices.Clone(all)
	for _, file := range modules {
		all = append(all, parsed(t, filepath.Dir(file))...)
	}
	return all
}

// listed returns the imports of the main module, which go list reads once for all tests.
var listed = sync.OnceValues(list)

func list() ([]Arrow, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Standard", "./...")
	cmd.Dir = "../.."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	var all []Arrow
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			ImportPath string
			Imports    []string
			Standard   bool
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		for _, to := range p.Imports {
			if !p.Standard {
				all = append(all, Arrow{relative(p.ImportPath), relative(to)})
			}
		}
	}
}

// parsed reads the imports below dir from the source, because go list would download modules.
func parsed(t *testing.T, dir string) []Arrow {
	t.Helper()
	var all []Arrow
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		from := strings.TrimPrefix(filepath.ToSlash(filepath.Dir(file)), "../../")
		for _, i := range f.Imports {
			to, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			all = append(all, Arrow{from, relative(to)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func relative(pkg string) string { return strings.TrimPrefix(pkg, Module+"/") }

func TestArrows(t *testing.T) {
	all := arrows(t)
	for _, r := range Check(Rules(), all) {
		t.Error(r)
	}
	// one of each kind of module
	for _, pkg := range []string{"services/internal/serve", "tools/contracttest", "tools/contractdiff/openapidiff"} {
		if !slices.ContainsFunc(all, func(a Arrow) bool { return a.From == pkg }) {
			t.Errorf("no import of %s was found", pkg)
		}
	}
}

// A dependency that imported hamba/avro would use its decoder on bytes from outside.
func TestNobodyElseBringsHamba(t *testing.T) {
	byResolve := false
	for _, a := range arrows(t) {
		if under(a.To, "github.com/hamba/avro") && !under(a.From, "github.com/hamba/avro") {
			byResolve = byResolve || a.From == "tools/eventgen/runtime/avrobin/resolve"
			if a.From != "tools/eventgen/runtime/avrobin/resolve" {
				t.Errorf("%s: only avrobin/resolve may, directly or not", a)
			}
		}
	}
	if !byResolve {
		t.Error("avrobin/resolve does not import hamba/avro: exactly one package does")
	}
}

// Each arrow of the list must be refused by the rule that it names, or by none, and each rule must
// refuse one.
func TestTheCheckerRefuses(t *testing.T) {
	data, err := os.ReadFile("testdata/arrows.txt")
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string]bool{}
	for n, line := range strings.Split(string(data), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		rule, text, _ := strings.Cut(line, "|")
		from, to, ok := strings.Cut(text, "->")
		if !ok {
			t.Fatalf("testdata/arrows.txt:%d: want RULE | from -> to", n+1)
		}
		rule = strings.TrimSpace(rule)
		refusals := Check(Rules(), []Arrow{{strings.TrimSpace(from), strings.TrimSpace(to)}})
		if rule == "pass" {
			for _, r := range refusals {
				t.Errorf("testdata/arrows.txt:%d: must pass, but %v", n+1, r)
			}
			continue
		}
		tested[rule] = true
		if !slices.ContainsFunc(refusals, func(r Refusal) bool { return r.Rule.Name == rule }) {
			t.Errorf("testdata/arrows.txt:%d: %s must be refused by %q, refused by %v", n+1, text, rule, refusals)
		}
	}
	for _, r := range Rules() {
		if !tested[r.Name] {
			t.Errorf("no arrow of testdata/arrows.txt tests the rule %q", r.Name)
		}
		if r.Why == "" {
			t.Errorf("the rule %q does not say why", r.Name)
		}
	}
}

// files returns the files under version control. Without git the test is skipped.
func files(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Skip("not a git work tree")
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// machine matches what is true on one machine only: home and work folders, and hosts of package
// registries in lock files.
var machine = regexp.MustCompile(`(^|[^\w./-])/(root|home/\w+|Users/\w+|work/\w+)/` +
	`|[A-Z]:\\Users\\|https?://(registry\.npmjs\.` + `org|proxy\.golang\.` + `org|pypi\.` + `org|repo1?\.maven\.` + `(apache\.)?org)`)

func TestNothingOfOneMachine(t *testing.T) {
	for _, name := range files(t) {
		data, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil || bytes.IndexByte(data[:min(len(data), 1000)], 0) >= 0 {
			continue // deleted and not committed yet, or binary
		}
		for i, line := range strings.Split(string(data), "\n") {
			if m := machine.FindString(line); m != "" {
				t.Errorf("%s:%d: %q is true on one machine only", name, i+1, strings.TrimSpace(m))
			}
		}
	}
}

// The paths are concatenated, because this file is checked too.
func TestMachinePattern(t *testing.T) {
	const users, drive = "/Users" + "/bob", `C:\` + `Users\x`
	for text, want := range map[string]bool{
		"see /" + "root/go/pkg": true, `"/` + `home/ann/x"`: true, "=/" + "work/tree/specs": true, "`" + users + "/go`": true,
		`"resolved": "https://registry.` + `npmjs.` + `org/x"`: true, drive: true,
		"/var/ro" + "ot/x": false, "specs/ho" + "me/page/": false, "/work" + "space/x": false, `https://go.dev`: false, "/home" + "s/": false,
	} {
		if got := machine.MatchString(text); got != want {
			t.Errorf("%q: matched %v, want %v", text, got, want)
		}
	}
}

// quoted is a log line that a document quotes.
var quoted = regexp.MustCompile("(WARN|ERROR)(?:\\s+line)?:?\\s+`([^`]+)`")

// unsaid returns the parts of the quoted log lines that are in no source. What a line leaves out is
// written as "...".
func unsaid(document, sources string) []string {
	var out []string
	for _, m := range quoted.FindAllStringSubmatch(document, -1) {
		for part := range strings.SplitSeq(strings.Join(strings.Fields(m[2]), " "), "...") {
			if part = strings.Trim(part, " :"); !strings.Contains(sources, part) {
				out = append(out, part)
			}
		}
	}
	return out
}

func TestQuotedLogLines(t *testing.T) {
	if got := unsaid("ERROR `a thing`, WARN line\n`x ... z`, WARN `gone`, WARN: `lost`, `never`", "a thing, x, z"); !slices.Equal(got, []string{"gone", "lost"}) {
		t.Errorf("unsaid %q, want gone and lost", got)
	}
	var sources strings.Builder
	documents := map[string]string{}
	for _, name := range files(t) {
		if filepath.Ext(name) != ".go" && !strings.HasPrefix(name, "docs/") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			continue // deleted and not committed yet
		}
		if filepath.Ext(name) == ".go" {
			sources.Write(text)
		} else {
			documents[name] = string(text)
		}
	}
	seen := 0
	for name, text := range documents {
		seen += len(quoted.FindAllString(text, -1))
		for _, part := range unsaid(text, sources.String()) {
			t.Errorf("%s: no source has the log line %q", name, part)
		}
	}
	if seen == 0 {
		t.Error("the documents quote no log line")
	}
}

// unlisted returns the names of folders that the text does not have at the start or the end of a
// path in a code span.
func unlisted(text string, folders ...string) []string {
	return slices.DeleteFunc(folders, func(name string) bool {
		return regexp.MustCompile("`([a-z]+/)*" + regexp.QuoteMeta(name) + "`").MatchString(text)
	})
}

func TestMapOfPackages(t *testing.T) {
	if got := unlisted("`a`, `internal/b`, `cd`", "a", "b", "c", "d"); !slices.Equal(got, []string{"c", "d"}) {
		t.Errorf("unlisted %q, want c and d", got)
	}
	text, err := os.ReadFile("../../CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, parent := range []string{"services", "services/internal", "tools"} {
		entries, err := os.ReadDir("../../" + parent)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.IsDir() && e.Name() != "internal" && len(unlisted(string(text), e.Name())) > 0 {
				t.Errorf("CONTRIBUTING.md, \"Where things are\", does not name %s/%s", parent, e.Name())
			}
		}
	}
}

// pinned is an action by exact version, or by the hash of a commit.
// An action of this repository is that of the commit.
var pinned = regexp.MustCompile(`uses:\s*([\w./-]+@(v\d+\.\d+\.\d+|[0-9a-f]{40})|\./[\w./-]+)(\s|$)`)

func TestActionsArePinned(t *testing.T) {
	for line, want := range map[string]bool{
		"- uses: a/b@v1.2.3": true, "uses: a/b/c@v1.2.3 # why": true, "uses: a/b@" + strings.Repeat("0a", 20): true, "uses: ./.github/actions/a": true,
		"- uses: a/b@v1": false, "- uses: a/b@v1.2": false, "uses: a/b@main": false, "uses: a/b": false, "uses: a/b@v1.2.3-rc": false,
	} {
		if pinned.MatchString(line) != want {
			t.Errorf("%q: pinned %v, want %v", line, !want, want)
		}
	}
	seen := 0
	for _, name := range files(t) {
		if !strings.HasPrefix(name, ".github/workflows/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			continue // deleted and not committed yet
		}
		for i, line := range strings.Split(string(text), "\n") {
			if strings.Contains(line, "uses:") {
				if seen++; !pinned.MatchString(line) {
					t.Errorf("%s:%d: an action is named by its exact version, as actions/checkout@v4.2.2", name, i+1)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("no workflow uses an action")
	}
}

// TestPackagesAreDocumented wants a comment that says what each package is for.
func TestPackagesAreDocumented(t *testing.T) {
	documented := map[string]bool{}
	for _, name := range files(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.Contains(name, "testdata/") || under(name, "gen") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", name), nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			continue // deleted and not committed yet; what does not parse does not build either
		}
		if dir := filepath.Dir(name); !ast.IsGenerated(f) {
			documented[dir] = documented[dir] || f.Doc != nil
		}
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s: no package comment; say what the package is for and who may import it", dir)
		}
	}
}
