package avrodiff

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/contractdiff/finding"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
)

func parse(t *testing.T, text string) *schema.Type {
	t.Helper()
	own, err := schema.Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return own
}

func field(typ string) string {
	return `{"type":"record","name":"R","fields":[{"name":"f","type":` + typ + `}]}`
}

func logical(typ, name string) string {
	return fmt.Sprintf(`{"type":%q,"logicalType":%q}`, typ, name)
}

func decimal(precision, scale int) string {
	return fmt.Sprintf(`{"type":"bytes","logicalType":"decimal","precision":%d,"scale":%d}`, precision, scale)
}

// TestMeaning holds the differences of schemas that can read each other's data.
func TestMeaning(t *testing.T) {
	named := func(name, alias string) string {
		return `{"type":"record","name":"R","fields":[{"name":"` + name + `","aliases":["` + alias + `"],"type":"long","default":0}]}`
	}
	enum := func(more string) string { return `{"type":"enum","name":"E","symbols":["A","B"]` + more + `}` }
	for name, c := range map[string]struct{ former, next, want string }{
		"the same":                   {field(decimal(9, 2)), field(decimal(9, 2)), ""},
		"scale":                      {field(decimal(9, 2)), field(decimal(9, 3)), "semantic DECIMAL_SCALE_CHANGED"},
		"precision":                  {field(decimal(9, 2)), field(decimal(12, 2)), "semantic DECIMAL_PRECISION_CHANGED"},
		"precision and scale":        {decimal(9, 2), decimal(12, 3), "semantic DECIMAL_PRECISION_CHANGED, semantic DECIMAL_SCALE_CHANGED"},
		"bytes to a decimal":         {`"bytes"`, decimal(9, 2), "semantic LOGICAL_TYPE_CHANGED"},
		"unit":                       {logical("long", "timestamp-millis"), logical("long", "timestamp-micros"), "semantic TIME_UNIT_CHANGED"},
		"unit of local time":         {logical("long", "local-timestamp-micros"), logical("long", "local-timestamp-nanos"), "semantic TIME_UNIT_CHANGED"},
		"unit and width":             {logical("int", "time-millis"), logical("long", "time-micros"), "semantic TIME_UNIT_CHANGED"},
		"instant to local time":      {logical("long", "timestamp-micros"), logical("long", "local-timestamp-micros"), "semantic LOGICAL_TYPE_CHANGED"},
		"date to timestamp":          {logical("int", "date"), logical("long", "timestamp-millis"), "semantic DATE_TIMESTAMP_CHANGED"},
		"uuid dropped":               {logical("string", "uuid"), `"string"`, "semantic UUID_DROPPED"},
		"uuid added":                 {`"string"`, logical("string", "uuid"), "semantic LOGICAL_TYPE_CHANGED"},
		"in a list":                  {`{"type":"array","items":` + decimal(9, 2) + `}`, `{"type":"array","items":` + decimal(9, 4) + `}`, "semantic DECIMAL_SCALE_CHANGED"},
		"in a map":                   {`{"type":"map","values":` + decimal(9, 2) + `}`, `{"type":"map","values":` + decimal(9, 4) + `}`, "semantic DECIMAL_SCALE_CHANGED"},
		"in a branch":                {`["null",` + decimal(9, 2) + `]`, `[` + decimal(9, 4) + `,"null"]`, "semantic DECIMAL_SCALE_CHANGED"},
		"made nullable":              {decimal(9, 2), `["null",` + decimal(9, 4) + `]`, "semantic DECIMAL_SCALE_CHANGED"},
		"enum default removed":       {enum(`,"default":"A"`), enum(``), "semantic ENUM_DEFAULT_REMOVED"},
		"enum default changed":       {enum(`,"default":"A"`), enum(`,"default":"B"`), "warning ENUM_DEFAULT_CHANGED"},
		"enum default added":         {enum(``), enum(`,"default":"B"`), ""},
		"long to double":             {`"long"`, `"double"`, "semantic NUMBER_ROUNDED"},
		"int to long":                {`"int"`, `"long"`, ""},
		"text to bytes":              {`"string"`, `"bytes"`, "semantic TEXT_BYTES_CHANGED"},
		"cents to euros":             {named("amountCents", "x"), named("amountEuros", "amountCents"), "semantic UNIT_IN_NAME_CHANGED"},
		"cents, without an alias":    {named("amount_cents", "x"), named("amount", "y"), "semantic UNIT_IN_NAME_CHANGED"},
		"renamed, without a unit":    {named("customer", "x"), named("buyer", "customer"), ""},
		"default changed":            {`{"type":"record","name":"R","fields":[{"name":"f","type":"int","default":1}]}`, `{"type":"record","name":"R","fields":[{"name":"f","type":"int","default":2}]}`, "warning FIELD_DEFAULT_CHANGED"},
		"a list that contains lists": {`{"type":"record","name":"L","fields":[{"name":"d","type":` + decimal(4, 1) + `},{"name":"next","type":["null","L"]}]}`, `{"type":"record","name":"L","fields":[{"name":"d","type":` + decimal(4, 2) + `},{"name":"next","type":["null","L"]}]}`, "semantic DECIMAL_SCALE_CHANGED"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, d := range Compare(parse(t, c.former), parse(t, c.next), None) {
				got = append(got, d.Level.String()+" "+d.ID)
			}
			slices.Sort(got)
			if text := strings.Join(got, ", "); text != c.want {
				t.Errorf("%s, want %s", text, c.want)
			}
		})
	}
}

// TestOrder holds the level of each direction, and who is deployed first because of it.
func TestOrder(t *testing.T) {
	added, removed := field(`"int"`), `{"type":"record","name":"R","fields":[]}`
	for name, c := range map[string]struct {
		former, next string
		mode         Mode
		want         string
	}{
		"added, backward":   {removed, added, Backward, "breaking producers"},
		"added, forward":    {removed, added, Forward, "warning producers"},
		"removed, backward": {added, removed, Backward, "warning consumers"},
		"removed, forward":  {added, removed, Forward, "breaking consumers"},
		"removed, full":     {added, removed, FullTransitive, "breaking consumers"},
		"removed, none":     {added, removed, None, ""},
	} {
		got := ""
		for _, d := range Compare(parse(t, c.former), parse(t, c.next), c.mode) {
			got += d.Level.String() + " " + map[finding.Order]string{finding.ConsumersFirst: "consumers", finding.ProducersFirst: "producers"}[d.Order]
			if d.Hint == "" || (d.Side == finding.Old) != (d.Order == finding.ConsumersFirst) {
				t.Errorf("%s: %+v", name, d)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
