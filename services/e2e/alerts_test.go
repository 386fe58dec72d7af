package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/fulltest"
	"github.com/deferpay/deferpay/tools/process"
)

// alarm collects what instances expose, as Prometheus would, and evaluates the alerts of
// docs/deployment.md. Its time runs faster: a scrape counts as scrapeEvery after the one before it.
type alarm struct {
	*system
	command, chapter string
	scrapes          []scraped
	at               int64
}

// scraped is a scrape for tools/alerts.
type scraped struct {
	At       int64  `json:"at"`
	Job      string `json:"job"`
	Instance string `json:"instance"`
	Text     string `json:"text"`
}

const scrapeEvery = 15 // seconds

func newAlarm(s *system) *alarm {
	s.t.Helper()
	root, err := process.Root()
	if err != nil {
		s.t.Fatal(err)
	}
	a := &alarm{system: s, command: filepath.Join(s.t.TempDir(), "alerts"), chapter: filepath.Join(root, "docs", "deployment.md")}
	build := exec.CommandContext(s.t.Context(), "go", "build", "-o", a.command, ".")
	build.Dir = filepath.Join(root, "tools", "alerts")
	if out, err := build.CombinedOutput(); err != nil {
		s.t.Fatalf("build tools/alerts: %v\n%s", err, out)
	}
	return a
}

// scrape reads every instance once.
func (a *alarm) scrape() {
	for _, x := range a.services() {
		job, _, _ := strings.Cut(x.Name(), "-")
		c := scraped{At: a.at, Job: job, Instance: x.Name()}
		if got, err := a.send(x, "GET", "/metrics", "", "", nil); err == nil && got.status == 200 {
			c.Text = got.body
		}
		a.scrapes = append(a.scrapes, c)
	}
	a.at += scrapeEvery
}

// firing scrapes for so long, in the time of the scrapes, and returns the alerts that fire then.
func (a *alarm) firing(long time.Duration) []string {
	a.t.Helper()
	for range int(long.Seconds()) / scrapeEvery {
		a.scrape()
		time.Sleep(100 * time.Millisecond) // counters move between scrapes
	}
	input, err := json.Marshal(a.scrapes)
	if err != nil {
		a.t.Fatal(err)
	}
	command := exec.CommandContext(a.t.Context(), a.command, a.chapter)
	command.Stdin, command.Stderr = bytes.NewReader(input), os.Stderr
	out, err := command.Output()
	if err != nil {
		a.t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(string(out), "\n"), func(name string) bool { return name == "" })
}

// expect checks that alerts fire. Want is how the lines of tools/alerts begin.
func (a *alarm) expect(when string, fires []string, want ...string) {
	a.t.Helper()
	a.t.Logf("%s: %q", when, fires)
	for _, w := range want {
		if !slices.ContainsFunc(fires, func(line string) bool { return strings.HasPrefix(line, w) }) {
			a.t.Errorf("%s: %q does not fire", when, w)
		}
	}
}

// sum returns the sum of a metric over instances.
func (a *alarm) sum(of []*cluster.Service, metric string) (total float64) {
	for _, x := range of {
		for name, value := range a.metrics(x) {
			if name == metric {
				total += value
			}
		}
	}
	return total
}

// reaches waits until the sum of a metric over instances is at least so much.
func (a *alarm) reaches(of []*cluster.Service, metric string, least float64) {
	a.t.Helper()
	a.until(metric+" grows", func() error {
		if got := a.sum(of, metric); got < least {
			return fmt.Errorf("it is %v, want %v", got, least)
		}
		return nil
	})
}

// blocks sends messages of so many contracts that a service does not lay all of them aside, with
// the id of a schema that cannot be looked up now, and waits until they have kept their partition
// from moving for a while.
func (a *alarm) blocks(in *intake, id int, service ...*cluster.Service) {
	a.t.Helper()
	var unreadable []*kgo.Record
	for n := range 1_100 {
		unreadable = append(unreadable, in.record(id, nil, fmt.Sprint("CTR-", 10_000+n)))
	}
	in.produce(unreadable...)
	a.reaches(service, "deferpay_messages_blocked_seconds", 11)
}

// No alert fires while a system is healthy, and those about what is provoked here do fire. Alerts
// on rates that last for minutes are not among them: a retry pauses for longer than the time
// between two scrapes stands for. The cases of tools/alerts have these.
func TestAlerts(t *testing.T) {
	fulltest.Only(t, "it builds the engine of Prometheus")
	embeddedOnly(t, "alerts look at metrics of the services")
	mask := &impostor{}
	s := start(t, setup{billing: 2, front: mask.front(t)})
	a := newAlarm(s)
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	bought := s.contracts("alert", 1_000_000)[0]
	for n := range 4 {
		s.buy(fmt.Sprint("healthy-", n), bought, 10)
		if fires := a.firing(3 * time.Minute); len(fires) > 0 {
			t.Fatalf("a healthy system fires %q", fires)
		}
	}

	in := &intake{system: s, client: client, topic: contractFacts, name: "deferpay.event.ContractRepublished", parked: "CTR-8000"}
	in.produce(&kgo.Record{Topic: contractFacts, Key: []byte("CTR-9000"), Value: []byte("garbage")})
	a.reaches(s.Billing, `deferpay_messages_total{message="",operation="onContractFacts",outcome="dead-lettered"}`, 1)
	a.expect("after garbage on a topic", a.firing(time.Minute), "A dead letter was written")

	in.park("billing.log.v1", "ContractUnreadable", in.unreadable())
	a.reaches(s.Billing, "deferpay_streams_parked", 2)
	a.expect("after an impossible record", a.firing(time.Minute), "A contract is parked")

	if _, err := kadm.NewClient(client).DeleteTopics(t.Context(), "billing.snapshots.v1"); err != nil {
		t.Fatal(err)
	}
	s.buy("unkept", bought, 250)
	foreign := in.register("of-nobody", `{"type":"record","name":"Nobody","fields":[]}`)
	mask.mode.Store("404")
	a.blocks(in, foreign, s.Billing...)
	a.blocks(&intake{system: s, client: client, topic: billingEvents, name: "deferpay.event.DirectDebitRejected"}, foreign, s.Contract)
	// three failures: one of two instances has failed twice
	a.reaches(s.Billing, "deferpay_log_snapshot_failures_total", 3)
	a.expect("without a registry and a topic of snapshots", a.firing(12*time.Minute), "No snapshot is taken",
		`A partition does not move {instance="billing-`, `A partition does not move {instance="contract-`)
	mask.mode.Store("")
	s.until("the partitions move", func() error {
		stand := func(line string) bool { return strings.HasPrefix(line, "A partition does not move ") }
		if fires := a.firing(time.Minute); slices.ContainsFunc(fires, stand) {
			return fmt.Errorf("%q fire", fires)
		}
		return nil
	})

	for _, n := range s.Nodes {
		if err := n.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	s.until("no instance is ready", func() error {
		if got := a.sum(s.Billing, "deferpay_ready"); got != 0 {
			return fmt.Errorf("%v are", got)
		}
		return nil
	})
	a.expect("without a broker", a.firing(6*time.Minute), "Nobody serves", "An instance does not serve")
	for _, n := range s.Nodes {
		s.restart(n)
	}
}
