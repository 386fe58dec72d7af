package source

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

func TestPositions(t *testing.T) {
	cases := []struct{ name, file, text, pointer, want string }{
		{"yaml", "a.yaml", "a:\n  b: [1, two]\n", "/a/b/1", "a.yaml:2:10"},
		{"json with tabs", "a.json", "{\n\t\"a\": {\n\t\t\"b\": \"x\\/y\"\n\t}\n}", "/a/b", "a.json:3:8"},
		{"json in a yaml file", "a.yaml", "{\n\t\"a\": 1}", "/a", "a.yaml:2:7"},
		{"flow yaml is not json", "a.yaml", "{a: 1, b: c}", "/b", "a.yaml:1:11"},
		{"columns are characters", "a.json", `{"é": "ü", "b": 1}`, "/b", "a.json:1:17"},
		{"comments in a schema of Avro", "a.avsc", "/* licence\n é */ // one\n{\"a\": /* b */ 1, // two\n\"b\": 2} // end", "/b", "a.avsc:4:6"},
		{"escaped pointer", "a.yaml", "\"a/b\":\n  c~d: 1\n", "/a~1b/c~0d", "a.yaml:2:8"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			n, ds := Parse(c.file, []byte(c.text))
			if ds.HasErrors() {
				t.Fatal(ds)
			}
			got, _, missing := n.Lookup(c.pointer)
			if got == nil {
				t.Fatalf("%s not found", missing)
			}
			if got.Pos.String() != c.want {
				t.Errorf("got %s, want %s", got.Pos, c.want)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	cases := []struct{ name, file, text, want string }{
		{"empty", "a.yaml", "", "a.yaml:1:1: the file is empty"},
		{"empty json", "a.json", " \n", "a.json:2:1: not valid JSON: the file is empty"},
		{"tab in yaml", "a.yaml", "a:\n\tb: 1\n", "hint: YAML is indented with spaces"},
		{"comment in JSON", "a.json", "/* a */ {}", "a.json:1:1: not valid JSON: a value is expected, not '/'"},
		{"comment without end", "a.avsc", "{} /* a", "a.avsc:1:4: not valid JSON: '/' after the end"},
		{"duplicate", "a.yaml", "a: 1\nb: 2\na: 3\n", "a.yaml:3:1: \"a\" is given twice\n  hint: first given at a.yaml:1:1"},
		{"duplicate json", "a.json", `{"a":1,"a":2}`, `a.json:1:8: "a" is given twice`},
		{"two documents", "a.yaml", "a: 1\n---\nb: 2\n", "more than one YAML document"},
		{"self alias", "a.yaml", "a: &x\n  b: *x\n", `anchor "x" contains itself`},
		{"list as key", "a.yaml", "? [a]\n: 1\n", "a name is expected"},
		{"open object", "a.json", "{\n  \"a\": 1", "a.json:2:9: not valid JSON: ',' or '}' is expected, not the end of the file"},
		{"trailing comma", "a.json", `{"a":1,}`, "a.json:1:8: not valid JSON: a member name"},
		{"trailing comma in list", "a.json", `[1,]`, "a.json:1:4: not valid JSON: a value is expected"},
		{"garbage after", "a.json", `{} x`, `a.json:1:4: not valid JSON: 'x' after the end`},
		{"bad number", "a.json", `[01]`, "01 is not a number"},
		{"too deep", "a.json", strings.Repeat("[", 600), "nested deeper"},
		{"not UTF-8", "a.yaml", "a: b\nc: d\xe9\n", "a.yaml:2:5: the file is not UTF-8: byte 0xe9 does not belong to a character\n  hint: save the file as UTF-8"},
		{"not UTF-8 in JSON", "a.json", "{\"a\": \"\xff\"}", "a.json:1:8: the file is not UTF-8"},
		{"aliases without measure", "a.yaml", laughs(30), "aliases make more than 1000000 values of this\n  hint: "},
		{"merges without measure", "a.yaml", "a: &a {x: &x [" + strings.Repeat("1,", 2000) + "1]}\nb: [" + strings.Repeat("*a,", 1000) + "*a]\n", "a.yaml:2:4: aliases make more than"},
		{"too deep YAML", "a.yaml", strings.Repeat("[", 600) + strings.Repeat("]", 600), "nested deeper"},
		{"too deep by indentation", "a.yaml", steps(600), "nested deeper"},
		{"unclosed quote", "a.yaml", "a: \"b\nc: d\n", "not valid YAML"},
		{"wrong indentation", "a.yaml", "a:\n  b: 1\n c: 2\n", "a.yaml:3:1: not valid YAML"},
		{"fault far below the start of its object", "a.yaml", "a:\n" + strings.Repeat("  b: [1,\n    2]\n", 1) + distinct(300) + " c: 2\n" + "d: 1\n", "a.yaml:304:1: not valid YAML: did not find expected key"},
		{"NUL", "a.yaml", "a: b\x00\n", "not valid YAML: control characters are not allowed"},
		{"open string", "a.json", "{\"a", "does not end on its line"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, ds := Parse(c.file, []byte(c.text))
			if !strings.Contains(ds.Error(), c.want) {
				t.Errorf("got\n%s\nwant\n%s", ds.Error(), c.want)
			}
		})
	}
}

func TestScalarsAndJSON(t *testing.T) {
	text := "base: &b {x: 1, y: 2}\nm:\n  <<: *b\n  y: 3\ni: 0x1f\nj: 1_000\nf: .5\nd: 2024-01-02\nyes: no\nn: ~\nbig: 18446744073709551615\n"
	n, ds := Parse("a.yaml", []byte(text))
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	want := `{"base":{"x":1,"y":2},"m":{"y":3,"x":1},"i":31,"j":1000,"f":0.5,"d":"2024-01-02","yes":"no","n":null,"big":18446744073709551615}`
	if got := string(n.JSON()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// laughs returns YAML of n lines, each of which contains the previous one twice.
func laughs(n int) string {
	var b strings.Builder
	b.WriteString("l0: &l0 [ha]\n")
	for i := range n {
		fmt.Fprintf(&b, "l%d: &l%d [*l%d, *l%d]\n", i+1, i+1, i, i)
	}
	return b.String()
}

// distinct returns n lines of YAML with different names.
func distinct(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "  n%d: {x: \"y\"}\n", i)
	}
	return b.String()
}

// steps returns YAML with n nested objects.
func steps(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// TestSameValue reads one value written in several ways.
func TestSameValue(t *testing.T) {
	const want = `{"a":"é","b":[1,{"c":null}]}`
	utf16 := func(order binary.AppendByteOrder, s string) string {
		var out []byte
		for _, u := range utf16.Encode([]rune("\ufeff" + s)) {
			out = order.AppendUint16(out, u)
		}
		return string(out)
	}
	block := "a: é\nb:\n  - 1\n  - c:\n"
	for name, text := range map[string]string{
		"block":            block,
		"flow":             "{a: é, b: [1, {c: }]}",
		"JSON":             "{\"a\": \"\\u00e9\",\t\"b\": [1, {\"c\": null}]}",
		"BOM":              "\ufeff" + block,
		"CRLF":             strings.ReplaceAll(block, "\n", "\r\n"),
		"CR":               strings.ReplaceAll(block, "\n", "\r"),
		"no last line end": strings.TrimSuffix(block, "\n"),
		"UTF-16 big":       utf16(binary.BigEndian, block),
		"UTF-16 little":    utf16(binary.LittleEndian, block),
		"YAML 1.2":         "# first\n%YAML 1.2\n---\n" + block,
		"start and end":    "---\n" + block + "...\n",
		"anchors":          "a: &x é\nb: [1, {c: &n null}]\n",
		"explicit keys":    "? a\n: é\n? b\n: - 1\n  - ? c\n",
	} {
		t.Run(name, func(t *testing.T) {
			n, ds := Parse("a.yaml", []byte(text))
			if ds.HasErrors() {
				t.Fatal(ds)
			}
			if got := string(n.JSON()); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add("a.json", "{\"a\":[1,2,{\"b\":null}]}")
	f.Add("a.yaml", "a: &x [1]\nb: *x\n<<: *x\n")
	f.Fuzz(func(t *testing.T, file, text string) {
		n, ds := Parse(file, []byte(text))
		if (n == nil) != ds.HasErrors() {
			t.Fatalf("node %v with %v", n, ds)
		}
	})
}
