package avrodiff

import (
	"testing"

	hamba "github.com/hamba/avro/v2"
	"github.com/twmb/avro"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
)

// TestOthers records what other checkers find in changes that are readable and mean something else.
// docs/contractdiff.md has the same table.
func TestOthers(t *testing.T) {
	enum := func(more string) string { return `{"type":"enum","name":"E","symbols":["A","B"]` + more + `}` }
	for name, c := range map[string]struct {
		former, next string
		hamba, twmb  bool // finds something
	}{
		"scale of a decimal":    {decimal(9, 2), decimal(9, 3), false, true},
		"unit of a timestamp":   {logical("long", "timestamp-millis"), logical("long", "timestamp-micros"), false, false},
		"date to timestamp":     {logical("int", "date"), logical("long", "timestamp-millis"), false, false},
		"uuid dropped":          {logical("string", "uuid"), `"string"`, false, false},
		"enum default removed":  {enum(`,"default":"A"`), enum(``), false, false},
		"long to double":        {`"long"`, `"double"`, false, false},
		"instant to local time": {logical("long", "timestamp-micros"), logical("long", "local-timestamp-micros"), false, false},
	} {
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
