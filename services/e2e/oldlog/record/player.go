package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // periods are months of Europe/Paris

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/internal/clock"
	"github.com/deferpay/deferpay/tools/demo/story"
	"github.com/deferpay/deferpay/tools/observer"
	"github.com/deferpay/deferpay/tools/process"
)

const (
	contractLog   = "contract.log.v1"
	contractFacts = "contract.facts.v1"
	contractDead  = "contract.dlq.v1"
	billingLog    = "billing.log.v1"
	billingEvents = "billing.events.v1"
	billingDead   = "billing.dlq.v1"
)

// player plays scenes after the end of the story.
type player struct {
	ctx    context.Context
	dir    string // directory of the cluster
	at     story.Addresses
	writes *tap
	client *http.Client
	seen   *observer.Observer
	paris  *time.Location
	ahead  time.Duration // clock offset of the services
	keys   int
}

func newPlayer(ctx context.Context, dir string, at story.Addresses, writes *tap) (*player, error) {
	root, err := process.Root()
	if err != nil {
		return nil, err
	}
	p := &player{ctx: ctx, dir: dir, at: at, writes: writes, client: &http.Client{Transport: writes}}
	if p.paris, err = time.LoadLocation("Europe/Paris"); err != nil {
		return nil, err
	}
	ahead, err := os.ReadFile(p.clockFile())
	if err != nil {
		return nil, err
	}
	if p.ahead, err = time.ParseDuration(strings.TrimSpace(string(ahead))); err != nil {
		return nil, err
	}
	p.seen, err = observer.Open(at.Brokers, at.Registry, filepath.Join(root, "specs"),
		contractLog, contractFacts, contractDead, billingLog, billingEvents, billingDead)
	return p, err
}

func (p *player) clockFile() string { return filepath.Join(p.dir, "clock-offset") }

// now returns the time of the domain clock.
func (p *player) now() time.Time { return time.Now().Add(p.ahead).UTC() }

// monthEnds moves the domain clock to five minutes after the end of the present month. It returns
// that month.
func (p *player) monthEnds() (period string) {
	now := p.now().In(p.paris)
	end := time.Date(now.Year(), now.Month()+1, 1, 0, 5, 0, 0, p.paris)
	p.ahead = time.Until(end).Round(time.Second)
	p.must(clock.SetOffset(p.clockFile(), p.ahead))
	return now.Format("2006-01")
}

// failure is the value with which a failed check panics. The method try turns it into an error.
type failure struct{ error }

func (p *player) must(err error) {
	if err != nil {
		panic(failure{err})
	}
}

func (p *player) check(ok bool, format string, args ...any) {
	if !ok {
		panic(failure{fmt.Errorf(format, args...)})
	}
}

func (p *player) try(step func()) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case failure:
			err = v.error
		default:
			panic(v)
		}
	}()
	step()
	return nil
}

// answer is the answer of a service.
type answer struct {
	status int
	etag   string
	body   map[string]any
}

