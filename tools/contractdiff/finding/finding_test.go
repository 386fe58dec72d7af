package finding

import "testing"

func TestMerge(t *testing.T) {
	one := Finding{Level: Warning, ID: "X", File: "a", Message: "m", Hint: "h", Uses: []string{"B"}}
	two := one
	two.Level, two.Hint, two.Uses = Breaking, "i", []string{"A"}
	other := Finding{Level: Info, ID: "Y", File: "a", Message: "n"}
	all := Merge([]Finding{other, one, two, one})
	if len(all) != 2 || all[0].Level != Breaking || all[0].Message != "m (A, B)" || all[0].Hint != "h; i" || all[1].ID != "Y" {
		t.Errorf("%+v", all)
	}
	if Worst(all) != Breaking || Worst(nil) != Info {
		t.Errorf("the worst are %s and %s", Worst(all), Worst(nil))
	}
}
