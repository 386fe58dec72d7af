package compat

import (
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/draw"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/resolve"
)

// TestVerdictHolds reads drawn values of the writer with the reader's schema: all can be read if
// the schemas are compatible, and none if the verdict is that none can.
func TestVerdictHolds(t *testing.T) {
	both, met := 0, map[Verdict]int{}
	for seed := range uint64(2000) {
		former, later := drawPair(seed)
		writer, reader := parsed(t, former), parsed(t, later)
		result := Check(reader, writer)
		if idsOf(result) == string(Ambiguous) {
			continue // readers differ in which of the fields they take
		}
		verdict := result.Verdict
		met[verdict]++
		read, failed := readValues(former, later, func(i uint64) []byte { return draw.New(i).Append(nil, writer) })
		if verdict == Compatible && failed > 0 || verdict == AllFail && read > 0 {
			t.Errorf("pair %d: %s, but %d values were read and %d were not\nreader %s\nwriter %s", seed, verdict, read, failed, later, former)
		}
		if verdict == SomeFail && read > 0 && failed > 0 {
			both++
		}
	}
	t.Logf("verdicts %v; of some that fail, %d pairs had values of both kinds", met, both)
	if met[Compatible] < 100 || met[AllFail] < 100 || both < 50 {
		t.Error("too few pairs of a kind")
	}
}

func readValues(writer, reader string, value func(uint64) []byte) (read, failed int) {
	plan, err := resolve.NewPlan(writer, &avrobin.Type{Schema: reader})
	for i := range uint64(12) {
		if err == nil {
			if _, err := plan.Transcode(nil, value(i)); err == nil {
				read++
				continue
			}
		}
		failed++
	}
	return read, failed
}

func TestVerdict(t *testing.T) {
	for name, c := range map[string]struct {
		writer, reader string
		want           Verdict
	}{
		"an empty array can be read":     {`{"type":"array","items":"string"}`, `{"type":"array","items":"int"}`, SomeFail},
		"an empty map can be read":       {`{"type":"map","values":"string"}`, `{"type":"map","values":"int"}`, SomeFail},
		"one branch is gone":             {`["null","int"]`, `["null","string"]`, SomeFail},
		"no branch is left":              {`["boolean","int"]`, `["null","string"]`, AllFail},
		"null to a type":                 {`["null","int"]`, `"int"`, SomeFail},
		"one symbol is gone":             {`{"type":"enum","name":"E","symbols":["A","B"]}`, `{"type":"enum","name":"E","symbols":["A"]}`, SomeFail},
		"no symbol is left":              {`{"type":"enum","name":"E","symbols":["A","B"]}`, `{"type":"enum","name":"E","symbols":["C"]}`, AllFail},
		"one of two fields always fails": {`{"type":"record","name":"R","fields":[{"name":"a","type":["null","int"]},{"name":"b","type":"int"}]}`, `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"string"}]}`, AllFail},
		"the rest of a list fails too": {`{"type":"record","name":"L","fields":[{"name":"v","type":"long"},{"name":"next","type":["null","L"]}]}`,
			`{"type":"record","name":"L","fields":[{"name":"v","type":"int"},{"name":"next","type":["null","L"]}]}`, AllFail},
		"a promotion": {`"int"`, `["null","long"]`, Compatible},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Check(parsed(t, c.reader), parsed(t, c.writer)).Verdict; got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestPlaces(t *testing.T) {
	const money = `{"type":"record","name":"M","fields":[{"name":"n","type":"int"}]}`
	for name, c := range map[string]struct{ writer, reader, id, pointer string }{
		"missing default": {`{"type":"record","name":"R","fields":[]}`, `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`, "READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/0"},
		"type of a field": {`{"type":"record","name":"R","fields":[{"name":"a","type":"long"}]}`, `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`, "TYPE_MISMATCH", "/fields/0/type"},
		"items":           {`{"type":"array","items":"long"}`, `{"type":"array","items":{"type":"int"}}`, "TYPE_MISMATCH", "/items"},
		"values":          {`{"type":"map","values":"string"}`, `{"type":"map","values":"int"}`, "TYPE_MISMATCH", "/values"},
		"branch gone":     {`["null","int"]`, `["null","string"]`, "MISSING_UNION_BRANCH", ""},
		"name":            {`{"type":"fixed","name":"A","size":2}`, `{"type":"fixed","name":"B","size":2}`, "NAME_MISMATCH", "/name"},
		"size":            {`{"type":"fixed","name":"A","size":2}`, `{"type":"fixed","name":"A","size":3}`, "FIXED_SIZE_MISMATCH", "/size"},
		"symbols":         {`{"type":"enum","name":"A","symbols":["X","Y"]}`, `{"type":"enum","name":"A","symbols":["X"]}`, "MISSING_ENUM_SYMBOLS", "/symbols"},
		"named type, used": {`{"type":"record","name":"R","fields":[{"name":"a","type":` + money + `},{"name":"b","type":"string"}]}`,
			`{"type":"record","name":"R","fields":[{"name":"a","type":` + money + `},{"name":"b","type":"M"}]}`, "TYPE_MISMATCH", "/fields/1/type"},
	} {
		t.Run(name, func(t *testing.T) {
			reader := parsed(t, c.reader)
			all := Check(reader, parsed(t, c.writer)).All
			if len(all) != 1 || string(all[0].ID) != c.id || Pointers(reader.Node)[all[0].At] != c.pointer {
				t.Errorf("%+v at %q, want %s at %q", all, Pointers(reader.Node)[all[0].At], c.id, c.pointer)
			}
		})
	}
}
