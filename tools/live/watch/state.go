package watch

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// State is what can be seen of the system at one moment.
type State struct {
	Instances []InstanceState `json:"instances"`
	Lags      []Lag           `json:"lags"`
	Contracts []Contract      `json:"contracts"`
}

// InstanceState is the state of an instance, from its metrics. An instance that does not answer is
// neither up nor ready.
type InstanceState struct {
	Name      string `json:"name"`
	Service   string `json:"service"`
	Up        bool   `json:"up"`
	Ready     bool   `json:"ready"`
	Publishes bool   `json:"publishes"`
	Unsent    int64  `json:"unsent"`   // records of the log that it has not published yet
	Position  int64  `json:"position"` // offset of the last log record that it has read
	Void      int64  `json:"void"`
}

// Lag is the number of records of a topic that a consumer group has not taken in.
type Lag struct {
	Topic   string `json:"topic"`
	Group   string `json:"group"`
	Records int64  `json:"records"`
}

// Contract is a contract in the read models of all instances.
type Contract struct {
	Ref      string `json:"ref"`
	Customer string `json:"customer"`
	Views    []View `json:"views"`
}

// View is what one instance answers about a contract. Amounts are in minor units.
type View struct {
	Instance    string `json:"instance"`
	Status      string `json:"status"`
	Version     int64  `json:"version"`
	Mandate     string `json:"mandate"`
	Ceiling     int64  `json:"ceiling"`
	Currency    string `json:"currency"`
	NotInvoiced int64  `json:"notInvoiced"`
	NotSettled  int64  `json:"notSettled"`
	Available   int64  `json:"available"`
	Eligible    bool   `json:"eligible"`
}

// askIn limits the time of a query.
const askIn = 700 * time.Millisecond

// instances reads the metrics of all instances at the same time.
func (w *Watch) instances(ctx context.Context) []InstanceState {
	out := make([]InstanceState, len(w.o.Instances))
	var all sync.WaitGroup
	for i, in := range w.o.Instances {
		out[i] = InstanceState{Name: in.Name, Service: in.Service, Position: -1}
		all.Go(func() { out[i].read(w.metrics(ctx, in.Admin)) })
	}
	all.Wait()
	return out
}

// read fills the state from metrics, if there are any.
func (s *InstanceState) read(m map[string]float64) {
	if m == nil {
		return
	}
	s.Up, s.Ready, s.Publishes = true, m["deferpay_ready"] == 1, m["deferpay_publishes"] == 1
	s.Unsent, s.Void = int64(m["deferpay_publication_lag_records"]), int64(m["deferpay_log_void_total"])
	if at, ok := m["deferpay_log_position"]; ok {
		s.Position = int64(at)
	}
}

// metrics returns the metrics without labels, or nil if the instance does not answer.
func (w *Watch) metrics(ctx context.Context, url string) map[string]float64 {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		return nil
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	out := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil && strings.HasPrefix(name, "deferpay_") {
			out[name] = v
		}
	}
	if lines.Err() != nil || resp.StatusCode != http.StatusOK {
		return nil
	}
	return out
}

// lags returns what the consumer groups of public topics have not taken in. It is empty while the
// broker does not answer.
func (w *Watch) lags(ctx context.Context) []Lag {
	ctx, cancel := context.WithTimeout(ctx, askIn)
	defer cancel()
	out := []Lag{}
	lags, err := w.admin.Lag(ctx)
	if err != nil {
		return out
	}
	for _, g := range lags.Sorted() {
		if g.Error() != nil {
			continue
		}
		for _, t := range g.Lag.TotalByTopic().Sorted() {
			if t.Topic == facts || t.Topic == "billing.events.v1" {
				out = append(out, Lag{Topic: t.Topic, Group: g.Group, Records: t.Lag})
			}
		}
	}
	return out
}

// models asks every ready instance about the contracts.
func (w *Watch) models(ctx context.Context, instances []InstanceState, contracts, customers []string) []Contract {
	out := make([]Contract, len(contracts))
	for i, ref := range contracts {
		out[i] = Contract{Ref: ref, Customer: customers[i], Views: make([]View, len(instances))}
	}
	var all sync.WaitGroup
	for n, in := range instances {
		if !in.Ready {
			continue
		}
		all.Go(func() {
			url := w.o.Instances[n].URL
			answers := map[string]map[string]View{}
			for i, ref := range contracts {
				if in.Service == "contract" {
					out[i].Views[n] = w.master(ctx, url, ref)
					continue
				}
				if answers[customers[i]] == nil {
					answers[customers[i]] = w.eligibility(ctx, url, customers[i])
				}
				out[i].Views[n] = answers[customers[i]][ref]
			}
			for i := range contracts {
				out[i].Views[n].Instance = in.Name
			}
		})
	}
	all.Wait()
	for i := range out { // those that were not asked, or had no answer
		out[i].Views = slices.DeleteFunc(out[i].Views, func(v View) bool { return v.Status == "" })
	}
	return out
}

type money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

type contractAnswer struct {
	ContractRef     string `json:"contractRef"`
	Status          string `json:"status"`
	Version         int64  `json:"version"`
	ContractVersion int64  `json:"contractVersion"`
	Ceiling         money  `json:"ceiling"`
	Available       money  `json:"available"`
	Eligible        bool   `json:"eligible"`
	Mandate         struct {
		Status string `json:"status"`
	} `json:"mandate"`
	Outstanding struct {
		NotInvoiced money `json:"notInvoiced"`
		NotSettled  money `json:"notSettled"`
	} `json:"outstanding"`
}

func (a contractAnswer) view() View {
	return View{Status: a.Status, Version: max(a.Version, a.ContractVersion), Mandate: a.Mandate.Status, Ceiling: a.Ceiling.Amount, Currency: a.Ceiling.Currency,
		NotInvoiced: a.Outstanding.NotInvoiced.Amount, NotSettled: a.Outstanding.NotSettled.Amount, Available: a.Available.Amount, Eligible: a.Eligible}
}

// master returns what contract answers. It is empty if there is no answer.
func (w *Watch) master(ctx context.Context, url, ref string) View {
	var a contractAnswer
	if err := w.get(ctx, url+"/refcontract/v1/contracts/"+ref, &a); err != nil {
		return View{}
	}
	return a.view()
}

// eligibility returns what an instance of billing answers about the contracts of a customer.
func (w *Watch) eligibility(ctx context.Context, url, customer string) map[string]View {
	var a struct {
		Contracts []contractAnswer `json:"contracts"`
	}
	out := map[string]View{}
	if err := w.get(ctx, url+"/billing/v1/eligibility/"+customer, &a); err != nil {
		return out
	}
	for _, c := range a.Contracts {
		out[c.ContractRef] = c.view()
	}
	return out
}

func (w *Watch) get(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("X-API-Key", "live")
	resp, err := w.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}
