package compat

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
	clients "github.com/deferpay/deferpay/tools/foreign"
)

var (
	withForeign = flag.Bool("foreign", false, "compare with Apache Avro for Java, which is fetched the first time")
	record      = flag.Bool("record", false, "with -foreign, write Apache's answers to testdata")
	pairs       = flag.Uint64("pairs", 20_000, "with -foreign, how many pairs of schemas are compared, each in both directions")
)

// table has Apache's answers to the first pairs, so that they can be compared without Java.
const (
	table    = "testdata/apache.txt"
	recorded = 1000
)

// parsed returns a schema that drawPair returned.
func parsed(t *testing.T, text string) *schema.Type {
	t.Helper()
	own, err := schema.Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return own
}

// ids returns the kinds of incompatibilities, each once, as a line of the table has them.
func ids(list []string) string {
	slices.Sort(list)
	if list = slices.Compact(list); len(list) == 0 {
		return "COMPATIBLE"
	}
	return strings.Join(list, " ")
}

func idsOf(r Result) string {
	var out []string
	for _, i := range r.All {
		if i.ID == Ambiguous { // Apache throws an exception, and reports nothing else
			return string(Ambiguous)
		}
		out = append(out, string(i.ID))
	}
	return ids(out)
}

// TestApacheRecorded compares Check with Apache's answers in the table.
func TestApacheRecorded(t *testing.T) {
	data, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != recorded {
		t.Fatalf("%d lines", len(lines))
	}
	met := map[string]int{}
	for seed, want := range lines {
		former, later := drawPair(uint64(seed))
		a, b := parsed(t, former), parsed(t, later)
		got := idsOf(Check(b, a)) + " | " + idsOf(Check(a, b))
		if got != want {
			t.Errorf("pair %d\n got %s\nwant %s\nformer %s\nlater  %s", seed, got, want, former, later)
		}
		for id := range strings.FieldsSeq(want) {
			met[id]++
		}
	}
	for _, id := range []ID{NameMismatch, FixedSize, MissingSymbols, MissingDefault, TypeMismatch, MissingBranch, Ambiguous} {
		if met[string(id)] < 5 {
			t.Errorf("the table has %s %d times only", id, met[string(id)])
		}
	}
}

// TestForeignCompatibility compares Check with Apache's SchemaCompatibility. Where neither schema
// has a union or uses a name twice, the places are compared too: Apache's are wrong below unions.
func TestForeignCompatibility(t *testing.T) {
	ask := startJava(t)
	var lines []string
	places := 0
	for seed := range *pairs {
		former, later := drawPair(seed)
		line := ""
		for i, p := range [][2]string{{later, former}, {former, later}} {
			theirs := ask(p[0], p[1])
			ours := Check(parsed(t, p[0]), parsed(t, p[1]))
			if got := idsOf(ours); got != theirs.ids() {
				t.Errorf("pair %d\n got %s\nwant %s (%s)\nreader %s\nwriter %s", seed, got, theirs.ids(), theirs.Error, p[0], p[1])
			} else if theirs.Error == "" && plain(p[0]) && plain(p[1]) {
				places += comparePlaces(t, p[0], p[1], theirs)
			}
			line += []string{"", " | "}[i] + theirs.ids()
		}
		lines = append(lines, line)
	}
	t.Logf("%d pairs in both directions, %d places", *pairs, places)
	if places < 1000 {
		t.Errorf("%d places are too few", places)
	}
	if *record {
		if err := os.WriteFile(table, []byte(strings.Join(lines[:recorded], "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForeignEvolutions compares Check with Apache's answers for the real evolutions of this
// project: each version of a log body against each other one.
func TestForeignEvolutions(t *testing.T) {
	ask := startJava(t)
	files, err := filepath.Glob("../../../../specs/log/*/versions/*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	n := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var versions []json.RawMessage
		if err := json.Unmarshal(data, &versions); err != nil {
			t.Fatal(err)
		}
		for i, reader := range versions {
			for j, writer := range versions {
				theirs := ask(string(reader), string(writer))
				got := idsOf(Check(parsed(t, string(reader)), parsed(t, string(writer))))
				if theirs.Error != "" || got != theirs.ids() {
					t.Errorf("%s, %d reads %d: got %s, want %s %s", file, i, j, got, theirs.ids(), theirs.Error)
				}
				n++
			}
		}
	}
	t.Logf("%d pairs", n)
}

// plain reports whether a schema has no union and no reference to a named type.
func plain(text string) bool {
	n, err := schema.ParseNode(text)
	return err == nil && plainNode(n)
}

func plainNode(n *schema.Node) bool {
	switch n.Kind {
	case schema.JSONString:
		return slices.Contains(primitives, any(n.Value))
	case schema.JSONObject:
		for _, f := range fieldsOf(n) {
			if !plainNode(f.Get("type")) {
				return false
			}
		}
		for _, key := range []string{"items", "values"} {
			if it := n.Get(key); it != nil && !plainNode(it) {
				return false
			}
		}
		return true
	}
	return false
}

func comparePlaces(t *testing.T, reader, writer string, theirs answer) int {
	t.Helper()
	own := parsed(t, reader)
	pointers := Pointers(own.Node)
	var got, want []string
	for _, i := range Check(own, parsed(t, writer)).All {
		got = append(got, string(i.ID)+" "+pointers[i.At])
	}
	for _, f := range theirs.Found {
		want = append(want, f.ID+" "+strings.TrimSuffix(f.Location, "/"))
	}
	if ids(got) != ids(want) {
		t.Errorf("\n got %s\nwant %s\nreader %s\nwriter %s", ids(got), ids(want), reader, writer)
	}
	return len(got)
}

type answer struct {
	Error string
	Found []struct{ ID, Location string }
}

func (a answer) ids() string {
	if strings.Contains(a.Error, "matches multiple fields") {
		return string(Ambiguous)
	}
	var out []string
	for _, f := range a.Found {
		out = append(out, f.ID)
	}
	return ids(out)
}

// startJava starts Compat.java and returns a function that asks it.
func startJava(t *testing.T) func(reader, writer string) answer {
	t.Helper()
	if !*withForeign {
		t.Skip("it fetches Apache Avro: make foreign-avro")
	}
	c, err := clients.Open()
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := c.Java(t.Context(), "Compat.java")
	if err != nil {
		t.Skipf("no Java with Apache Avro: %v", err)
	}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	return func(reader, writer string) (a answer) {
		line, _ := json.Marshal(map[string]string{"reader": reader, "writer": writer})
		if _, err := fmt.Fprintf(in, "%s\n", line); err != nil {
			t.Fatal(err)
		}
		if !lines.Scan() {
			t.Fatal("Compat.java ended")
		}
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
}

func fieldsOf(n *schema.Node) []*schema.Node {
	if fields := n.Get("fields"); fields != nil {
		return fields.Items
	}
	return nil
}
