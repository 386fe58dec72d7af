package foreignhttp

import (
	"strings"
	"testing"
)

const run = `=================================== FAILURES ===================================
______________________________ DELETE /operations ______________________________
1. Test Case ID: M1jTfs

- ST204 Wrong response to undeclared method

    Unsupported method DELETE returned 400, expected 405 Method Not Allowed

_______________________________ POST /operations _______________________________
1. Test Case ID: YvBwyQ

- ST202 Schema-valid request rejected

[422] Unprocessable Content:

    {"code":"purchase-refused"}

=================================== SUMMARY ====================================

API Operations:
  Selected: 12/12
  Tested: 12
`

func TestFindings(t *testing.T) {
	found, err := Findings(run)
	if err != nil || len(found) != 2 || found[0].Operation != "DELETE /operations" || found[1].Check != "ST202" ||
		!strings.Contains(found[1].Text, `"purchase-refused"`) || strings.Contains(found[1].Text, "Selected") {
		t.Fatalf("%+v %v", found, err)
	}
	list, err := explanations("# comment\nST202 | \"purchase-refused\" | a decision\nST101 | . | never\n")
	if err != nil {
		t.Fatal(err)
	}
	faults, unused := Unexplained(found, list)
	if len(faults) != 1 || faults[0].Check != "ST204" || len(unused) != 1 || unused[0].Check != "ST101" {
		t.Errorf("faults %+v, unused %+v", faults, unused)
	}
}

func TestRunIsIncomplete(t *testing.T) {
	for name, output := range map[string]string{
		"no summary":           "Traceback",
		"an operation is left": strings.Replace(run, "Tested: 12", "Tested: 11", 1),
		"one was not judged":   "=== ERRORS ===\nNetwork Error\n" + run,
		"one is not selected":  strings.Replace(run, "12/12", "11/12", 1),
	} {
		if _, err := Findings(output); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestExplainedList(t *testing.T) {
	if list, err := Explained(); err != nil || len(list) == 0 {
		t.Errorf("%d explanations, %v", len(list), err)
	}
	for _, bad := range []string{"ST101 | no reason", "ST101 | ( | broken"} {
		if _, err := explanations(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
