package cli

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/cputime"
	"github.com/deferpay/deferpay/tools/fulltest"
)

var today = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// run runs the command with files in its own folder, which arguments name as DIR.
func run(t *testing.T, files map[string]string, args ...string) (status int, out, errs string) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, files)
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "DIR", dir)
	}
	var stdout, stderr bytes.Buffer
	status = Run(args, &stdout, &stderr, today)
	return status, strings.ReplaceAll(stdout.String(), dir, "DIR"), strings.ReplaceAll(stderr.String(), dir, "DIR")
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func record(fields string) string {
	return `{"type":"record","name":"R","fields":[` + fields + `]}`
}

const (
	plainAsync = "asyncapi: 3.0.0\ninfo: {title: T, version: 1.0.0}\nchannels: {}\noperations: {}\n"
	plainOpen  = "openapi: 3.0.3\ninfo: {title: T, version: 1.0.0}\npaths: {}\n"
)

// many returns n parts of a text, in which each % is a number.
func many(n int, part string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strings.ReplaceAll(part, "%", strconv.Itoa(i)))
	}
	return b.String()
}

// avroAsync returns a document with one message, of an Avro schema.
func avroAsync(schema string) string {
	return "asyncapi: 3.0.0\ninfo: {title: T, version: 1.0.0}\nchannels:\n  c:\n    address: c\n    messages:\n      M: {payload: {schemaFormat: application/vnd.apache.avro, schema: " + schema + "}}\n"
}

