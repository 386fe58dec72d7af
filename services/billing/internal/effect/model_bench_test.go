package effect

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/billing/internal/billing"
)

// BenchmarkModel fills a model with a million operations of 4,000 contracts, over 24 months, of
// which 23 are invoiced. References, amounts and texts differ as those of a booking system do. It
// reports what the model takes of memory and of time, how long a cut holds the lock, and what an
// operation takes in a snapshot.
func BenchmarkModel(b *testing.B) {
	const operations, contracts, months = 1_000_000, 4000, 24
	for b.Loop() {
		before := heapInUse()
		m := NewModel()
		began := time.Now()
		fill(m, operations, contracts, months)
		b.ReportMetric(float64(time.Since(began).Nanoseconds())/operations, "ns/operation")
		b.ReportMetric(float64(heapInUse()-before)/operations, "B/operation")
		began = time.Now()
		c := m.Cut()
		b.ReportMetric(float64(time.Since(began).Microseconds()), "µs/cut")
		var all [][]byte
		for {
			data, more, err := c.Next(nil)
			if err != nil {
				b.Fatal(err)
			}
			if !more {
				break
			}
			all = append(all, data)
		}
		c.End()
		began = time.Now()
		l, size := m.Load(), 0
		for _, data := range all {
			size += len(data)
			if err := l.Add(data); err != nil {
				b.Fatal(err)
			}
		}
		if err := l.End(); err != nil {
			b.Fatal(err)
		}
		l.Use()
		b.ReportMetric(time.Since(began).Seconds(), "s/load")
		b.ReportMetric(float64(size)/operations, "B/operation-in-snapshot")
		b.ReportMetric(0, "ns/op")
		runtime.KeepAlive(m)
	}
}

func heapInUse() float64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&s)
	return float64(s.HeapAlloc)
}

// fill adds operations to a model, as events do.
func fill(m *Model, operations, contracts, months int) {
	rng := rand.New(rand.NewPCG(1, 2))
	cities := []string{"Lisbon", "Porto", "Nantes", "Saint-Malo", "Ajaccio", "Naples", "Kraków", "Bruges", "Annecy", "Colmar"}
	at := time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC)
	all := make([]billing.Contract, contracts)
	outstanding := make([]int64, contracts)
	for i := range all {
		all[i] = billing.Contract{
			Ref: fmt.Sprint("CTR-", i+1), CustomerRef: fmt.Sprint("CE-", i*3/4+1), SellerRef: "AGENCY-1", SubscriptionRef: fmt.Sprint("SUB-", i+1), Version: 1,
		}
		m.addContract(all[i])
	}
	p := billing.Period{Year: 2026, Month: 1}
	for n := range operations {
		at = at.Add(time.Duration(rng.IntN(60_000_000)) * time.Microsecond)
		i := rng.IntN(contracts)
		euros := func(amount int64) billing.Money { return billing.Money{Amount: amount, Currency: "EUR"} }
		amount := 20_00 + rng.Int64N(900_00)
		outstanding[i] += amount
		k := m.contract(all[i].Ref)
		m.keepTerms(k, all[i])
		m.append(&Operation{
			Kind: billing.KindPurchase, Status: billing.OperationAccepted, OrderRef: fmt.Sprintf("R%07d-%c%c", n*7, 'A'+rng.IntN(26), 'A'+rng.IntN(26)),
			Text: fmt.Sprintf("%s, %d adults, %d nights", cities[rng.IntN(len(cities))], 1+rng.IntN(5), 1+rng.IntN(14)), Amount: euros(amount), Period: p, DecidedAt: at,
			Judgement: Judgement{ContractVersion: 1, Outstanding: euros(outstanding[i]), Ceiling: euros(1 << 30), Available: euros(1<<30 - outstanding[i])},
		}, k)
		if (n+1)%(operations/months) != 0 || p.Year == 2027 && p.Month == 12 {
			continue
		}
		for i := range all {
			outstanding[i] = 0
			m.issueInvoice(billing.Invoice{
				Ref: fmt.Sprintf("BIL-%d-%06d", p.Year, n/1000+i), CustomerRef: all[i].CustomerRef, Period: p, Parts: []billing.Part{{ContractRef: all[i].Ref}},
			})
		}
		p = p.Next()
	}
}

// BenchmarkUnpack reads one operation of a block.
func BenchmarkUnpack(b *testing.B) {
	m := NewModel()
	fill(m, 10_000, 100, 2)
	p := m.Pick([]uint32{1000})
	b.ReportAllocs()
	for b.Loop() {
		p.Unpack()
	}
}
