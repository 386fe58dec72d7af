package source

import (
	"strings"
	"testing"
)

func TestPretty(t *testing.T) {
	long := strings.Repeat("é", 70)
	n, ds := Parse("a.json", []byte(`{"type":"record","doc":"`+long+`","fields":[{"name":"a","type":"int"},{"name":"b","doc":"`+long+`"}],"empty":[]}`))
	if ds.HasErrors() {
		t.Fatal(ds)
	}
	want := `{
    "type": "record",
    "doc": "` + long + `",
    "fields": [
      {"name": "a", "type": "int"},
      {"name": "b", "doc": "` + long + `"}
    ],
    "empty": []
  }`
	got := n.Pretty(2)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	again, ds := Parse("a.json", []byte(got))
	if ds.HasErrors() || !Equal(n, again) {
		t.Errorf("it is read as another value: %v", ds)
	}
}
