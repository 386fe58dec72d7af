package source

import (
	"strings"
	"testing"
)

func TestPositions(t *testing.T) {
	cases := []struct{ name, file, text, pointer, want string }{
		{"yaml", "a.yaml", "a:\n  b: [1, two]\n", "/a/b/1", "a.yaml:2:10"},
		{"json with tabs", "a.json", "{\n\t\"a\": {\n\t\t\"b\": \"x\\/y\"\n\t}\n}", "/a/b", "a.json:3:8"},
		{"json in a yaml file", "a.yaml", "{\n\t\"a\": 1}", "/a", "a.yaml:2:7"},
		{"flow yaml is not json", "a.yaml", "{a: 1, b: c}", "/b", "a.yaml:1:11"},
		{"columns are characters", "a.json", `{"é": "ü", "b": 1}`, "/b", "a.json:1:17"},
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
