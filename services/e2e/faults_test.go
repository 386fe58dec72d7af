package e2e

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/fulltest"
	"github.com/deferpay/deferpay/tools/process"
)

// fault is a fault that happens while purchases are being made. It has ended when strike returns.
// The random source is its own.
type fault struct {
	name   string
	target string // faults that happen at the same time have different targets
	strike func(*run, *rand.Rand)
}

var (
	billingKilled = fault{"an instance killed", "billing", func(r *run, c *rand.Rand) { r.kill(r.victim(c).Process, c, 500*time.Millisecond) }}
	billingFrozen = fault{"an instance frozen", "billing", func(r *run, c *rand.Rand) { r.freeze(r.victim(c).Process, c, 3*time.Second) }}
	brokerKilled  = fault{"the broker killed", "broker", func(r *run, c *rand.Rand) { r.kill(r.node(c), c, time.Second) }}
	brokerFrozen  = fault{"the broker frozen", "broker", func(r *run, c *rand.Rand) { r.freeze(r.node(c), c, 4*time.Second) }}
	// longer than the session timeout of a broker
	longFrozen = fault{"one broker frozen", "broker", func(r *run, c *rand.Rand) { r.freeze(r.node(c), c, 15*time.Second) }}
	oneKilled  = fault{"one broker killed", "broker", brokerKilled.strike}
	oneOfEach  = fault{"one broker killed and one frozen", "broker", (*run).killAndFreeze}
	cuts       = fault{"connections cut", "network", (*run).cut}
	suspended  = fault{"a contract suspended", "contract", (*run).suspend}
)

// scenarios are the systems that are tested. The first fault of each run is taken from the list in
// turn, so that each of them happens.
var scenarios = []struct {
	name   string
	setup  setup
	faults []fault
	runs   length
}{
	{"two instances", setup{billing: 2}, []fault{brokerKilled, billingKilled, cuts, suspended, brokerFrozen, billingFrozen}, length{1, 4, 20}},
	{"three instances", setup{billing: 3}, []fault{billingKilled, suspended, brokerKilled, billingFrozen, cuts, brokerFrozen}, length{0, 3, 20}},
	{"three brokers", setup{billing: 2, brokers: 3}, []fault{oneOfEach, longFrozen, oneKilled, cuts, suspended}, length{2, 2, 10}},
}

// Clients make purchases on all instances while one or two faults happen at random moments. A
// client repeats a purchase with its key, on any instance, until it is decided. The answers are
// checked against the log, against the read models and for linearizability. The system must recover
// by itself.
func TestFaults(t *testing.T) {
	var sum totals
	for at, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			if sc.setup.brokers > 1 && engines.Engine != cluster.EngineKafka {
				t.Skip("the embedded broker is a single one: run with BROKER=kafka")
			}
			runs := sc.runs.take()
			if runs == 0 {
				fulltest.Only(t, "one system is enough")
			}
			sc.setup.proxies, sc.setup.topics, sc.setup.logLevel = true, []string{billingEvents}, "info"
			s := start(t, sc.setup)
			contracts := s.contracts(fmt.Sprintf("f%d", at), ceilings(runs*perRun)...)
			for n := range runs {
				chances := rand.New(rand.NewPCG(*seed, uint64(1000*at+n+1)))
				r := newRun(s, fmt.Sprintf("f%d-%d", at, n), contracts[n*perRun:(n+1)*perRun], sc.faults, n, chances)
				r.play()
				if t.Failed() {
					return
				}
				t.Logf("run %d of %d: %s", n+1, runs, r.report())
				sum.add(r)
			}
			s.settled()
			sum.end(s)
		})
	}
	t.Log(sum.report())
}

const (
	perRun  = 6   // contracts of a run
	clients = 32  // each makes one purchase after another
	atLeast = 12  // purchases of each client
	atMost  = 200 // purchases of each client
)

// ceilings returns ceilings of different heights, so that some are reached and others are not.
func ceilings(n int) []int64 {
	all := make([]int64, n)
	for i := range all {
		all[i] = 5_000 << (i % perRun)
	}
	return all
}

// run is one run of TestFaults.
type run struct {
	*system
	name      string
	contracts []*contract
	faults    []fault
	random    *rand.Rand

	mu          sync.Mutex
	all         []*purchase
	suspensions []suspension

	duration, recovery time.Duration
	verdict            *judgement
	before, after      counts
}

// newRun chooses the faults of run n: one in turn and, if n is odd, possibly a second one with
// another target at the same time.
func newRun(s *system, name string, contracts []*contract, faults []fault, n int, random *rand.Rand) *run {
	r := &run{system: s, name: name, contracts: contracts, random: random, faults: []fault{faults[n%len(faults)]}}
	if second := faults[r.random.IntN(len(faults))]; n%2 == 1 && second.target != r.faults[0].target {
		r.faults = append(r.faults, second)
	}
	return r
}

