package call

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestAnswerMembers(t *testing.T) {
	var a Answer
	d := json.NewDecoder(strings.NewReader(`{"outstanding":{"total":{"amount":9007199254740991,"currency":"EUR"}},"status":"ACTIVE"}`))
	d.UseNumber()
	if err := d.Decode(&a.Body); err != nil {
		t.Fatal(err)
	}
	if a.Amount("outstanding.total") != 9007199254740991 || a.Text("status") != "ACTIVE" || a.Amount("available") != -1 || a.Text("no.such.thing") != "" {
		t.Errorf("%v", a)
	}
}