// TestBadInput holds that whatever cannot be read ends with status 2 and its place, and never as
// compatible.
func TestBadInput(t *testing.T) {
	good := record(`{"name":"a","type":"int"}`)
	for name, c := range map[string]struct {
		files map[string]string
		args  []string
		want  string // part of what is written
	}{
		"no such file":            {map[string]string{"b.avsc": good}, []string{"DIR/a.avsc", "DIR/b.avsc"}, "DIR/a.avsc: there is no such file"},
		"none of the three kinds": {map[string]string{"a.yaml": "a: 1\n", "b.yaml": "a: 1\n"}, []string{"DIR/a.yaml", "DIR/b.yaml"}, "neither Avro, AsyncAPI nor OpenAPI"},
		"a text":                  {map[string]string{"a.txt": "hello", "b.txt": "hello"}, []string{"DIR/a.txt", "DIR/b.txt"}, "neither Avro, AsyncAPI nor OpenAPI"},
		"an empty file":           {map[string]string{"a.yaml": "", "b.avsc": good}, []string{"DIR/a.yaml", "DIR/b.avsc"}, "DIR/a.yaml:1:1: the file is empty"},
		"broken JSON":             {map[string]string{"a.avsc": good, "b.avsc": "{\n  \"type\": \"record\",\n"}, []string{"DIR/a.avsc", "DIR/b.avsc"}, "DIR/b.avsc:3"},
		"broken YAML":             {map[string]string{"a.yaml": plainAsync, "b.yaml": "asyncapi: 3.0.0\n  info: [\n"}, []string{"DIR/a.yaml", "DIR/b.yaml"}, "DIR/b.yaml:2"},
		"not UTF-8":               {map[string]string{"a.avsc": good, "b.avsc": "{\"type\": \"\xff\"}"}, []string{"DIR/a.avsc", "DIR/b.avsc"}, "DIR/b.avsc:1"},
		"an unknown type":         {map[string]string{"a.avsc": good, "b.avsc": record(`{"name":"a","type":"nope"}`)}, []string{"DIR/a.avsc", "DIR/b.avsc"}, `unknown type "nope"`},
		"a record without fields": {map[string]string{"a.avsc": good, "b.avsc": `{"type":"record","name":"R"}`}, []string{"DIR/a.avsc", "DIR/b.avsc"}, "DIR/b.avsc:1:1: record R has no list of fields"},
		"a cyclic reference": {map[string]string{"a.yaml": plainAsync, "b.yaml": plainAsync + "components: {messages: {M: {payload: {$ref: '#/components/messages/M/payload'}}}}\n"},
			[]string{"DIR/a.yaml", "DIR/b.yaml"}, "leads back to itself"},
		"a reference to nothing": {map[string]string{"a.yaml": plainAsync, "b.yaml": plainAsync + "components: {messages: {M: {$ref: './gone.yaml'}}}\n"},
			[]string{"DIR/a.yaml", "DIR/b.yaml"}, "DIR/b.yaml:5:"},
		"broken Avro in AsyncAPI": {map[string]string{"a.yaml": plainAsync, "b.yaml": avroAsync("{type: record, name: M, fields: [{name: a, type: bogus}]}")},
			[]string{"DIR/a.yaml", "DIR/b.yaml"}, `DIR/b.yaml:7:`},
		"a record in itself":                 {map[string]string{"a.avsc": good, "b.avsc": record("\n" + `{"name":"a","type":"R"}`)}, []string{"DIR/a.avsc", "DIR/b.avsc"}, "DIR/b.avsc:1:1: record R always contains another R, so it has no finite value"},
		"a former record in itself":          {map[string]string{"a.avsc": record(`{"name":"a","type":"R"}`), "b.avsc": good}, []string{"DIR/a.avsc", "DIR/b.avsc"}, "DIR/a.avsc:1:1: record R always contains another R"},
		"a record in itself, no mode":        {map[string]string{"a.avsc": good, "b.avsc": record(`{"name":"a","type":"R"}`)}, []string{"-mode", "NONE", "DIR/a.avsc", "DIR/b.avsc"}, "DIR/b.avsc:1:1: record R always contains another R"},
		"two records in a circle":            {map[string]string{"a.avsc": good, "b.avsc": record("\n" + `{"name":"s","type":{"type":"record","name":"S","fields":[{"name":"r","type":"R"}]}}`)}, []string{"DIR/a.avsc", "DIR/b.avsc"}, "DIR/b.avsc:1:1: record R always contains another R, through S"},
		"a circle of two files":              {map[string]string{"a/R.avsc": good, "b/R.avsc": record(`{"name":"s","type":"S"}`), "b/S.avsc": `{"type":"record","name":"S","fields":[{"name":"r","type":"R"}]}`}, []string{"DIR/a", "DIR/b"}, "DIR/b/R.avsc:1:1: record R always contains another R, through S"},
		"a record in itself in AsyncAPI":     {map[string]string{"a.yaml": plainAsync, "b.yaml": avroAsync("{type: record, name: M, fields: [{name: a, type: M}]}")}, []string{"DIR/a.yaml", "DIR/b.yaml"}, "DIR/b.yaml:7:72: record M always contains another M"},
		"an invalid name":                    {map[string]string{"a.avsc": good, "b.avsc": strings.Replace(good, `"R"`, `"R-1"`, 1)}, []string{"DIR/a.avsc", "DIR/b.avsc"}, `DIR/b.avsc:1:25: "R-1" is not a valid name`},
		"an invalid field name":              {map[string]string{"a.avsc": good, "b.avsc": record(`{"name":"1a","type":"int"}`)}, []string{"DIR/a.avsc", "DIR/b.avsc"}, `DIR/b.avsc:1:47: "1a" is not a valid field name`},
		"an invalid symbol":                  {map[string]string{"a.avsc": good, "b.avsc": `{"type":"enum","name":"E","symbols":["A B"]}`}, []string{"DIR/a.avsc", "DIR/b.avsc"}, `DIR/b.avsc:1:38: "A B" is not a valid symbol`},
		"an invalid namespace in a folder":   {map[string]string{"a/x.avsc": good, "b/x.avsc": strings.Replace(good, `"R"`, `"R","namespace":"a..b"`, 1)}, []string{"DIR/a", "DIR/b"}, `DIR/b/x.avsc:1:41: "" is not a valid part of a namespace`},
		"an invalid name in AsyncAPI":        {map[string]string{"a.yaml": plainAsync, "b.yaml": avroAsync("{type: record, name: M, fields: [{name: a b, type: int}]}")}, []string{"DIR/a.yaml", "DIR/b.yaml"}, `is not a valid field name`},
		"AsyncAPI 2":                         {map[string]string{"a.yaml": plainAsync, "b.yaml": "asyncapi: 2.6.0\ninfo: {title: T, version: 1.0.0}\nchannels: {}\n"}, []string{"DIR/a.yaml", "DIR/b.yaml"}, "AsyncAPI 2.6.0 is not supported"},
		"Swagger 2":                          {map[string]string{"a.yaml": plainOpen, "b.yaml": "swagger: '2.0'\ninfo: {title: T, version: 1.0.0}\npaths: {}\n"}, []string{"DIR/a.yaml", "DIR/b.yaml"}, "only OpenAPI 3"},
		"OpenAPI, nothing refers":            {map[string]string{"a.yaml": plainOpen, "b.yaml": "openapi: 3.0.3\ninfo: {title: T, version: 1.0.0}\npaths: {/a: {$ref: '#/components/pathItems/Gone'}}\n"}, []string{"DIR/a.yaml", "DIR/b.yaml"}, "DIR/b.yaml"},
		"another kind":                       {map[string]string{"a.yaml": plainAsync, "b.yaml": plainOpen}, []string{"DIR/a.yaml", "DIR/b.yaml"}, "they cannot be compared"},
		"a file and a folder":                {map[string]string{"a.avsc": good, "b/b.avsc": good}, []string{"DIR/a.avsc", "DIR/b"}, "a file can only be compared with a file"},
		"a folder without contracts":         {map[string]string{"a/a.txt": "", "b/b.avsc": good}, []string{"DIR/a", "DIR/b"}, "there is no contract in this folder"},
		"two faults are both shown":          {map[string]string{"a/x.avsc": good, "b/x.avsc": `{"type":"record","name":"R"}`, "b/y.avsc": `{"type":"enum","name":"E"}`}, []string{"DIR/a", "DIR/b"}, "DIR/b/y.avsc:1:1"},
		"not in a repository":                {map[string]string{"b.avsc": good}, []string{"-against", "HEAD", "DIR"}, "is not in a git repository"},
		"an option as a commit":              {map[string]string{"b.avsc": good}, []string{"-against", "--output=x", "DIR"}, "is not the name of a commit"},
		"one name":                           {map[string]string{"b.avsc": good}, []string{"DIR/b.avsc"}, "name OLD and NEW"},
		"an unknown mode":                    {map[string]string{"b.avsc": good}, []string{"-mode", "SIDEWAYS", "DIR/b.avsc", "DIR/b.avsc"}, "the modes are"},
		"an unknown level":                   {map[string]string{"b.avsc": good}, []string{"-fail-on", "info", "DIR/b.avsc", "DIR/b.avsc"}, "the levels are"},
		"an unknown format":                  {map[string]string{"b.avsc": good}, []string{"-format", "html", "DIR/b.avsc", "DIR/b.avsc"}, "the formats are"},
		"an entry without a reason":          {map[string]string{"b.avsc": good, "i.yaml": "- {id: X, expires: 2027-01-01}\n"}, []string{"-ignore", "DIR/i.yaml", "DIR/b.avsc", "DIR/b.avsc"}, "has no reason"},
		"an entry without an end":            {map[string]string{"b.avsc": good, "i.yaml": "- {id: X, reason: because}\n"}, []string{"-ignore", "DIR/i.yaml", "DIR/b.avsc", "DIR/b.avsc"}, "has no date of expiry"},
		"a file of a number in an entry":     {map[string]string{"b.avsc": good, "i.yaml": "- {id: X, file: 5, reason: because, expires: 2027-01-01}\n"}, []string{"-ignore", "DIR/i.yaml", "DIR/b.avsc", "DIR/b.avsc"}, "DIR/i.yaml:1:17: the file of an entry is an integer"},
		"a list of pointers in an entry":     {map[string]string{"b.avsc": good, "i.yaml": "- {id: X, pointer: [/a], reason: because, expires: 2027-01-01}\n"}, []string{"-ignore", "DIR/i.yaml", "DIR/b.avsc", "DIR/b.avsc"}, "DIR/i.yaml:1:20: the pointer of an entry is a list"},
		"two kinds in one document":          {map[string]string{"a.yaml": "asyncapi: 3.0.0\n" + plainOpen}, []string{"DIR/a.yaml", "DIR/a.yaml"}, "DIR/a.yaml:1:1: this is both AsyncAPI and OpenAPI"},
		"two kinds in one document, in JSON": {map[string]string{"a.json": `{"info":{}, "openapi":"3.0.0", "asyncapi":"3.0.0"}`}, []string{"DIR/a.json", "DIR/a.json"}, "DIR/a.json:1:1: this is both AsyncAPI and OpenAPI"},
		"two kinds in JSON, indented":        {map[string]string{"a.json": "{\"openapi\":\"3.0.0\",\n  \"asyncapi\":\"3.0.0\"}"}, []string{"DIR/a.json", "DIR/a.json"}, "DIR/a.json:1:1: this is both AsyncAPI and OpenAPI"},
		"10 MB that nest deeply":             {map[string]string{"a.avsc": good, "b.avsc": strings.Repeat(`{"type":"array","items":`, 400_000)}, []string{"DIR/a.avsc", "DIR/b.avsc"}, "DIR/b.avsc:1"},
		"a pipe":                             {map[string]string{"a.avsc": good}, []string{"DIR/a.avsc", "/dev/zero"}, "/dev/zero: this is neither a regular file nor a folder"},
		"OpenAPI, references in a circle": {map[string]string{"a.yaml": plainOpen, "b.yaml": plainOpen + "components: {schemas: {A: {$ref: '#/components/schemas/B'}, B: {$ref: '#/components/schemas/A'}}}\n"},
			[]string{"DIR/a.yaml", "DIR/b.yaml"}, "DIR/b.yaml:4:"},
		"OpenAPI, a circle of two files": {map[string]string{"a.yaml": plainOpen, "b.yaml": plainOpen + "components: {schemas: {A: {$ref: './c.yaml#/X'}}}\n", "c.yaml": "X: {$ref: './b.yaml#/components/schemas/A'}\n"},
			[]string{"DIR/a.yaml", "DIR/b.yaml"}, "DIR/b.yaml:4:"},
		"OpenAPI, a reference to a folder": {map[string]string{"a.yaml": plainOpen, "b.yaml": plainOpen + "components: {schemas: {A: {$ref: './'}}}\n"}, []string{"DIR/a.yaml", "DIR/b.yaml"}, "DIR/b.yaml:4:"},
		"OpenAPI, a member twice":          {map[string]string{"a.yaml": plainOpen, "b.yaml": plainOpen + "paths: {}\n"}, []string{"DIR/a.yaml", "DIR/b.yaml"}, "first given at DIR/b.yaml:3:1"},
		"two documents":                    {map[string]string{"a.yaml": plainOpen, "b.yaml": plainOpen + "---\n" + plainOpen}, []string{"DIR/a.yaml", "DIR/b.yaml"}, "write each document into a file of its own"},
		"blank lines alone":                {map[string]string{"a.yaml": plainOpen, "b.yaml": " \n\n# nothing\n"}, []string{"DIR/a.yaml", "DIR/b.yaml"}, "DIR/b.yaml:1:1"},
		"a NUL":                            {map[string]string{"a.yaml": plainAsync, "b.yaml": plainAsync + "x-a: \"\x00\"\n"}, []string{"DIR/a.yaml", "DIR/b.yaml"}, "DIR/b.yaml:5"},
		"half a character of UTF-16":       {map[string]string{"a.avsc": good, "b.avsc": "\xff\xfe{\x00\"\x00a"}, []string{"DIR/a.avsc", "DIR/b.avsc"}, "DIR/b.avsc:1"},
		"an alias in itself":               {map[string]string{"a.yaml": plainOpen, "b.yaml": plainOpen + "x-a: &a [*a]\n"}, []string{"DIR/a.yaml", "DIR/b.yaml"}, "DIR/b.yaml:4"},
		"aliases that multiply":            {map[string]string{"a.yaml": plainOpen, "b.yaml": plainOpen + "x-a: &a [1,1,1,1,1,1,1,1,1]\nx-b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nx-c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nx-d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\nx-e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nx-f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\nx-g: [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n"}, []string{"DIR/a.yaml", "DIR/b.yaml"}, "DIR/b.yaml:"},
		"YAML that nests deeply":           {map[string]string{"a.yaml": plainOpen, "b.yaml": plainOpen + "x-a: " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "\n"}, []string{"DIR/a.yaml", "DIR/b.yaml"}, "DIR/b.yaml:"},
		"10 MB of another kind":            {map[string]string{"a.avsc": good, "b.avsc": `{"a":"` + strings.Repeat("x", 10<<20) + `"}`}, []string{"DIR/a.avsc", "DIR/b.avsc"}, "DIR/b.avsc:1"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, errs := run(t, c.files, c.args...)
			if status != Wrong || !strings.Contains(errs, c.want) || out != "" {
				t.Errorf("status %d\n%.600s\n%.600s\nwant status 2 and %q", status, out, errs, c.want)
			}
		})
	}
}