func (r *run) play() {
	mark, began := r.topics.Mark(), time.Now()
	r.before = r.counts()
	var over atomic.Bool
	var buying sync.WaitGroup
	for c := range clients {
		random := rand.New(rand.NewPCG(r.random.Uint64(), uint64(c)))
		buying.Go(func() { r.client(c, random, &over) })
	}
	var striking sync.WaitGroup
	for n, f := range r.faults {
		chances := rand.New(rand.NewPCG(r.random.Uint64(), uint64(n)))
		striking.Go(func() {
			pause(chances, 800*time.Millisecond)
			f.strike(r, chances)
		})
	}
	striking.Wait()
	mended := time.Now()
	r.probe()
	r.recovery = time.Since(mended)
	over.Store(true)
	buying.Wait()
	r.after = r.counts()
	r.everywhere(r.all)
	r.verdict = r.verify(mark, r.contracts, r.all, r.suspensions)
	r.published(mark, r.all)
	r.duration = time.Since(began)
}

// client makes one purchase after another. It repeats each until it is decided, and chooses the
// instance and the timeout of each attempt at random.
func (r *run) client(c int, random *rand.Rand, over *atomic.Bool) {
	limits := []time.Duration{200 * time.Millisecond, time.Second, 5 * time.Second, 15 * time.Second}
	for n := 0; n < atMost && (n < atLeast || !over.Load()) && !r.t.Failed(); n++ {
		p := r.purchase(fmt.Sprintf("%s-%d-%d", r.name, c, n), r.contracts[random.IntN(len(r.contracts))], 50+random.Int64N(200))
		r.insist(p, func() (*cluster.Service, time.Duration) {
			return r.Billing[random.IntN(len(r.Billing))], limits[random.IntN(len(limits))]
		})
		pause(random, 60*time.Millisecond)
	}
}

func (r *run) purchase(key string, c *contract, amount int64) *purchase {
	p := &purchase{key: key, contract: c, amount: amount}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, p)
	return p
}

// probe makes a purchase on every instance. Once these are decided, the system has recovered.
func (r *run) probe() {
	var asking sync.WaitGroup
	for n, b := range r.Billing {
		p := r.purchase(fmt.Sprintf("%s-probe-%d", r.name, n), r.contracts[n], 1)
		asking.Go(func() { r.insist(p, func() (*cluster.Service, time.Duration) { return b, time.Second }) })
	}
	asking.Wait()
}

// pause sleeps for a random time, at most most. It chooses a moment; nothing depends on its length.
func pause(chances *rand.Rand, most time.Duration) {
	time.Sleep(time.Duration(chances.Int64N(int64(most))))
}

func (r *run) victim(chances *rand.Rand) *cluster.Service {
	return r.Billing[chances.IntN(len(r.Billing))]
}

func (r *run) node(chances *rand.Rand) *process.Process {
	return r.Nodes[chances.IntN(len(r.Nodes))]
}

func (r *run) kill(p *process.Process, chances *rand.Rand, away time.Duration) {
	if err := p.Kill(); err != nil {
		r.t.Error(err)
	}
	pause(chances, away)
	r.restart(p)
}

func (r *run) freeze(p *process.Process, chances *rand.Rand, most time.Duration) {
	r.signal(p, syscall.SIGSTOP)
	pause(chances, most)
	r.signal(p, syscall.SIGCONT)
}

func (s *system) signal(p *process.Process, with syscall.Signal) {
	if err := p.Signal(with); err != nil {
		s.t.Error(err)
	}
}

// killAndFreeze leaves one of three brokers running. Nothing can be acknowledged until a second one
// is back.
func (r *run) killAndFreeze(chances *rand.Rand) {
	order := chances.Perm(len(r.Nodes))
	killed, frozen := r.Nodes[order[0]], r.Nodes[order[1]]
	if err := killed.Kill(); err != nil {
		r.t.Error(err)
	}
	pause(chances, time.Second)
	r.freeze(frozen, chances, 8*time.Second)
	r.restart(killed)
}

// cut closes all connections to the brokers several times, and sometimes refuses new ones for a
// while.
func (r *run) cut(chances *rand.Rand) {
	for range 3 + chances.IntN(8) {
		if chances.IntN(3) > 0 {
			for _, p := range r.proxies {
				p.cut()
			}
		} else {
			for _, p := range r.proxies {
				p.leave()
			}
			pause(chances, 400*time.Millisecond)
			for _, p := range r.proxies {
				p.back()
			}
		}
		pause(chances, 400*time.Millisecond)
	}
}

