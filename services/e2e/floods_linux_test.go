package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/cluster/callers"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// maxFlooded is the resident memory that a service may have during a flood, in MB: 256 by which its
// heap grows before it is collected (internal/heaproom), and as much for all that it keeps.
const maxFlooded = 512

// flood is what a stranger or a client that means harm sends to one instance of billing.
type flood struct {
	name    string
	workers int
	every   time.Duration // how often each worker sends; 0: one after the other
	lasts   time.Duration // 0: as all do
	// send sends once and returns what came of it: a status, or closed. A request that is under way
	// when ctx ends has no outcome.
	send func(ctx context.Context, h *hose) string
	want []string // outcomes; each of them comes
	may  []string // further outcomes
	// lists is how many lists of operations the instance counts at least during a flood whose
	// workers read no answer.
	lists int
}

const closed = "closed"

// hose sends the requests of one worker.
type hose struct {
	*torrent
	n      int // of the request
	client *http.Client
}

// torrent is what the workers of all floods share. It is sent to the process that floods.
type torrent struct {
	Flood                     string // name
	Lasts                     time.Duration
	Addr                      string
	Known, Wrong, WrongBearer string // a key, one that nobody has, a token with a wrong signature
	Bomb                      []byte
}

// TestFloods floods an instance of billing beside buyers, who come from another address. It fails
// if a purchase is not answered rightly, if a request of the flood gets another answer than it
// should, if memory exceeds a bound, and if anything of the flood is left afterwards. How long
// buyers wait is written as a table, and is no condition: it depends on the machine, which sends
// the flood too.
func TestFloods(t *testing.T) {
	fulltest.Only(t, "takes a minute")
	embeddedOnly(t, "floods do not reach the broker")
	dir := t.TempDir()
	all, err := callers.New(dir, callers.Caller{Subject: "buyers", Scopes: callers.Scopes}, callers.Caller{Subject: "client", Scopes: callers.Scopes})
	if err != nil {
		t.Fatal(err)
	}
	others, err := callers.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bearer, err := others.Token(callers.Caller{Subject: "stranger", Scopes: callers.Scopes})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, setup{billing: 1, access: all.Settings()})
	s.key = all.Key("buyers")
	s.client.Transport = either{from("127.0.0.2", false), from("127.0.0.3", true)}
	shop := &shop{system: s}
	for n := range 8 {
		shop.buyers = append(shop.buyers, &buyer{contract: s.contracts(fmt.Sprint("flood-", n), 10_000_000)[0]})
	}
	water := &torrent{Addr: strings.TrimPrefix(s.Billing[0].URL, "http://"), Known: all.Key("client"), Wrong: "guess", WrongBearer: bearer, Bomb: zipped(100 << 20)}
	lasts := time.Duration(length{short: 3, full: 3, whole: 15}.take()) * time.Second
	table := []string{"| flood | requests | answered | buyers p50 | p99 | max | processor | memory |", "| -- | -- | -- | -- | -- | -- | -- | -- |"}
	for _, f := range append([]flood{{name: "none"}}, floods...) {
		if f.lasts == 0 {
			f.lasts = lasts
		}
		t.Run(f.name, func(t *testing.T) { table = append(table, shop.beside(t, f, water)) })
	}
	t.Log("\n" + strings.Join(table, "\n"))
}

// either is two transports. The second is for requests whose context has a freshKey.
type either struct{ kept, fresh http.RoundTripper }

type freshKey struct{}

// RoundTrip implements http.RoundTripper.
func (e either) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Context().Value(freshKey{}) != nil {
		return e.fresh.RoundTrip(r)
	}
	return e.kept.RoundTrip(r)
}

// from returns a transport whose requests come from an address of this machine. Fresh makes each
// request take a connection of its own.
func from(address string, fresh bool) *http.Transport {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	return &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 64, DisableKeepAlives: fresh}
}

func zipped(size int) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = io.CopyN(w, zeros{}, int64(size)) // a buffer takes everything
	_ = w.Close()
	return out.Bytes()
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

