package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/tools/cluster"
	"github.com/deferpay/deferpay/tools/devkafka/embedded/embeddedtest"
	"github.com/deferpay/deferpay/tools/fulltest"
	"github.com/deferpay/deferpay/tools/observer"
	"github.com/deferpay/deferpay/tools/process"
)

// TestP17MonthInVirtualTime runs both services, two instances of billing among them, through a
// month in which the clocks of Paris change. Time flows by itself around midnights, the change of
// the clocks and the end of the month, and the clocks of all instances move on together between
// them. The clock of one instance of billing goes back for a while. In October it is also ahead of
// the end of the month for a day.
func TestP17MonthInVirtualTime(t *testing.T) {
	fulltest.Only(t, "it computes for ten seconds")
	months := []time.Time{time.Date(2027, 3, 1, 0, 0, 0, 0, paris), time.Date(2026, 10, 1, 0, 0, 0, 0, paris)}
	for _, month := range months {
		t.Run(month.Format("2006-01"), func(t *testing.T) {
			var log []*kgo.Record
			synctest.Test(t, func(t *testing.T) {
				m := &virtualMonth{bubble: newBubble(t, month.Add(9*time.Hour)), start: month, early: month.Month() == time.October, accepted: map[string]int64{}}
				m.open()
				for m.now().Before(month.AddDate(0, 1, 0)) {
					m.day()
				}
				m.ended()
				log = m.log()
			})
			judgeLog(t, log, month.AddDate(0, 1, 0).Format("2006-01"))
		})
	}
}

// virtualMonth is the month, and what was bought in it.
type virtualMonth struct {
	*bubble
	start time.Time
	early bool // an instance believes that the month is over before it is

	steady, second, ends, begins string // contracts; the first two are of one customer
	orders                       int
	// what was bought less what was given back, by period
	accepted map[string]int64
}

func (m *virtualMonth) open() {
	sign := func(name, customer string, more map[string]any) (ref string) {
		body := map[string]any{
			"customerRef": customer, "sellerRef": "AG-HORIZON", "ceiling": map[string]any{"amount": 50_000_00, "currency": "EUR"}, "validFrom": "2026-01-01T00:00:00Z",
			"buyer": map[string]any{"legalName": "CSE ACME", "siren": "732829320", "vatNumber": "FR44732829320",
				"billingAddress": map[string]any{"line1": "12 rue de la Paix", "postalCode": "75002", "city": "Paris", "country": "FR"}},
		}
		for member, value := range more {
			body[member] = value
		}
		a := m.must(201, "POST", inContract, "/contracts", "", body)
		ref = a.text("contractRef")
		m.must(200, "PUT", inContract, "/contracts/"+ref+"/mandate", a.header.Get("ETag"), map[string]any{
			"rum": "RUM-" + name, "ics": "FR72ZZZ123456", "scheme": "B2B", "signedAt": m.now().Add(-time.Hour).UTC().Format(time.RFC3339),
			"iban": "FR7630006000011234567890189", "owner": "CSE ACME"})
		return ref
	}
	on := func(day int) string { return m.start.AddDate(0, 0, day-1).UTC().Format(time.RFC3339) }
	m.steady = sign("STEADY", "CE-ACME", nil)
	m.second = sign("SECOND", "CE-ACME", nil)
	m.ends = sign("ENDS", "CE-ENDS", map[string]any{"validUntil": on(20)})
	m.begins = sign("BEGINS", "CE-BEGINS", map[string]any{"validFrom": on(10)})
	m.shows(m.steady, "ACTIVE")
	m.shows(m.second, "ACTIVE")
	m.shows(m.ends, "ACTIVE")
	m.shows(m.begins, "PENDING")
}

// shows waits until both instances of billing have a contract in a status.
func (m *virtualMonth) shows(ref, status string) {
	m.t.Helper()
	for _, on := range []string{inBilling1, inBilling2} {
		m.until(ref+" is "+status+" on "+on, func() error {
			a, err := m.send("GET", on, "/subscriptions/SUB-"+ref[len("CTR-"):], "", "", nil)
			if err == nil && a.text("status") != status {
				err = fmt.Errorf("%v: %d %s", m.now(), a.status, a.body)
			}
			return err
		})
	}
}