// suspend suspends a contract and waits until every instance of billing shows it as suspended.
func (r *run) suspend(chances *rand.Rand) {
	c := r.contracts[chances.IntN(len(r.contracts))]
	path := "/refcontract/v1/contracts/" + c.ref
	s := suspension{contract: c, asked: r.since()}
	r.until("suspend "+c.ref, func() error {
		a, err := r.send(r.Contract, "GET", path, "", "", nil)
		if err == nil && a.status == 200 {
			a, err = r.send(r.Contract, "PATCH", path, "suspend-"+c.ref, a.header.Get("ETag"), map[string]any{"action": "SUSPEND", "reason": "a dispute"})
		}
		if err == nil && a.status != 200 && a.text("code") != "transition-forbidden" {
			err = fmt.Errorf("%d %s", a.status, a.body)
		}
		return err
	})
	for _, b := range r.Billing {
		r.shows(b, c, "SUSPENDED")
	}
	s.seen = r.since()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.suspensions = append(r.suspensions, s)
}

// counts is a copy of the counters of a traffic.
type counts struct{ sent, decided, unknown, unsent, notReady int64 }

func (s *system) counts() counts {
	return counts{s.traffic.sent.Load(), s.traffic.decided.Load(), s.traffic.unknown.Load(), s.traffic.unsent.Load(), s.traffic.notReady.Load()}
}

func (c counts) less(b counts) counts {
	return counts{c.sent - b.sent, c.decided - b.decided, c.unknown - b.unknown, c.unsent - b.unsent, c.notReady - b.notReady}
}

func (r *run) report() string {
	c := r.after.less(r.before)
	var names []string
	for _, f := range r.faults {
		names = append(names, f.name)
	}
	return fmt.Sprintf("%s: %d purchases, %d requests, %d unknown, %d not ready, %.2f void records per applied one, recovered in %.1f s, %.1f s in all",
		strings.Join(names, " and "), len(r.all), c.sent, c.unknown, c.notReady, ratio(r.verdict), r.recovery.Seconds(), r.duration.Seconds())
}

func ratio(j *judgement) float64 { return float64(j.void) / float64(max(1, j.applied)) }

// totals sums up all runs.
type totals struct {
	runs, purchases, applied, void int
	counts
	recoveries []time.Duration
	duration   time.Duration
	struck     map[string]int

	publisher     string // of the last run
	takeovers     int    // of publication, seen at the ends of runs
	fromSnapshots int    // starts of billing
}

func (t *totals) add(r *run) {
	c := r.after.less(r.before)
	t.runs, t.purchases, t.applied, t.void = t.runs+1, t.purchases+len(r.all), t.applied+r.verdict.applied, t.void+r.verdict.void
	t.sent, t.decided, t.unknown, t.unsent, t.notReady = t.sent+c.sent, t.decided+c.decided, t.unknown+c.unknown, t.unsent+c.unsent, t.notReady+c.notReady
	if t.struck == nil {
		t.struck = map[string]int{}
	}
	for _, f := range r.faults {
		t.struck[f.name]++
	}
	t.recoveries, t.duration = append(t.recoveries, r.recovery), t.duration+r.duration
	before := t.publisher
	if t.publisher = r.publisher(); before != "" && before != t.publisher {
		t.takeovers++
	}
}

// end is called after the last run on a system.
func (t *totals) end(s *system) {
	t.publisher = ""
	for _, b := range s.Billing {
		log, err := os.ReadFile(b.LogFile())
		if err != nil {
			s.t.Error(err)
		}
		t.fromSnapshots += strings.Count(string(log), `"msg":"starting from a snapshot"`)
	}
	if t.runs > 10 && t.fromSnapshots == 0 {
		s.t.Error("no instance has started from a snapshot")
	}
}

// publisher returns the name of the instance of billing that publishes.
func (s *system) publisher() (name string) {
	s.t.Helper()
	s.until("an instance publishes", func() error {
		for _, b := range s.Billing {
			if strings.Contains(s.must(b, "GET", "/metrics", "", "", nil, 200).body, "\ndeferpay_publishes 1\n") {
				name = b.Name()
				return nil
			}
		}
		return errors.New("none does")
	})
	return name
}

func (t *totals) report() string {
	if t.runs == 0 {
		return "no runs"
	}
	slices.Sort(t.recoveries)
	return fmt.Sprintf("%d runs without a violation: %d purchases decided; %d requests, %d with an unknown outcome, %d answered not ready; %.3f void records per applied one; recovered in %.1f s (median), %.1f s (maximum); %.0f s in all; %d takeovers of publication, %d starts from snapshots; faults: %v",
		t.runs, t.purchases, t.sent, t.unknown, t.notReady, float64(t.void)/float64(t.applied), t.recoveries[t.runs/2].Seconds(), t.recoveries[t.runs-1].Seconds(), t.duration.Seconds(), t.takeovers, t.fromSnapshots, t.struck)
}