var floods = []flood{
	{name: "wrong keys on 1,000 connections", workers: 1000, lasts: 6 * time.Second, want: []string{"401"}, send: func(ctx context.Context, h *hose) string {
		return h.post(ctx, h.Wrong, strings.NewReader(`{"type":"PURCHASE"}`), nil)
	}},
	{name: "tokens with a wrong signature on 1,000 connections", workers: 1000, want: []string{"401"}, send: func(ctx context.Context, h *hose) string {
		return h.post(ctx, "", strings.NewReader(`{"type":"PURCHASE"}`), map[string]string{"Authorization": "Bearer " + h.WrongBearer})
	}},
	{name: "one credential on 200 connections", workers: 200, want: []string{"400", "429"}, send: func(ctx context.Context, h *hose) string {
		return h.post(ctx, h.Known, strings.NewReader(`{"type":"PURCHASE"}`), nil)
	}},
	{name: "refusals before credentials on 200 connections", workers: 200, want: []string{"400", "404", "405", "415"}, send: func(ctx context.Context, h *hose) string {
		switch h.n % 4 {
		case 0:
			return h.post(ctx, h.Wrong, strings.NewReader("{}"), map[string]string{"Authorization": "Bearer x"})
		case 1:
			return h.post(ctx, "", strings.NewReader("{}"), map[string]string{"Content-Type": "text/plain"})
		case 2:
			return h.ask(ctx, http.MethodGet, "/nothing")
		}
		return h.ask(ctx, http.MethodDelete, "/billing/v1/operations")
	}},
	{name: "bodies of 100 MB", workers: 4, want: []string{"401", "413"}, may: []string{closed}, send: func(ctx context.Context, h *hose) string {
		key, body := h.Known, io.Reader(io.LimitReader(zeros{}, 100<<20))
		if h.n%2 == 0 {
			key = h.Wrong
		}
		var announced map[string]string
		if h.n%4 < 2 {
			announced = map[string]string{"Content-Length": strconv.Itoa(100 << 20)}
		}
		return h.post(ctx, key, body, announced)
	}},
	{name: "JSON of 60,000 and 100,000 levels", workers: 8, every: 10 * time.Millisecond, want: []string{"400", "413"}, send: func(ctx context.Context, h *hose) string {
		return h.post(ctx, h.Known, strings.NewReader(strings.Repeat("[", 60_000+40_000*(h.n%2))), nil)
	}},
	{name: "100 MB of zeros, compressed", workers: 8, every: 10 * time.Millisecond, want: []string{"415"}, send: func(ctx context.Context, h *hose) string {
		return h.post(ctx, h.Known, bytes.NewReader(h.Bomb[:60_000]), map[string]string{"Content-Encoding": "gzip"})
	}},
	{name: "headers of 1 MB, and 4,000 headers", workers: 8, every: 10 * time.Millisecond, want: []string{"401", "431"}, may: []string{closed}, send: func(ctx context.Context, h *hose) string {
		if h.n%2 == 0 {
			return h.raw(ctx, "GET /billing/v1/operations HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n")
		}
		var many strings.Builder
		for n := range 4_000 {
			fmt.Fprintf(&many, "%x:\r\n", n)
		}
		return h.raw(ctx, "GET /billing/v1/operations HTTP/1.1\r\nHost: x\r\n"+many.String()+"\r\n")
	}},
	{name: "500 connections that send headers slowly", workers: 500, lasts: 8 * time.Second, want: []string{closed}, send: func(ctx context.Context, h *hose) string {
		return h.drip(ctx, "GET /billing/v1/operations HTTP/1.1\r\nHost: x\r\nX: ")
	}},
	{name: "500 connections that send bodies slowly", workers: 500, lasts: 24 * time.Second, want: []string{"408", "429"}, send: func(ctx context.Context, h *hose) string {
		return h.drip(ctx, "POST /billing/v1/operations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-API-Key: "+h.Known+
			fmt.Sprintf("\r\nIdempotency-Key: drip-%p-%d\r\nContent-Length: 60000\r\n\r\n%s", h, h.n, strings.Repeat(" ", 50_000)))
	}},
	{name: "200 connections that read no answer", workers: 200, lists: 200, send: func(ctx context.Context, h *hose) string {
		return h.unread(ctx, strings.Repeat("GET /billing/v1/operations HTTP/1.1\r\nHost: x\r\nX-API-Key: "+h.Known+"\r\n\r\n", 2000))
	}},
	{name: "3,000 connections that send nothing", workers: 3000, lasts: 5 * time.Second, want: []string{closed}, send: func(ctx context.Context, h *hose) string {
		return h.drip(ctx, "")
	}},
}

// post sends a purchase. Content-Length among the headers is the length that is announced; without
// it, a body of unknown length is sent in chunks.
func (h *hose) post(ctx context.Context, key string, body io.Reader, headers map[string]string) string {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+h.Addr+"/billing/v1/operations", body)
	if err != nil {
		return err.Error()
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", fmt.Sprintf("flood-%p-%d", h, h.n))
	if key != "" {
		r.Header.Set("X-API-Key", key)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	if n, err := strconv.ParseInt(headers["Content-Length"], 10, 64); err == nil {
		r.ContentLength = n
	}
	return h.do(r)
}

// ask sends a request without a body and without credentials.
func (h *hose) ask(ctx context.Context, method, path string) string {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+h.Addr+path, nil)
	if err != nil {
		return err.Error()
	}
	return h.do(r)
}

