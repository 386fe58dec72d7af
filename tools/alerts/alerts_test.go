package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const chapter = "../../docs/deployment.md"

func documented(t *testing.T) []alert {
	t.Helper()
	text, err := os.ReadFile(chapter)
	if err != nil {
		t.Fatal(err)
	}
	all, err := read(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestDocumentedAlerts(t *testing.T) {
	all := documented(t)
	if len(all) < 20 {
		t.Errorf("%d expressions were found", len(all))
	}
	if a := all[0]; a.name != "Nobody serves" || a.pending != 30*time.Second || !strings.Contains(a.expr, "absent(") {
		t.Errorf("the first alert is %+v", a)
	}
}

var metricRow = regexp.MustCompile("(?m)^\\| `(deferpay_\\w+)` \\| \\S")

// An alert looks at each metric, or the guide says why none does.
func TestMetricsWithoutAlert(t *testing.T) {
	text, err := os.ReadFile(chapter)
	if err != nil {
		t.Fatal(err)
	}
	_, monitoring, _ := strings.Cut(string(text), "\n## Monitoring\n")
	all, rest, _ := strings.Cut(monitoring, "\n### Alerts\n")
	_, rest, _ = strings.Cut(rest, "\n### Metrics without an alert\n")
	excused, _, _ := strings.Cut(rest, "\n### ")
	looks := map[string]bool{}
	for _, a := range documented(t) {
		for _, name := range regexp.MustCompile(`deferpay_\w+`).FindAllString(a.expr, -1) {
			looks[strings.TrimSuffix(name, "_bucket")] = true
		}
	}
	without := map[string]bool{}
	for _, m := range metricRow.FindAllStringSubmatch(excused, -1) {
		if looks[m[1]] || without[m[1]] {
			t.Errorf("%s has an alert, or is there twice", m[1])
		}
		without[m[1]] = true
	}
	for _, m := range metricRow.FindAllStringSubmatch(all, -1) {
		if !looks[m[1]] && !without[m[1]] {
			t.Errorf("no alert looks at %s, and the guide does not say why", m[1])
		}
		delete(looks, m[1])
		delete(without, m[1])
	}
	if len(looks)+len(without) > 0 {
		t.Errorf("these are not among the metrics: %v %v", looks, without)
	}
}

func TestReadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no chapter":     "\n## Monitoring\n",
		"no duration":    "\n### Alerts\n\n#### A\n\n```\nup == 0\n```\n\nSoon; it is down.\n",
		"one without it": "\n### Alerts\n\n#### A\n\n```\nup == 0\n```\n\nAt once; x.\n\n```\nup == 0\n```\n\nSoon.\n",
		"not valid":      "\n### Alerts\n\n#### A\n\n```\nup ==\n```\n\nAt once; it is down.\n",
		"no expression":  "\n### Alerts\n\n#### A\n\nAt once; it is down.\n",
		"no such time":   "\n### Alerts\n\n#### A\n\n```\nup == 0\n```\n\nFor 5 weeks; it is down.\n",
	} {
		if all, err := read(text); err == nil {
			t.Errorf("%s: read %v", name, all)
		}
	}
}

// scrapes returns n scrapes of an instance of each service, 15 s apart.
func scrapes(n int, text func(i int, job string) string) (all []scrape) {
	for i := range n {
		for _, job := range []string{"contract", "billing"} {
			all = append(all, scrape{At: int64(15 * i), Job: job, Instance: job + "-1", Text: text(i, job)})
		}
	}
	return all
}

const healthy = "deferpay_ready 1\ndeferpay_publishes 1\n"

func TestFiring(t *testing.T) {
	alerts := documented(t)
	for _, test := range []struct {
		name string
		n    int
		text func(i int, job string) string
		want []string
	}{
		{"healthy", 60, func(int, string) string { return healthy }, nil},
		{"not ready for a short time", 60, func(i int, _ string) string {
			return strings.Replace(healthy, "ready 1", fmt.Sprint("ready ", min(1, 59-i)), 1)
		}, nil},
		{"away", 60, func(i int, job string) string {
			if job == "billing" && i > 30 {
				return ""
			}
			return healthy
		}, []string{`Nobody serves {job="billing"}`, `An instance does not serve {instance="billing-1", job="billing"}`}},
		{"away for a minute", 60, func(i int, job string) string {
			if job == "billing" && i > 55 {
				return ""
			}
			return healthy
		}, []string{`Nobody serves {job="billing"}`}},
		{"a first dead letter", 60, func(i int, job string) string {
			if i < 59 {
				return healthy
			}
			return healthy + "deferpay_messages_total{operation=\"x\",outcome=\"dead-lettered\"} 1\n"
		}, []string{
			`A dead letter was written {instance="billing-1", job="billing", operation="x", outcome="dead-lettered"}`,
			`A dead letter was written {instance="contract-1", job="contract", operation="x", outcome="dead-lettered"}`,
		}},
		{"one failed snapshot", 60, func(i int, job string) string {
			return healthy + fmt.Sprintf("deferpay_log_snapshot_failures_total %d\n", i/59)
		}, nil},
		{"two failed snapshots", 60, func(i int, job string) string {
			return healthy + fmt.Sprintf("deferpay_log_snapshot_failures_total %d\n", max(0, i-57))
		}, []string{
			`No snapshot is taken {instance="billing-1", job="billing"}`, `No snapshot is taken {instance="contract-1", job="contract"}`,
		}},
	} {
		got, err := firing(alerts, scrapes(test.n, test.text))
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q fire (%v), want %q", test.name, got, err, test.want)
		}
	}
}

func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alerts.md")
	if err := os.WriteFile(path, []byte("\n### Alerts\n\n#### Away\n\n```\nup == 0\n```\n\nFor 30 s; it is away.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	away, err := json.Marshal(scrapes(3, func(int, string) string { return "" }))
	if err != nil {
		t.Fatal(err)
	}
	for input, want := range map[string]string{
		string(away): "Away {instance=\"billing-1\", job=\"billing\"}\nAway {instance=\"contract-1\", job=\"contract\"}\n", string(away[:len(away)/2]): "read scrapes", "[]": "no scrapes",
		`[{"at":1,"text":"x y z"}]`:  "invalid syntax",
		`[{"at":15},{"at":0}]`:       "order of time",
		`[{"at":1,"text":"up 1\n"}]`: "",
	} {
		var out bytes.Buffer
		got := ""
		if err := run([]string{path}, strings.NewReader(input), &out); err != nil {
			got = err.Error()
		}
		if got += out.String(); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%.60s: %q, want %q", input, got, want)
		}
	}
}
