package avrodiff

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	hamba "github.com/hamba/avro/v2"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
)

var registryURL = flag.String("registry", "", "ask this schema registry, of Confluent's interface, too")

// change is a change of a schema that can be read and means something else.
type change struct {
	former, next string
	hamba, twmb  bool // finds something
}

// changes returns those changes by their names.
func changes() map[string]change {
	enum := func(more string) string { return `{"type":"enum","name":"E","symbols":["A","B"]` + more + `}` }
	return map[string]change{
		"scale of a decimal":     {decimal(9, 2), decimal(9, 3), false, true},
		"precision of a decimal": {decimal(9, 2), decimal(12, 2), false, true},
		"unit of a timestamp":    {logical("long", "timestamp-millis"), logical("long", "timestamp-micros"), false, false},
		"date to timestamp":      {logical("int", "date"), logical("long", "timestamp-millis"), false, false},
		"uuid dropped":           {logical("string", "uuid"), `"string"`, false, false},
		"enum default removed":   {enum(`,"default":"A"`), enum(``), false, false},
		"long to double":         {`"long"`, `"double"`, false, false},
		"instant to local time":  {logical("long", "timestamp-micros"), logical("long", "local-timestamp-micros"), false, false},
		"text to bytes":          {`"string"`, `"bytes"`, false, false},
	}
}

// TestRegistry records what the check of a registry finds in the same changes. It is run by hand:
// go test -run TestRegistry -registry http://127.0.0.1:8085.
func TestRegistry(t *testing.T) {
	if *registryURL == "" {
		t.Skip("needs a registry, such as make registry, and -registry URL")
	}
	client, err := sr.NewClient(sr.URLs(*registryURL))
	if err != nil {
		t.Fatal(err)
	}
	all := changes()
	all["number to text, which has to be found"] = change{former: `"int"`, next: `"string"`}
	for name, c := range all {
		subject := fmt.Sprintf("contractdiff-%d-%s", time.Now().UnixNano(), strings.ReplaceAll(name, " ", "-"))
		if _, err := client.CreateSchema(t.Context(), subject, sr.Schema{Schema: field(c.former)}); err != nil {
			t.Fatal(err)
		}
		for _, r := range client.SetCompatibility(t.Context(), sr.SetCompatibility{Level: sr.CompatBackward}, subject) {
			if r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		got, err := client.CheckCompatibility(t.Context(), subject, -1, sr.Schema{Schema: field(c.next)})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: compatible %v", name, got.Is)
		if !got.Is != strings.HasSuffix(name, "found") {
			t.Errorf("%s: compatible %v, messages %q", name, got.Is, got.Messages)
		}
	}
}

// TestOthers records what other checkers find in changes that are readable and mean something else.
// docs/contractdiff.md has the same table.
func TestOthers(t *testing.T) {
	for name, c := range changes() {
		t.Run(name, func(t *testing.T) {
			former, next := field(c.former), field(c.next)
			if all := Compare(parse(t, former), parse(t, next), Backward); len(all) == 0 || all[len(all)-1].Level != finding.Semantic {
				t.Errorf("here: %+v", all)
			}
			a, b := parseHamba(t, next), parseHamba(t, former)
			if err := hamba.NewSchemaCompatibility().Compatible(a, b); (err != nil) != c.hamba {
				t.Errorf("hamba: %v", err)
			}
			x, y := avro.MustParse(former), avro.MustParse(next)
			if err := avro.CheckCompatibility(x, y); (err != nil) != c.twmb {
				t.Errorf("twmb: %v", err)
			}
		})
	}
	nullable := `{"type":"record","name":"R","fields":[{"name":"f","type":["null","int"]}]}`
	empty := `{"type":"record","name":"R","fields":[]}`
	if err := avro.CheckCompatibility(avro.MustParse(empty), avro.MustParse(nullable)); err != nil {
		t.Errorf("twmb no longer assumes a default: %v", err)
	}
	if all := Compare(parse(t, empty), parse(t, nullable), Backward); len(all) != 1 || all[0].Level != finding.Breaking {
		t.Errorf("here: %+v", all)
	}
}

// parseHamba parses with a cache of its own: the common one confuses types of one name.
func parseHamba(t *testing.T, text string) hamba.Schema {
	t.Helper()
	s, err := hamba.ParseBytesWithCache([]byte(text), "", &hamba.SchemaCache{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
