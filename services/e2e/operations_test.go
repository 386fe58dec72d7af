package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/devkafka/embedded/embeddedtest"
	"github.com/deferpay/deferpay/tools/fulltest"
	"github.com/deferpay/deferpay/tools/process"
)

// manual runs the commands of docs/operations.md.
type manual struct {
	t    *testing.T
	text string
	dir  string // where the commands run
	bin  string
}

func openManual(t *testing.T) *manual {
	t.Helper()
	root, err := process.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	m := &manual{t: t, text: string(text), dir: t.TempDir(), bin: t.TempDir()}
	if err := process.Build(t.Context(), root, m.bin, false, "./services/cmd/journal", "./tools/eventgen"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(root, "specs"), filepath.Join(m.dir, "specs")); err != nil {
		t.Fatal(err)
	}
	return m
}

// commands returns the lines of the code block of a section.
func (m *manual) commands(section string) []string {
	m.t.Helper()
	_, rest, found := strings.Cut(m.text, "\n## "+section+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	_, rest, fenced := strings.Cut(rest, "```sh\n")
	block, _, closed := strings.Cut(rest, "```")
	if !found || !fenced || !closed {
		m.t.Fatalf("docs/operations.md has no commands under %q", section)
	}
	return strings.Split(strings.TrimSpace(block), "\n")
}

// run runs a command line and returns its standard output. The test fails unless it succeeds.
func (m *manual) run(line string, env ...string) string {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-eu", "-c", line)
	cmd.Dir = m.dir
	cmd.Env = append(os.Environ(), append(env, "PATH="+m.bin+string(os.PathListSeparator)+os.Getenv("PATH"))...)
	var out, errors bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errors
	if err := cmd.Run(); err != nil {
		m.t.Fatalf("%s: %v\n%s%s", line, err, out.String(), errors.String())
	}
	return out.String()
}

// hash returns the member hash of a JSON object.
func (m *manual) hash(text string) string {
	m.t.Helper()
	var v struct{ Hash string }
	if err := json.Unmarshal([]byte(text), &v); err != nil || v.Hash == "" {
		m.t.Fatalf("no hash in %s: %v", text, err)
	}
	return v.Hash
}

// operationsOf returns the paths of the operations that purchases have made, and their service.
func operationsOf(purchases []*purchase) map[string]string {
	all := map[string]string{}
	for _, p := range purchases {
		all["/billing/v1/operations/"+p.verdict.OperationRef] = "billing"
	}
	return all
}

// answers returns what the services answer at paths.
func (s *system) answers(paths map[string]string) map[string]string {
	s.t.Helper()
	all := map[string]string{}
	for path, service := range paths {
		on := s.Contract
		if service == "billing" {
			on = s.Billing[0]
		}
		all[path] = s.must(on, "GET", path, "", "", nil, 200).body
	}
	return all
}

// Operations and the alerts of the deployment guide have the same alerts.
func TestOperationsNamesEveryAlert(t *testing.T) {
	root, err := process.Root()
	if err != nil {
		t.Fatal(err)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(root, "docs", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, fault := range alertFaults(read("deployment.md"), read("operations.md")) {
		t.Error(fault)
	}
}

var (
	alertMeaning = regexp.MustCompile("\n```\n\n(?:For [0-9]+ [a-z]+|At once); [^\n]")
	alertRow     = regexp.MustCompile(`(?m)^\| \[([^\]]+)\]\(deployment\.md#([^)]*)\) \| *(.*?) *\|$`)
)

// alertFaults returns where the alerts of the deployment guide lack an expression, a time or a
// meaning, and where the table of operations does not have each of them, in that order, with a
// link and what to do first.
func alertFaults(deployment, operations string) (faults []string) {
	_, deployment, _ = strings.Cut(deployment, "\n### Alerts\n")
	deployment, _, _ = strings.Cut(deployment, "\n### ")
	_, operations, _ = strings.Cut(operations, "\n## Alerts\n")
	operations, _, _ = strings.Cut(operations, "\n## ")
	var alerts, rows []string
	for _, text := range strings.Split(deployment, "\n#### ")[1:] {
		name, _, _ := strings.Cut(text, "\n")
		if n := len(codeBlock.FindAllString(text, -1)); n == 0 || n != len(alertMeaning.FindAllString(text, -1)) {
			faults = append(faults, fmt.Sprintf("%q lacks an expression, or after it the time and the meaning", name))
		}
		alerts = append(alerts, name)
	}
	for _, m := range alertRow.FindAllStringSubmatch(operations, -1) {
		name, anchor, first := m[1], m[2], m[3]
		if anchor != strings.ReplaceAll(strings.ToLower(name), " ", "-") {
			faults = append(faults, fmt.Sprintf("the row of %q leads to %q", name, anchor))
		}
		if first == "" {
			faults = append(faults, fmt.Sprintf("the row of %q does not say what to do first", name))
		}
		rows = append(rows, name)
	}
	if len(alerts) == 0 || !slices.Equal(alerts, rows) {
		faults = append(faults, fmt.Sprintf("the alerts are %q, and operations has rows of %q", alerts, rows))
	}
	return faults
}

func TestAlertFaults(t *testing.T) {
	const (
		deployment = "\n### Alerts\n\nThe expressions.\n\n#### It is down\n\n```\nup == 0\n```\n\nFor 30 s; it ended.\n" +
			"\n#### It is lost\n\n```\nlost > 0\n```\n\nAt once; look.\n\n```\nlost > 9\n```\n\nFor 5 m; look\nfor it.\n\n### Dashboard\n\n#### Panels\n"
		operations = "\n## Alerts\n\n| alert | first |\n| -- | -- |\n| [It is down](deployment.md#it-is-down) | start it |\n| [It is lost](deployment.md#it-is-lost) | find it |\n\n## More\n"
	)
	for name, c := range map[string]struct{ in, old, new, want string }{
		"alike":             {deployment, "up", "up", ""},
		"another alert":     {deployment, "It is down", "It is away", "the alerts are"},
		"no alerts":         {deployment, "### Alerts", "### Alarms", "the alerts are"},
		"no expression":     {deployment, "```\nup == 0\n```\n\n", "", `"It is down" lacks`},
		"no time":           {deployment, "For 30 s; it ended.", "It ended.", `"It is down" lacks`},
		"no second time":    {deployment, "For 5 m; look\nfor it.", "Look for it.", `"It is lost" lacks`},
		"no meaning":        {deployment, "At once; look.", "At once;", `"It is lost" lacks`},
		"no row":            {operations, "| [It is down](deployment.md#it-is-down) | start it |\n", "", "the alerts are"},
		"a row too many":    {operations, "\n## More", "| [It is up](deployment.md#it-is-up) | rest |\n\n## More", "the alerts are"},
		"the row elsewhere": {operations, "\n## Alerts\n", "\n## Others\n", "the alerts are"},
		"another link":      {operations, "#it-is-lost", "#it-is-down", "leads to"},
		"nothing to do":     {operations, "start it", "", "does not say what to do"},
	} {
		d, o := deployment, operations
		if !strings.Contains(c.in, c.old) {
			t.Fatalf("%s: nothing to change", name)
		}
		if c.in == d {
			d = strings.Replace(d, c.old, c.new, 1)
		} else {
			o = strings.Replace(o, c.old, c.new, 1)
		}
		got := strings.Join(alertFaults(d, o), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func environment(brokers []string, registry string) []string {
	return []string{"KAFKA_BROKERS=" + strings.Join(brokers, ","), "SCHEMA_REGISTRY_URL=" + registry}
}

// The system is restored on an empty broker by the words of docs/operations.md alone. It answers as
// before, and takes in a suspension that is later than the copy of billing's log.
func TestOperationsRestore(t *testing.T) {
	fulltest.Only(t, "it waits for sessions to end")
	m := openManual(t)
	s := start(t, setup{billing: 1})
	contracts := s.contracts("drill", 100, 100)
	kept, suspended := contracts[0], contracts[1]
	bought := s.buy("drill", kept, 3)

	old := environment(s.Brokers, s.Registry)
	backup := m.commands("Backup")
	m.run(backup[0], old...)
	s.toggle(func() *cluster.Service { return s.Contract }, suspended, "drill-suspend", patience)
	for _, line := range backup[1:] {
		m.run(line, old...)
	}
	var hashes []string
	for _, line := range m.commands("Compare") {
		hashes = append(hashes, m.hash(m.run(line)))
	}
	if hashes[1] != m.hash(m.run("journal verify -log contract", old...)) {
		t.Error("the dump of contract has another hash than its log")
	}
	asked := map[string]string{"/refcontract/v1/contracts/" + kept.ref: "contract", "/refcontract/v1/contracts/" + suspended.ref: "contract"}
	maps.Copy(asked, operationsOf(bought))
	before := s.answers(asked)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}

	k := embeddedtest.Start(t)
	var restored []string
	for _, line := range m.commands("Restore") {
		out := m.run(line, environment([]string{k.Broker}, k.Registry)...)
		if strings.HasPrefix(line, "journal verify") {
			restored = append(restored, m.hash(out))
		}
	}
	if len(restored) != 2 || restored[0] != hashes[1] || restored[1] != hashes[0] {
		t.Errorf("restored: hashes %v of contract and billing, want %s and %s", restored, hashes[1], hashes[0])
	}
	again := start(t, setup{billing: 1, embedded: k})
	again.shows(again.Billing[0], suspended, "SUSPENDED")
	for path, answer := range again.answers(asked) {
		if answer != before[path] {
			t.Errorf("%s\nbefore %s\nnow    %s", path, before[path], answer)
		}
	}
	for _, p := range bought { // a retry gets the answer of before
		again.insist(p, again.anyOf())
	}
}

// Garbage on billing's log is found, shown and declared void by the words of docs/operations.md.
// Both instances are ready again by themselves, and nothing else has changed.
func TestOperationsGarbage(t *testing.T) {
	fulltest.Only(t, "TestVoidGarbage of the tool takes less time")
	m := openManual(t)
	s := start(t, setup{billing: 2})
	c := s.contracts("garbage", 100)[0]
	bought := s.buy("garbage", c, 3)
	env := environment(s.Brokers, s.Registry)
	commands := m.commands("Garbage on a log")
	hash := m.hash(m.run(commands[2], env...))
	before := s.answers(operationsOf(bought))

	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	r, err := client.ProduceSync(t.Context(), &kgo.Record{Topic: billingLog, Value: []byte("garbage")}).First()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range s.Billing {
		s.unready(x, fmt.Sprintf("record @%d of billing.log.v1 is not a record of a journal", r.Offset))
		s.logged(x, "not ready: the log holds a record that cannot be read")
	}
	env = append(env, fmt.Sprintf("OFFSET=%d", r.Offset))
	if shown := m.run(commands[0], env...); !strings.Contains(shown, `"outcome":"unreadable"`) {
		t.Errorf("%s printed %s", commands[0], shown)
	}
	m.run(commands[1], env...)
	for _, x := range s.Billing {
		s.waitReady(x)
	}
	if got := m.hash(m.run(commands[2], env...)); got != hash {
		t.Errorf("the hash is %s, and was %s", got, hash)
	}
	for path, answer := range s.answers(operationsOf(bought)) {
		if answer != before[path] {
			t.Errorf("%s\nbefore %s\nnow    %s", path, before[path], answer)
		}
	}
	more := s.buy("more", c, 1)
	if !more[0].verdict.Accepted {
		t.Errorf("a purchase afterwards: %s", more[0].body)
	}
}