// TestFolders holds that no contract of a folder is passed over, however it is written.
func TestFolders(t *testing.T) {
	utf16 := func(text string) string {
		out := []byte{0xff, 0xfe}
		for _, r := range text {
			out = append(out, byte(r), byte(r>>8))
		}
		return string(out)
	}
	open := "openapi: 3.0.3\ninfo: {title: T, version: 1.0.0}\npaths: {/a: {get: {parameters: [{name: q, in: query, schema: {type: %}}], responses: {}}}}\n"
	uses := avroAsync("{$ref: R.avsc}")
	former, next := record(`{"name":"a","type":"int"}`), record(`{"name":"a","type":"string"}`)
	noContract := "{\"type\":\"object\",\"properties\":{\n\"asyncapi\":{\"type\":\"string\"}}}"
	for name, c := range map[string]struct{ file, former, next string }{
		"OpenAPI in UTF-16":         {"x.yaml", utf16(strings.Replace(open, "%", "string", 1)), utf16(strings.Replace(open, "%", "integer", 1))},
		"lines that end with CR":    {"x.yaml", strings.ReplaceAll(strings.Replace(open, "%", "string", 1), "\n", "\r"), strings.ReplaceAll(strings.Replace(open, "%", "integer", 1), "\n", "\r")},
		"Avro in YAML":              {"R.yaml", "type: record\nname: R\nfields: [{name: a, type: int}]\n", "name: R\ntype: record\nfields: [{name: a, type: string}]\n"},
		"a fixed in JSON":           {"F.json", `{"name":"F","type":"fixed","size":8}`, `{"name":"F","type":"fixed","size":9}`},
		"Avro in YAML, type last":   {"R.yaml", "name: R\rfields: [{name: a, type: int}]\rtype: record\r", "name: R\rfields: [{name: a, type: string}]\rtype: record\r"},
		"Avro in flow YAML":         {"R.yaml", "\ufeff# R\n{type: record, name: R, fields: [{name: a, type: int}]}\n", "\ufeff# R\n{type: record, name: R, fields: [{name: a, type: string}]}\n"},
		"Avro in quoted YAML":       {"R.yaml", "name: R\n'type': 'record'\nfields: [{name: a, type: int}]\n", "name: R\n\"type\":\n  record\nfields: [{name: a, type: string}]\n"},
		"Avro that is not used yet": {"R.avsc", former, next},
	} {
		files := map[string]string{"a/" + c.file: c.former, "b/" + c.file: c.next, "a/y.yaml": plainAsync, "b/y.yaml": plainAsync, "b/z.json": noContract}
		if status, out, errs := run(t, files, "DIR/a", "DIR/b"); status != Failed || errs != "" {
			t.Errorf("%s: status %d, %s%s", name, status, out, errs)
		}
		if c.file != "R.avsc" {
			continue
		}
		// the document that uses it is no longer there, or new
		for _, user := range []string{"a", "b"} {
			files[user+"/y.yaml"] = uses
			if status, out, errs := run(t, files, "DIR/a", "DIR/b"); status != Failed || !strings.Contains(out, "TYPE_MISMATCH") || errs != "" {
				t.Errorf("%s, used in %s: status %d, %s%s", name, user, status, out, errs)
			}
			files[user+"/y.yaml"] = plainAsync
		}
	}
}