func (h *hose) do(r *http.Request) string {
	resp, err := h.client.Do(r)
	if err != nil {
		return closed
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return strconv.Itoa(resp.StatusCode)
}

// dial opens a connection that ends with ctx.
func (h *hose) dial(ctx context.Context) (net.Conn, func(), error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", h.Addr)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return conn, func() { stop(); _ = conn.Close() }, nil
}

// raw sends a text on a connection of its own.
func (h *hose) raw(ctx context.Context, text string) string {
	conn, end, err := h.dial(ctx)
	if err != nil {
		return closed
	}
	defer end()
	_, _ = io.WriteString(conn, text) // the answer may come before its end
	return answerOn(conn)
}

// answerOn returns the status of the answer on a connection, or closed.
func answerOn(conn io.Reader) string {
	head := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(conn, head); err != nil {
		return closed
	}
	return string(head[len(head)-3:])
}

// drip sends a text, and then a byte now and then until there is an answer.
func (h *hose) drip(ctx context.Context, text string) string {
	conn, end, err := h.dial(ctx)
	if err != nil {
		return closed
	}
	defer end()
	if _, err := io.WriteString(conn, text); err != nil {
		return closed
	}
	if text != "" {
		go func() {
			for _, err := conn.Write([]byte(" ")); err == nil; _, err = conn.Write([]byte(" ")) {
				time.Sleep(500 * time.Millisecond)
			}
		}()
	}
	return answerOn(conn)
}

// unread sends requests and reads none of the answers.
func (h *hose) unread(ctx context.Context, text string) string {
	conn, end, err := h.dial(ctx)
	if err != nil {
		return closed
	}
	defer end()
	_, _ = io.WriteString(conn, text)
	<-ctx.Done()
	return ""
}

// floodVariable makes the program of these tests flood instead, as standard input says.
const floodVariable = "DEFERPAY_E2E_FLOOD"

// init floods in a process of its own, with the lowest priority: floods come from other machines.
func init() {
	if os.Getenv(floodVariable) == "" {
		return
	}
	var water torrent
	err := json.NewDecoder(os.Stdin).Decode(&water)
	if err == nil {
		err = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 19)
	}
	i := slices.IndexFunc(floods, func(f flood) bool { return f.name == water.Flood })
	if err != nil || i < 0 {
		fmt.Fprintln(os.Stderr, "flood", water.Flood, err)
		os.Exit(1)
	}
	ctx, stop := context.WithTimeout(context.Background(), water.Lasts)
	defer stop()
	if err := json.NewEncoder(os.Stdout).Encode(floods[i].pour(ctx, &water)); err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// run floods in another process, and returns how many requests had each outcome.
func (f flood) run(t *testing.T, water torrent) (outcomes map[string]int) {
	if f.send == nil {
		return nil
	}
	water.Flood, water.Lasts = f.name, f.lasts
	text, err := json.Marshal(water)
	if err != nil {
		t.Error(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env, cmd.Stdin, cmd.Stderr = append(os.Environ(), floodVariable+"=1"), bytes.NewReader(text), os.Stderr
	out, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(out, &outcomes)
	}
	if err != nil {
		t.Errorf("the flood: %v", err)
	}
	return outcomes
}

// pour floods until ctx ends, and returns how many requests had each outcome.
func (f flood) pour(ctx context.Context, water *torrent) map[string]int {
	var mu sync.Mutex
	var wg sync.WaitGroup
	outcomes := map[string]int{}
	for w := range f.workers {
		wg.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			h := &hose{torrent: water, client: &http.Client{Transport: transport}, n: w}
			for ; ctx.Err() == nil; h.n++ {
				began := time.Now()
				outcome := f.send(ctx, h)
				if ctx.Err() != nil {
					return // it may have been cut
				}
				mu.Lock()
				outcomes[outcome]++
				mu.Unlock()
				pause := f.every - time.Since(began)
				if outcome == closed { // so that those who are refused do not only dial
					pause = max(pause, 100*time.Millisecond)
				}
				time.Sleep(pause)
			}
		})
	}
	wg.Wait()
	return outcomes
}

// buyer buys for a cent, again and again.
type buyer struct {
	contract *contract
	bought   int64
}

// shop is the buyers of a system.
type shop struct {
	*system
	buyers []*buyer
	keys   int
}

// pace is how often each buyer buys.
const pace = 80 * time.Millisecond