// buy buys on one instance, repeats the request on the other one, and returns the answer, which
// must be the same on both.
func (m *virtualMonth) buy(ref string, amount int64) answer {
	m.t.Helper()
	m.orders++
	key := fmt.Sprint("o-", m.orders)
	body := map[string]any{"type": "PURCHASE", "contractRef": ref, "orderRef": key, "amount": map[string]any{"amount": amount, "currency": "EUR"}}
	on := []string{inBilling1, inBilling2}
	if m.orders%2 == 0 {
		on[0], on[1] = on[1], on[0]
	}
	first, err := m.send("POST", on[0], "/operations", key, "", body)
	if err != nil {
		m.t.Fatal(err)
	}
	again, err := m.send("POST", on[1], "/operations", key, "", body)
	if err != nil || again.body != first.body || again.status != first.status || again.header.Get("Idempotent-Replayed") != "true" {
		m.t.Errorf("%s: %d %s, then %d %s %v", key, first.status, first.body, again.status, again.body, err)
	}
	if first.status == 201 {
		m.accepted[first.text("period")] += amount
	}
	return first
}

// refused buys, which must be refused for a reason.
func (m *virtualMonth) refused(ref, reason string) {
	m.t.Helper()
	if a := m.buy(ref, 100); a.status != 422 || !strings.Contains(a.body, reason) {
		m.t.Errorf("%v, a purchase on %s: %d %s, want %s", m.now(), ref, a.status, a.body, reason)
	}
}

func (m *virtualMonth) bought(ref string, amount int64) answer {
	m.t.Helper()
	a := m.buy(ref, amount)
	if a.status != 201 {
		m.t.Errorf("%v, a purchase on %s: %d %s", m.now(), ref, a.status, a.body)
	}
	return a
}

// day does what is done on a day, and lets the next one begin.
func (m *virtualMonth) day() {
	today := m.now()
	m.bought(m.steady, int64(1000+today.Day()))
	a := m.bought(m.second, 2000)
	switch today.Day() {
	case 5:
		m.skew(inBilling2, -3*time.Hour)
	case 8:
		m.skew(inBilling2, 0)
	case 9:
		m.refused(m.begins, "CONTRACT_NOT_STARTED")
	case 10:
		m.shows(m.begins, "ACTIVE")
		m.bought(m.begins, 7700)
	case 12:
		m.must(201, "POST", inBilling1, "/operations", "", map[string]any{"type": "REFUND", "purchaseRef": a.text("operationRef"), "amount": map[string]any{"amount": 500, "currency": "EUR"}})
		m.accepted[a.text("period")] -= 500
	case 14:
		m.must(200, "POST", inBilling2, "/operations/"+a.text("operationRef")+"/cancellation", "", map[string]any{"reason": "booked twice"})
		m.accepted[a.text("period")] -= 2000
	case 16:
		m.act(m.second, "SUSPEND")
		m.shows(m.second, "SUSPENDED")
		m.refused(m.second, "CONTRACT_NOT_ACTIVE")
		m.act(m.second, "REINSTATE")
		m.shows(m.second, "ACTIVE")
	case 19:
		m.bought(m.ends, 3300)
	case 28:
		if m.early {
			m.skew(inBilling2, 5*24*time.Hour)
			m.until("the month is billed early", func() error { return m.billed(3) })
		}
	case 29:
		m.skew(inBilling2, 0)
	case 20:
		m.shows(m.ends, "EXPIRED")
		m.refused(m.ends, "CONTRACT_EXPIRED")
	}
	m.midnight(today)
}

// midnight lets time flow over the end of a day, and over the hours in which the clocks of Paris
// change. Then it is nine o'clock.
func (m *virtualMonth) midnight(today time.Time) {
	next := time.Date(today.Year(), today.Month(), today.Day()+1, 0, 0, 0, 0, paris)
	m.set(next.Add(-20 * time.Second))
	m.bought(m.steady, 10)
	time.Sleep(40 * time.Second)
	m.bought(m.steady, 20)
	if offsetAt(next) != offsetAt(next.Add(12*time.Hour)) {
		m.set(next.Add(30 * time.Minute))
		for range 7 { // half an hour each
			m.bought(m.steady, 30)
			time.Sleep(30 * time.Minute)
		}
	}
	m.set(next.Add(9 * time.Hour))
	time.Sleep(2 * time.Second) // for what has become due
}