func (a answer) text(path ...string) string {
	var v any = a.body
	for _, name := range path {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func (a answer) number(member string) int64 {
	n, _ := a.body[member].(json.Number)
	v, _ := n.Int64()
	return v
}

// send sends a request. A write gets a key of its own.
func (p *player) send(base, method, path, match string, body any) answer {
	key := ""
	if method != http.MethodGet {
		p.keys++
		key = fmt.Sprintf("more/%d?a=b;\"c\"", p.keys)
	}
	return p.sendKeyed(base, method, path, match, key, body)
}

func (p *player) sendKeyed(base, method, path, match, key string, body any) answer {
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		p.must(err)
		content = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(p.ctx, method, base+path, content)
	p.must(err)
	for name, value := range map[string]string{"Idempotency-Key": key, "If-Match": match} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if p.keys%2 == 0 {
		req.Header.Set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	}
	resp, err := p.client.Do(req)
	p.must(err)
	defer resp.Body.Close()
	a := answer{status: resp.StatusCode, etag: resp.Header.Get("ETag")}
	d := json.NewDecoder(resp.Body)
	d.UseNumber()
	if err := d.Decode(&a.body); !errors.Is(err, io.EOF) {
		p.must(err)
	}
	return a
}

func (p *player) contract(method, path, match string, body any) answer {
	return p.send(p.at.Contract, method, "/refcontract/v1"+path, match, body)
}

func (p *player) billing(method, path string, body any) answer {
	return p.send(p.at.Billing[p.keys%2], method, "/billing/v1"+path, "", body)
}

// eventually calls done until it returns true.
func (p *player) eventually(what string, done func() bool) {
	for deadline := time.Now().Add(40 * time.Second); !done(); {
		p.check(time.Now().Before(deadline), "not in time: %s", what)
		select {
		case <-p.ctx.Done():
			p.must(p.ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// written waits for a record of a topic.
func (p *player) written(what string, is func(observer.Record) bool) {
	ctx, cancel := context.WithTimeout(p.ctx, 40*time.Second)
	defer cancel()
	err := p.seen.Wait(ctx, 0, func(all []observer.Record) bool {
		for _, rec := range all {
			if is(rec) {
				return true
			}
		}
		return false
	})
	if err != nil {
		p.must(fmt.Errorf("not written: %s: %w", what, err))
	}
}

// known waits until both instances of billing have the present version of a contract or a newer
// one.
func (p *player) known(ref string) {
	version := p.contract(http.MethodGet, "/contracts/"+ref, "", nil).number("version")
	for _, base := range p.at.Billing {
		p.eventually(fmt.Sprintf("billing knows version %d of %s", version, ref), func() bool {
			a := p.send(base, http.MethodGet, "/billing/v1/subscriptions/SUB-"+strings.TrimPrefix(ref, "CTR-"), "", nil)
			return a.status == http.StatusOK && a.number("contractVersion") >= version
		})
	}
}

// reaches waits until a contract has a status and billing has that version.
func (p *player) reaches(ref, status string) {
	p.eventually(ref+" is "+status, func() bool {
		return p.contract(http.MethodGet, "/contracts/"+ref, "", nil).text("status") == status
	})
	p.known(ref)
}

// garbage writes a record that cannot be decoded to a public topic.
func (p *player) garbage(topic, key string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(p.at.Brokers...))
	p.must(err)
	defer client.Close()
	headers := []kgo.RecordHeader{{Key: "ce_type", Value: []byte("Unheard")}, {Key: "ce_id", Value: []byte("garbage-" + strconv.Itoa(p.keys))}}
	p.must(client.ProduceSync(p.ctx, &kgo.Record{Topic: topic, Key: []byte(key), Headers: headers, Value: []byte("garbage")}).FirstErr())
}

// another starts another instance of a service. It runs until stop is called.
func (p *player) another(command, name string, args ...string) (base string, stop func()) {
	ports, err := process.FreePorts(1)
	p.must(err)
	base = "http://" + ports[0]
	proc := process.New(process.Spec{
		Name: name, Path: filepath.Join(p.dir, "bin", command), LogDir: filepath.Join(p.dir, "logs"), Ready: process.HTTPReady(base + "/readyz"),
		Args: append([]string{"-http", ports[0], "-admin", "127.0.0.1:0", "-brokers", strings.Join(p.at.Brokers, ","), "-registry", p.at.Registry,
			"-insecure-dev", "-clock-offset-file", p.clockFile(), "-writer", name}, args...),
	})
	ctx, cancel := context.WithTimeout(p.ctx, 30*time.Second)
	defer cancel()
	p.must(proc.Start(ctx))
	return base, func() {
		ctx, cancel := context.WithTimeout(p.ctx, 30*time.Second)
		defer cancel()
		p.must(proc.Stop(ctx))
	}
}