// TestManyParts compares schemas with many fields, symbols and properties. Four times as many take
// about four times as long, and not sixteen times.
func TestManyParts(t *testing.T) {
	all := fulltest.Choose(12_000, 50_000)
	async := func(properties string) string {
		return `{"asyncapi":"3.0.0","info":{"title":"T","version":"1.0.0"},"channels":{"c":{"address":"c","messages":{"M":{"payload":{"type":"object","properties":{` + properties + `}}}}}},"operations":{}}`
	}
	for name, c := range map[string]struct {
		file         string
		former, next func(n int) string
	}{
		"fields": {"avsc", func(n int) string { return record(many(n, `{"name":"f%","type":"int","default":0}`)) },
			func(n int) string { return record(many(n, `{"name":"f%","type":"long","default":0}`)) }},
		"symbols": {"avsc", func(n int) string { return `{"type":"enum","name":"E","symbols":[` + many(2*n, `"S%"`) + `]}` },
			func(n int) string { return `{"type":"enum","name":"E","symbols":[` + many(2*n-1, `"S%"`) + `]}` }},
		"properties": {"json", func(n int) string { return async(many(2*n, `"p%":{"type":"string"}`)) },
			func(n int) string { return async(many(2*n, `"p%":{"type":"integer"}`)) }},
	} {
		compared := func(n int) time.Duration {
			files := map[string]string{"a." + c.file: c.former(n), "b." + c.file: c.next(n)}
			runtime.GC()
			begin := cputime.Used(t)
			if status, _, errs := run(t, files, "-mode", "FULL", "DIR/a."+c.file, "DIR/b."+c.file); status != Failed {
				t.Errorf("%s: status %d, %.300s", name, status, errs)
			}
			return cputime.Used(t) - begin
		}
		few, many := compared(all/4), compared(all)
		t.Logf("%s: %v of processor, %v for a quarter of them", name, many, few)
		if many > 8*few {
			t.Errorf("%s: it took %v of processor, and a quarter of them %v", name, many, few)
		}
	}
}

