package effect

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/deferpay/deferpay/services/contract/internal/contract"
)

// accepted returns the record of a mandate that was accepted by the former version of the log.
func accepted(ref contract.Ref, rum string) (a Applied) {
	m := contract.Mandate{ICS: "FR72ZZZ123456", RUM: rum}
	a.Body.Event = contract.MandateAccepted{Ref: ref, Mandate: m}
	a.After = &contract.Contract{Ref: ref, Mandate: &m}
	return a
}

// A cut hands out the model as it was, whatever becomes of the model while it is handed out.
func TestCutKeepsWhatWas(t *testing.T) {
	for name, before := range map[string]func(*Model){
		"changed": func(*Model) {}, "emptied": (*Model).Reset, "replaced": func(m *Model) { m.Load().Use() },
	} {
		for changeAt := range 8 {
			t.Run(fmt.Sprint(name, " before item ", changeAt), func(t *testing.T) { cutKeepsWhatWas(t, changeAt, before) })
		}
	}
}

func cutKeepsWhatWas(t *testing.T, changeAt int, before func(*Model)) {
	m, want := NewModel(), NewModel()
	for _, to := range []*Model{m, want} {
		to.Project(accepted("CTR-1", "RUM-1"))
		to.Project(accepted("CTR-2", "RUM-2"))
	}
	c, loaded := m.Cut(), m.Load().(*loading)
	for n := 0; ; n++ {
		if n == changeAt {
			before(m)
			withdrawn := accepted("CTR-1", "RUM-1")
			withdrawn.Body.Event = contract.MandateWithdrawn{Ref: "CTR-1"}
			m.Project(withdrawn)
			erased := accepted("CTR-2", "RUM-2")
			erased.After.Erasures = 1
			erased.Body.Event = contract.PersonalDataErased{Ref: "CTR-2"}
			m.Project(erased)
			m.Project(accepted("CTR-3", "RUM-3"))
		}
		data, more, err := c.Next(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			break
		}
		if err := loaded.Add(data); err != nil {
			t.Fatal(err)
		}
	}
	c.End()
	if got := loaded.made; !reflect.DeepEqual(got, want) {
		t.Errorf("the cut has %+v and mandates %v, want %+v and %v", got.Latest, got.Mandates, want.Latest, want.Mandates)
	}
	if m.cut != nil {
		t.Error("the model keeps what was for a cut that has ended")
	}
}

// An item that cannot be read is refused by whoever takes a snapshot, and by a start.
func TestLoadRefuses(t *testing.T) {
	whole, err := items.Append(nil, item{Mandate: &mandate{Key: "FR72ZZZ123456/RUM-1"}})
	if err != nil {
		t.Fatal(err)
	}
	lacking, err := items.Append(nil, item{Latest: &Applied{}})
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"cut short": whole[:len(whole)-1], "more than an item": append(whole, 0), "no contract": lacking} {
		if m := NewModel(); m.Check(data) == nil || m.Load().Add(data) == nil {
			t.Errorf("%s: loaded", name)
		}
	}
}

// BenchmarkCut reports how long a cut of a model of 100,000 contracts holds the lock.
func BenchmarkCut(b *testing.B) {
	m := NewModel()
	for i := range 100_000 {
		ref := contract.Ref(fmt.Sprint("CTR-", i+1))
		m.All = append(m.All, ref)
		m.Latest[ref] = Applied{After: &contract.Contract{Ref: ref}}
		m.Accounts[ref] = Account{}
	}
	var took time.Duration
	for b.Loop() {
		began := time.Now()
		c := m.Cut()
		took += time.Since(began)
		c.End()
	}
	b.ReportMetric(float64(took.Microseconds())/float64(b.N), "µs/cut")
}
