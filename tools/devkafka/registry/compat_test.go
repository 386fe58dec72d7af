package registry

import (
	"strings"
	"testing"
)

func record(fields string) Text {
	return Text{Schema: `{"type":"record","name":"R","namespace":"a","fields":[` + fields + `]}`}
}

func TestCanRead(t *testing.T) {
	const x, y = `{"name":"x","type":"int"}`, `{"name":"y","type":"int","default":0}`
	inner := func(fields string) string {
		return `{"name":"in","type":{"type":"array","items":{"type":"map","values":{"type":"record","name":"In","fields":[` + fields + `]}}}}`
	}
	for name, c := range map[string]struct {
		reader, writer Text
		want           string // part of the error; "" for none
	}{
		"same":                        {record(x), record(x), ""},
		"field with default added":    {record(x + "," + y), record(x), ""},
		"field dropped":               {record(x), record(x + "," + y), ""},
		"field without default":       {record(x + `,{"name":"z","type":"int"}`), record(x), "z"},
		"nullable without default":    {record(x + `,{"name":"z","type":["null","int"]}`), record(x), "z"},
		"null as object":              {record(x + `,{"name":"z","type":[{"type":"null"},"int"]}`), record(x), "z"},
		"nullable with default":       {record(x + `,{"name":"z","type":["null","int"],"default":null}`), record(x), ""},
		"nullable that was there":     {record(`{"name":"z","type":["null","int"]}`), record(`{"name":"z","type":["null","int"]}`), ""},
		"made nullable":               {record(`{"name":"z","type":["null","int"]}`), record(`{"name":"z","type":"int"}`), ""},
		"deep nullable, no default":   {record(inner(x + `,{"name":"z","type":["null","string"]}`)), record(inner(x)), "z"},
		"promotion":                   {record(`{"name":"x","type":"long"}`), record(x), ""},
		"narrowing":                   {record(x), record(`{"name":"x","type":"long"}`), "/fields/0/type"},
		"enum symbol without default": {Text{Schema: `{"type":"enum","name":"E","symbols":["A"]}`}, Text{Schema: `{"type":"enum","name":"E","symbols":["A","B"]}`}, "B"},
		"enum symbol with default":    {Text{Schema: `{"type":"enum","name":"E","symbols":["A"],"default":"A"}`}, Text{Schema: `{"type":"enum","name":"E","symbols":["A","B"]}`}, ""},
		"reference": {
			Text{Schema: `{"type":"record","name":"R","fields":[{"name":"m","type":"M"}]}`, References: []string{`{"type":"record","name":"M","fields":[{"name":"n","type":["null","int"]}]}`}},
			Text{Schema: `{"type":"record","name":"R","fields":[{"name":"m","type":{"type":"record","name":"M","fields":[]}}]}`}, "n"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Avro{}.CanRead(c.reader, c.writer)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("CanRead = %v, want %q", err, c.want)
			}
		})
	}
}

func TestLevels(t *testing.T) {
	one := `{"name":"a","type":"int","default":1}`
	v1, v2 := record(one), record(one+`,{"name":"b","type":"int","default":1}`)
	// compatible with both versions in both directions
	dropsB := record(one)
	// cannot read either version; both can read it
	needsC := record(one + `,{"name":"c","type":"int"}`)
	// reads both versions; both have a default for a
	noA := record(`{"name":"b","type":"int","default":1}`)
	// conflicts with version 2 alone
	retypesB := record(one + `,{"name":"b","type":"string","default":""}`)
	// conflicts with version 1 alone if version 2 is noA
	retypesA := record(`{"name":"a","type":"string","default":""}`)
	for _, c := range []struct {
		level string
		next  Text
		older []Text
		bad   int
	}{
		{"BACKWARD", dropsB, []Text{v1, v2}, 0},
		{"FULL_TRANSITIVE", dropsB, []Text{v1, v2}, 0},
		{"BACKWARD", needsC, []Text{v1, v2}, 1},
		{"BACKWARD_TRANSITIVE", needsC, []Text{v1, v2}, 2},
		{"FORWARD", needsC, []Text{v1, v2}, 0},
		{"FORWARD_TRANSITIVE", needsC, []Text{v1, v2}, 0},
		{"FULL", needsC, []Text{v1, v2}, 1},
		{"NONE", needsC, []Text{v1, v2}, 0},
		{"FULL", retypesB, []Text{v1, v2}, 2},
		{"FULL", retypesA, []Text{v1, noA}, 0},
		{"BACKWARD_TRANSITIVE", retypesA, []Text{v1, noA}, 1},
		{"FORWARD_TRANSITIVE", retypesA, []Text{v1, noA}, 1},
		{"FULL_TRANSITIVE", retypesA, []Text{v1, noA}, 2},
		{"FULL_TRANSITIVE", retypesA, nil, 0},
	} {
		var older []version
		for i := range c.older {
			older = append(older, version{Version: i + 1})
		}
		why := incompatibilities(Avro{}, c.level, older, func(v version) Text { return c.older[v.Version-1] }, c.next)
		if len(why) != c.bad {
			t.Errorf("%s of %s: %d reasons %q, want %d", c.level, c.next.Schema, len(why), why, c.bad)
		}
	}
}