func TestExitStatus(t *testing.T) {
	former := record(`{"name":"a","type":"int"},{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}}`)
	semantic := record(`{"name":"a","type":"int"},{"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}`)
	warning := record(`{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}}`)
	breaking := record(`{"name":"a","type":"int"},{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"}},{"name":"b","type":"int"}`)
	for name, c := range map[string]struct {
		next, failOn, mode string
		want               int
	}{
		"the same":                        {former, "warning", "BACKWARD", Passed},
		"semantic, by default":            {semantic, "", "BACKWARD", Failed},
		"semantic, below":                 {semantic, "breaking", "BACKWARD", Passed},
		"breaking":                        {breaking, "breaking", "BACKWARD", Failed},
		"a field is gone":                 {warning, "", "BACKWARD", Passed},
		"a field is gone, warnings count": {warning, "warning", "BACKWARD", Failed},
		"a field is gone, full":           {warning, "", "FULL", Failed},
		"breaking, no mode":               {breaking, "", "NONE", Passed},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"-mode", c.mode, "DIR/a.avsc", "DIR/b.avsc"}
			if c.failOn != "" {
				args = append([]string{"-fail-on", c.failOn}, args...)
			}
			status, out, errs := run(t, map[string]string{"a.avsc": former, "b.avsc": c.next}, args...)
			if status != c.want || errs != "" {
				t.Errorf("status %d, want %d\n%s%s", status, c.want, out, errs)
			}
		})
	}
}

