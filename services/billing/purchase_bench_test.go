//go:build unix

package billing_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/internal/heaproom"
	"github.com/deferpay/deferpay/services/billing"
	"github.com/deferpay/deferpay/services/internal/settings"
	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/cputime"
	"github.com/deferpay/deferpay/tools/devkafka/embedded"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/kafkabus"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
)

// brokerVariable makes the test binary run the embedded broker and nothing else, so that a
// benchmark counts the allocations and the processor time of the service alone.
const brokerVariable = "DEFERPAY_BENCH_BROKER"

func TestMain(m *testing.M) {
	if os.Getenv(brokerVariable) == "" {
		os.Exit(m.Run())
	}
	k, err := embedded.Start(context.Background(), embedded.Config{Broker: "127.0.0.1:0", Registry: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(k.Broker, k.Registry)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark ends
	_ = k.Close()
}

// shop is the service on a broker of another process, with contracts to buy on.
type shop struct {
	b                *testing.B
	broker, registry string
	address, admin   string
	refs             []string
	bought           atomic.Int64
}

func newShop(b *testing.B, contracts int) *shop {
	s := &shop{b: b}
	s.startBroker()
	if _, _, err := cluster.Deploy(b.Context(), []string{s.broker}, s.registry); err != nil {
		b.Fatal(err)
	}
	s.startService()
	s.sign(contracts)
	return s
}

func (s *shop) startBroker() {
	child := exec.Command(os.Args[0])
	child.Env, child.Stderr = append(os.Environ(), brokerVariable+"=1"), os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		s.b.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		s.b.Fatal(err)
	}
	if err := child.Start(); err != nil {
		s.b.Fatal(err)
	}
	s.b.Cleanup(func() {
		_ = in.Close()
		_ = child.Wait()
	})
	if _, err := fmt.Fscan(out, &s.broker, &s.registry); err != nil {
		s.b.Fatal(err)
	}
}

func (s *shop) startService() {
	api, admin := make(chan net.Addr, 1), make(chan net.Addr, 1)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- billing.Run(ctx, billing.Config{
			Common:    settings.Common{HTTPAddr: "127.0.0.1:0", Brokers: []string{s.broker}, Registry: s.registry, InsecureDev: true, Writer: "bench"},
			LogOutput: io.Discard,
			Listening: func(a net.Addr) { api <- a }, Admin: func(a net.Addr) { admin <- a },
		})
	}()
	s.b.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.b.Error(err)
		}
	})
	s.address, s.admin = (<-api).String(), (<-admin).String()
}

// sign publishes facts about contracts, and waits until the service knows them.
func (s *shop) sign(n int) {
	publisher, err := kafkabus.NewPublisher(kafkabus.Config{Brokers: []string{s.broker}, ClientID: "bench", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.b.Fatal(err)
	}
	defer publisher.Close()
	schemas, err := registry.NewClient(s.registry)
	if err != nil {
		s.b.Fatal(err)
	}
	facts := contractbus.NewPublisher(publisher, bus.SendWithRegistry(schemas), bus.SendWithSource("contract"))
	for i := range n {
		ref := fmt.Sprint("CTR-", i+1)
		c := contract(ref, 2, event.ContractStatusActive)
		c.Ceiling.Amount = 1 << 50
		err := facts.ContractActivated(s.b.Context(), contractbus.ContractKey(ref), event.ContractActivated{ContractRef: ref, Version: 2, Contract: c, OccurredAt: time.Now()},
			contractbus.CloudEventsHeaders{ID: fmt.Sprint("fact-", i), Time: time.Now()})
		if err != nil {
			s.b.Fatal(err)
		}
		s.refs = append(s.refs, ref)
	}
	last := fmt.Sprintf("http://%s/billing/v1/subscriptions/SUB-%d", s.address, n)
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get(last)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			s.b.Fatal("the contracts are not known")
		}
	}
}

// buyer is one connection. It allocates next to nothing, so that what is counted is the service's.
type buyer struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	body []byte
}

func (s *shop) buyer() *buyer {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		s.b.Fatal(err)
	}
	s.b.Cleanup(func() { _ = conn.Close() })
	return &buyer{conn: conn, in: bufio.NewReader(conn)}
}

// buy sends one purchase and reads its answer.
func (s *shop) buy(c *buyer) error {
	n := s.bought.Add(1)
	c.body = fmt.Appendf(c.body[:0], `{"type":"PURCHASE","contractRef":"%s","orderRef":"O-%d","amount":{"amount":100,"currency":"EUR"}}`, s.refs[n%int64(len(s.refs))], n)
	c.out = fmt.Appendf(c.out[:0], "POST /billing/v1/operations HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nIdempotency-Key: k-%d\r\nX-API-Key: dev\r\nContent-Length: %d\r\n\r\n%s",
		s.address, n, len(c.body), c.body)
	if _, err := c.conn.Write(c.out); err != nil {
		return err
	}
	length := 0
	for first := true; ; first = false {
		line, err := c.in.ReadSlice('\n')
		switch {
		case err != nil:
			return err
		case first && !strings.HasPrefix(string(line), "HTTP/1.1 201"):
			return fmt.Errorf("answered %s", line)
		case len(line) == 2:
			_, err := c.in.Discard(length)
			return err
		}
		if digits, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
			_, _ = fmt.Sscan(digits, &length)
		}
	}
}

// published waits until everything bought is published.
func (s *shop) published() {
	for ; ; time.Sleep(10 * time.Millisecond) {
		resp, err := http.Get("http://" + s.admin + "/metrics")
		if err != nil {
			s.b.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			s.b.Fatal(err)
		}
		if strings.Contains(string(text), "\ndeferpay_publication_lag_records 0\n") {
			return
		}
	}
}

// BenchmarkPurchase measures a purchase on its whole way: HTTP, decision, log, answer, publication.
// The broker is another process. What the buyers cost is a twentieth. The heap has the room that
// it has in the command of the service.
func BenchmarkPurchase(b *testing.B) {
	heaproom.Keep(os.Getenv)
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprint("callers-", callers), func(b *testing.B) {
			s := newShop(b, 200)
			buyers := make([]*buyer, callers)
			for i := range buyers {
				buyers[i] = s.buyer()
			}
			b.ReportAllocs()
			b.ResetTimer()
			used := cputime.Used(b)
			var left atomic.Int64
			left.Store(int64(b.N))
			var buying sync.WaitGroup
			for _, c := range buyers {
				buying.Go(func() {
					for left.Add(-1) >= 0 {
						if err := s.buy(c); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			buying.Wait()
			s.published()
			b.ReportMetric(float64((cputime.Used(b)-used).Microseconds())/float64(b.N), "cpu-µs/op")
		})
	}
}