func offsetAt(at time.Time) int {
	_, seconds := at.Zone()
	return seconds
}

func (m *virtualMonth) act(ref, action string) {
	m.t.Helper()
	m.must(200, "PATCH", inContract, "/contracts/"+ref, "*", map[string]any{"action": action, "reason": "incident"})
}

// billed returns nil once both instances show that many invoices of the month.
func (m *virtualMonth) billed(invoices int) error {
	for _, on := range []string{inBilling1, inBilling2} {
		list, err := m.invoices(on)
		if err != nil {
			return err
		}
		if len(list) != invoices {
			return fmt.Errorf("%d invoices on %s", len(list), on)
		}
	}
	return nil
}

type issued struct {
	InvoiceRef, CustomerRef string
	Total                   money
}

func (m *virtualMonth) invoices(on string) ([]issued, error) {
	var list struct{ Items []issued }
	a, err := m.send("GET", on, "/invoices?limit=200&period="+m.start.Format("2006-01"), "", "", nil)
	if err == nil {
		err = json.Unmarshal([]byte(a.body), &list)
	}
	return list.Items, err
}

// ended looks at what was billed by itself, and collects it. It is the first day of the next month.
func (m *virtualMonth) ended() {
	m.until("the month is billed", func() error { return m.billed(3) })
	list, err := m.invoices(inBilling1)
	if err != nil {
		m.t.Fatal(err)
	}
	var total int64
	var acme string
	for _, i := range list {
		total += i.Total.Amount
		if i.CustomerRef == "CE-ACME" {
			acme = i.InvoiceRef
		}
	}
	if want := m.accepted[m.start.Format("2006-01")]; total != want {
		m.t.Errorf("%d is invoiced for the month, and %d was bought", total, want)
	}
	settle := func(outcome, reason string) {
		body := map[string]any{"outcome": outcome, "contractRef": m.steady}
		if reason != "" {
			body["reason"] = reason
		}
		m.must(200, "POST", inBilling1, "/invoices/"+acme+"/settlement", "", body)
	}
	settle("PRESENTED", "")
	settle("REJECTED", "AM04")
	m.shows(m.steady, "SUSPENDED")
	m.refused(m.steady, "CONTRACT_NOT_ACTIVE")
	settle("PRESENTED", "")
	settle("COLLECTED", "")
	m.act(m.steady, "REINSTATE")
	m.shows(m.steady, "ACTIVE")
	m.bought(m.steady, 990)
}

// log returns the records of billing's log.
func (m *virtualMonth) log() (records []*kgo.Record) {
	client, err := kgo.NewClient(append(m.kafka(), kgo.ConsumeTopics(billinginternal.LogTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		m.t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(m.t.Context(), billinginternal.LogTopic)
	if err != nil {
		m.t.Fatal(err)
	}
	end, _ := ends.Lookup(billinginternal.LogTopic, 0)
	for int64(len(records)) < end.Offset {
		records = append(records, client.PollFetches(m.t.Context()).Records()...)
	}
	return records
}

// judgeLog keeps the books of a log, as after a run under faults. Every month before the one given
// must be billed.
func judgeLog(t *testing.T, log []*kgo.Record, before string) {
	t.Helper()
	k := embeddedtest.Start(t)
	if _, _, err := cluster.Deploy(t.Context(), []string{k.Broker}, k.Registry); err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Broker))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, r := range log {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	root, err := process.Root()
	if err != nil {
		t.Fatal(err)
	}
	seen, err := observer.Open([]string{k.Broker}, k.Registry, filepath.Join(root, "specs"), billingLog)
	if err != nil {
		t.Fatal(err)
	}
	defer seen.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := seen.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	j := judge(seen.Since(0), 0, nil)
	for _, left := range j.unbilled(before) {
		j.violated("%s is not billed", left)
	}
	for _, v := range j.violations {
		t.Error(v)
	}
	t.Logf("%d records applied, %d void", j.applied, j.void)
}