// TestTransitive compares with the last version, or with all of them.
func TestTransitive(t *testing.T) {
	files := map[string]string{
		"1.avsc": record(`{"name":"a","type":"string","default":""}`),
		"2.avsc": record(``),
		"3.avsc": record(`{"name":"a","type":"int","default":0}`),
	}
	for mode, want := range map[string]int{"BACKWARD": Passed, "BACKWARD_TRANSITIVE": Failed, "FORWARD": Passed, "FORWARD_TRANSITIVE": Failed, "FULL": Passed, "FULL_TRANSITIVE": Failed, "NONE": Passed} {
		if status, out, errs := run(t, files, "-mode", mode, "DIR/1.avsc", "DIR/2.avsc", "DIR/3.avsc"); status != want {
			t.Errorf("%s: status %d, want %d\n%s%s", mode, status, want, out, errs)
		}
	}
}

func TestFormats(t *testing.T) {
	files := map[string]string{"a.avsc": record(`{"name":"a","type":"int"}`), "b.avsc": record(`{"name":"a","type":"int"},` + "\n" + `{"name":"b","type":"int"}`)}
	for format, want := range map[string]string{
		"text":     "DIR/b.avsc:2:1: breaking READER_FIELD_MISSING_DEFAULT_VALUE: ",
		"github":   "::error file=DIR/b.avsc,line=2,col=1,title=breaking READER_FIELD_MISSING_DEFAULT_VALUE::",
		"markdown": "### Breaking",
		"junit":    `failures="1"`,
		"json":     `"pointer": "/fields/1"`,
	} {
		status, out, errs := run(t, files, "-format", format, "DIR/a.avsc", "DIR/b.avsc")
		if status != Failed || errs != "" || !strings.Contains(out, want) {
			t.Errorf("%s: status %d, %s%s\nwant %q", format, status, out, errs, want)
		}
		switch format {
		case "json":
			var list []map[string]string
			if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) != 1 || len(list[0]) != 7 || list[0]["kind"] != "avro" || list[0]["level"] != "breaking" {
				t.Errorf("%v, %v", list, err)
			}
		case "junit":
			var any struct{}
			if err := xml.Unmarshal([]byte(out), &any); err != nil {
				t.Error(err)
			}
		}
	}
	if _, out, _ := run(t, files, "-format", "json", "DIR/a.avsc", "DIR/a.avsc"); out != "[]\n" {
		t.Errorf("no findings are %q", out)
	}
}