// beside floods beside the buyers, and returns a row of the table.
func (s *shop) beside(t *testing.T, f flood, water *torrent) string {
	before, lists := s.left(), s.lists()
	ctx, stop := context.WithTimeout(t.Context(), f.lasts)
	defer stop()
	began, used := time.Now(), s.processor()
	memory := make(chan int, 1)
	go func() { memory <- s.peak(ctx) }()
	outcomes := make(chan map[string]int, 1)
	go func() { outcomes <- f.run(t, *water) }()
	var mu sync.Mutex
	var took []time.Duration
	var wg sync.WaitGroup
	s.keys++
	for n, b := range s.buyers {
		wg.Go(func() {
			for due := time.Now(); ctx.Err() == nil; due = due.Add(pace) {
				time.Sleep(time.Until(due))
				if fault := s.purchase(b, n%2 == 0, fmt.Sprintf("flood-%d-%d-%d", s.keys, n, b.bought)); fault != "" {
					t.Errorf("buyer %d: %s", n, fault)
				}
				mu.Lock()
				took = append(took, time.Since(due))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	got, peak := <-outcomes, <-memory
	share := 100 * (s.processor() - used).Seconds() / time.Since(began).Seconds()
	f.judge(t, got)
	if f.lists > 0 {
		n := s.lists() - lists
		if n < f.lists {
			t.Errorf("the instance has counted %d requests of the flood, want at least %d", n, f.lists)
		}
		got = map[string]int{"not read": n}
	}
	if peak > maxFlooded {
		t.Errorf("%d MB of memory, want at most %d", peak, maxFlooded)
	}
	s.until("nothing is left of the flood", func() error {
		if after := s.left(); after.connections > before.connections+4 || after.goroutines > before.goroutines+50 {
			return fmt.Errorf("%+v, before %+v", after, before)
		}
		return nil
	})
	slices.Sort(took)
	shown := func(q float64) time.Duration { return took[int(q*float64(len(took)-1))].Round(100 * time.Microsecond) }
	total, texts := 0, []string{}
	for _, outcome := range slices.Sorted(maps.Keys(got)) {
		total += got[outcome]
		texts = append(texts, fmt.Sprintf("%s: %d", outcome, got[outcome]))
	}
	return fmt.Sprintf("| %s | %d | %s | %v | %v | %v | %.0f %% | %d MB |", f.name, total, strings.Join(texts, ", "), shown(.5), shown(.99), shown(1), share, peak)
}

// judge compares outcomes with those that a flood should have.
func (f flood) judge(t *testing.T, got map[string]int) {
	t.Helper()
	for outcome, n := range got {
		if !slices.Contains(f.want, outcome) && !slices.Contains(f.may, outcome) {
			t.Errorf("%d requests of the flood: %s, want %v", n, outcome, f.want)
		}
	}
	for _, outcome := range f.want {
		if got[outcome] == 0 {
			t.Errorf("no request of the flood: %s; there were %v", outcome, got)
		}
	}
}

// purchase buys once, possibly on a connection of its own, and returns what is wrong with the
// answer, "" if nothing is.
func (s *shop) purchase(b *buyer, fresh bool, key string) string {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	if fresh {
		ctx = context.WithValue(ctx, freshKey{}, true)
	}
	p := &purchase{key: key, contract: b.contract, amount: 1}
	a, err := s.sendIn(ctx, s.Billing[0], "POST", "/billing/v1/operations", key, "", p.request())
	if err != nil {
		return err.Error()
	}
	b.bought++
	if v, _ := verdictOf(a); !v.Accepted || v.Outstanding != b.bought {
		return fmt.Sprintf("%d %s, want %d outstanding", a.status, a.body, b.bought)
	}
	return ""
}

// held is what clients hold of an instance.
type held struct{ connections, goroutines int }

// left returns what clients hold at the moment.
func (s *shop) left() (h held) {
	for name, n := range s.metrics(s.Billing[0]) {
		switch name {
		case "deferpay_connections":
			h.connections = int(n)
		case "go_goroutines":
			h.goroutines = int(n)
		}
	}
	if h.goroutines == 0 {
		s.t.Fatal("no go_goroutines in the metrics")
	}
	return h
}

// lists returns how many lists of operations the instance has answered or refused.
func (s *shop) lists() (sum int) {
	for name, n := range s.metrics(s.Billing[0]) {
		if strings.HasPrefix(name, `deferpay_answers_total{operation="listOperations"`) {
			sum += int(n)
		}
	}
	return sum
}

// processor returns the processor time that the instance has used.
func (s *shop) processor() time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.Billing[0].PID()))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields, ticks := strings.Fields(rest), 0
	for _, f := range fields[11:13] { // utime and stime, in hundredths of a second
		n, _ := strconv.Atoi(f)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// peak returns the most resident memory of the instance until ctx ends, in MB.
func (s *shop) peak(ctx context.Context) (most int) {
	for ; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.Billing[0].PID()))
		if err != nil {
			s.t.Error(err)
			return most
		}
		pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
		most = max(most, pages*os.Getpagesize()>>20)
	}
	return most
}
