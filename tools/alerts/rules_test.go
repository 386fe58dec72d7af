package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
)

var update = flag.Bool("update", false, "rewrite the file of rules")

const rulesFile = "../../docs/prometheus/deferpay.rules.yml"

// The file of rules is made from the guide, and Prometheus reads the same alerts in it.
func TestRulesFile(t *testing.T) {
	alerts := documented(t)
	want := rules(alerts)
	if *update {
		if err := os.WriteFile(rulesFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the guide has: run go test . -update", rulesFile)
	}
	read, faults := rulefmt.Parse(got, false, model.UTF8Validation, language, slog.New(slog.DiscardHandler))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	if len(read.Groups) != 1 || len(read.Groups[0].Rules) != len(alerts) {
		t.Fatalf("it has other rules than the guide: %+v", read)
	}
	for i, r := range read.Groups[0].Rules {
		a := alerts[i]
		if r.Alert != a.name || strings.TrimSpace(r.Expr) != a.expr || time.Duration(r.For) != a.pending || strings.TrimSpace(r.Annotations["description"]) != a.meaning {
			t.Errorf("the rule is %+v, the guide has %+v", r, a)
		}
		if len(a.meaning) < 30 || strings.ContainsAny(a.meaning, "\n[]") {
			t.Errorf("%s means %q", a.name, a.meaning)
		}
	}
}

// rules returns the alerts as a file of rules for Prometheus. A meaning is one line.
func rules(alerts []alert) string {
	var b strings.Builder
	b.WriteString("# Made by tools/alerts from docs/deployment.md, which describes these alerts. Do not edit.\n")
	b.WriteString("groups:\n  - name: deferpay\n    rules:\n")
	for _, a := range alerts {
		fmt.Fprintf(&b, "      - alert: %s\n        expr: |\n%s", a.name, indented(a.expr))
		if a.pending > 0 {
			fmt.Fprintf(&b, "        for: %s\n", model.Duration(a.pending))
		}
		fmt.Fprintf(&b, "        annotations:\n          description: |\n  %s", indented(a.meaning))
	}
	return b.String()
}

// indented returns the lines of a block of YAML.
func indented(text string) string {
	const by = "          "
	return by + strings.ReplaceAll(text, "\n", "\n"+by) + "\n"
}