func TestIgnored(t *testing.T) {
	entry := "- {id: READER_FIELD_MISSING_DEFAULT_VALUE, file: b.avsc, pointer: /fields, reason: nobody reads it yet, expires: %}\n"
	for expires, want := range map[string]struct {
		status int
		text   string
	}{
		"2026-11-29": {Passed, "no differences"},
		"2026-11-28": {Failed, "IGNORE_EXPIRED"},
	} {
		files := map[string]string{"a.avsc": record(``), "b.avsc": record(`{"name":"b","type":"int"}`), "i.yaml": strings.Replace(entry, "%", expires, 1)}
		status, out, errs := run(t, files, "-ignore", "DIR/i.yaml", "DIR/a.avsc", "DIR/b.avsc")
		if status != want.status || !strings.Contains(out, want.text) {
			t.Errorf("%s: status %d, %s%s", expires, status, out, errs)
		}
	}
	unused := map[string]string{"a.avsc": record(``), "i.yaml": "- {id: OTHER, reason: because, expires: 2027-01-01}\n"}
	if status, out, _ := run(t, unused, "-ignore", "DIR/i.yaml", "DIR/a.avsc", "DIR/a.avsc"); status != Passed || !strings.Contains(out, "IGNORE_UNUSED") {
		t.Errorf("status %d, %s", status, out)
	}
}

