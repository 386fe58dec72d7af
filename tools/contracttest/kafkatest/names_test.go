package kafkatest

import (
	"strings"
	"testing"
)

func TestSameSchemaOtherText(t *testing.T) {
	a := `{"type":"record","name":"A","namespace":"x","fields":[{"name":"b","type":{"type":"enum","name":"B","symbols":["S"]}},{"name":"c","type":["null","B"]}]}`
	b := `{"name":"x.A","fields":[{"type":{"name":"x.B","symbols":["S"],"type":"enum"},"name":"b"},{"name":"c","type":["null","x.B"]}],"type":"record"}`
	if !sameJSON(a, b) {
		t.Error("two texts of one schema differ")
	}
	if sameJSON(a, strings.Replace(b, `"S"`, `"T"`, 1)) {
		t.Error("schemas with different symbols are equal")
	}
}