// TestComponents compares documents that have nothing but components for others to refer to.
func TestComponents(t *testing.T) {
	doc := func(components string) string {
		return "asyncapi: 3.0.0\ninfo: {title: T, version: 1.0.0}\ncomponents:\n" + components
	}
	const message = "  messages:\n    M: {name: M, payload: {type: object, properties: {a: {type: string}}}}\n"
	const avro = "  schemas:\n    S: {schemaFormat: application/vnd.apache.avro, schema: {type: record, name: S, fields: [%s]}}\n"
	for name, c := range map[string]struct{ former, next, want string }{
		"a schema is gone":   {"  schemas:\n    S: {type: string}\n", "  schemas: {}\n", "SCHEMA_REMOVED"},
		"a message is gone":  {message, "  messages: {}\n", "MESSAGE_REMOVED"},
		"a payload":          {message, strings.Replace(message, "a: {type: string}", "a: {type: integer}", 1), "JSON_TYPE_NARROWED"},
		"a schema":           {"  schemas:\n    S: {type: string}\n", "  schemas:\n    S: {type: integer}\n", "JSON_TYPE_NARROWED"},
		"an Avro schema":     {strings.Replace(avro, "%s", "", 1), strings.Replace(avro, "%s", "{name: a, type: int}", 1), "READER_FIELD_MISSING_DEFAULT_VALUE"},
		"nothing is changed": {message, message, ""},
	} {
		files := map[string]string{"a.yaml": doc(c.former), "b.yaml": doc(c.next)}
		status, out, errs := run(t, files, "-fail-on", "warning", "DIR/a.yaml", "DIR/b.yaml")
		if (status == Failed) != (c.want != "") || !strings.Contains(out, c.want) || errs != "" {
			t.Errorf("%s: status %d, %s%s", name, status, out, errs)
		}
	}
}

func TestLint(t *testing.T) {
	files := map[string]string{"a.avsc": record(`{"name":"price","type":"double"}`)}
	if status, out, errs := run(t, files, "lint", "DIR"); status != Failed || !strings.Contains(out, "DIR/a.avsc:1:39: semantic MONEY_AS_FLOAT") || errs != "" {
		t.Errorf("status %d, %s%s", status, out, errs)
	}
	if status, _, _ := run(t, files, "lint", "-fail-on", "breaking", "DIR"); status != Passed {
		t.Errorf("status %d below -fail-on", status)
	}
	if status, _, errs := run(t, files, "lint"); status != Wrong || !strings.Contains(errs, "name the files") {
		t.Errorf("status %d, %s", status, errs)
	}
}

// TestKeptVersion holds that a former version counts as readable if the message keeps it as it was.
func TestKeptVersion(t *testing.T) {
	doc := func(fields, versions string) string {
		return "asyncapi: 3.0.0\ninfo: {title: T, version: 1.0.0}\nchannels:\n  log:\n    address: log\n    messages:\n      M:\n        name: M\n        payload: {schemaFormat: application/vnd.apache.avro, schema: {type: record, name: M, fields: [" + fields + "]}}\n        x-versions: [" + versions + "]\n"
	}
	at := func(unit string) string { return "{name: at, type: {type: long, logicalType: timestamp-" + unit + "}}" }
	version := func(fields string) string { return "{type: record, name: M, fields: [" + fields + "]}" }
	next := at("micros") + ", {name: by, type: string}"
	for versions, want := range map[string]int{
		version(at("micros")) + ", " + version(next): Passed,
		version(at("millis")) + ", " + version(next): Failed,
		version(next): Failed,
	} {
		files := map[string]string{"a.yaml": doc(at("micros"), version(at("micros"))), "b.yaml": doc(next, versions)}
		if status, out, errs := run(t, files, "DIR/a.yaml", "DIR/b.yaml"); status != want || errs != "" {
			t.Errorf("%s: status %d, want %d, %s%s", versions, status, want, out, errs)
		}
	}
}
