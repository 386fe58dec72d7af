//go:build full

package foreign_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/observer"
)

// fact is what a foreign writer writes.
type fact struct {
	Type    string            `json:"type"`
	Key     string            `json:"key"`
	Headers map[string]string `json:"headers"`
	Value   map[string]any    `json:"value"`
}

// instant returns an instant in the form that a foreign writer turns into a value of its language.
func instant(t time.Time) map[string]any { return map[string]any{"$micros": t.UnixMicro()} }

// life returns a fact of each kind about one contract, in order: those that open it and those that
// end it. Among them every field is null once and has a value once, and instants have microseconds.
func life(writer, number, run string) (ref, customer string, opened, ended []fact) {
	ref, customer = "CTR-"+number, "CE-"+writer+"-"+run
	at := time.Now().UTC().Truncate(time.Microsecond).Add(-time.Hour)
	mandate := map[string]any{"rum": "RUM-" + run, "ics": "FR72ZZZ123456", "scheme": "B2B", "ibanLastFour": "0189", "signedAt": instant(at), "revokedAt": nil}
	state := map[string]any{
		"contractRef": ref, "subscriptionRef": "SUB-" + number, "customerRef": customer, "sellerRef": "AGENCY-1",
		"buyer": map[string]any{"legalName": "Comité social d’" + writer + " 旅", "siren": "732829320", "vatNumber": "FR44732829320",
			"billingAddress": map[string]any{"line1": "12 rue de la Paix", "line2": nil, "postalCode": "75002", "city": "Paris", "country": "FR"}},
		"ceiling": map[string]any{"amount": 500000, "currency": "EUR"}, "validFrom": instant(at.Add(-24 * time.Hour)), "validUntil": nil,
		"mandate": nil, "suspension": nil,
	}
	version := 0
	next := func(kind, status string, change, more map[string]any) fact {
		version++
		when := at.Add(time.Duration(version) * (time.Second + time.Microsecond))
		maps.Copy(state, change)
		state["version"], state["status"] = version, status
		value := map[string]any{"contractRef": ref, "version": version, "contract": maps.Clone(state), "occurredAt": instant(when)}
		maps.Copy(value, more)
		return fact{"deferpay.event." + kind, ref, map[string]string{
			"ce_id": fmt.Sprintf("%s-%s-%d", writer, run, version), "ce_source": writer, "ce_type": "deferpay.event." + kind, "ce_specversion": "1.0",
			"ce_time": when.Format(time.RFC3339Nano), "ce_subject": ref,
		}, value}
	}
	reason := func(text string) map[string]any { return map[string]any{"reason": text} }
	suspension := map[string]any{"cause": "DIRECT_DEBIT_RETURNED", "detail": "AM04", "since": instant(at), "invoiceRef": "BIL-2026-000001"}
	revoked := maps.Clone(mandate)
	revoked["revokedAt"] = instant(at.Add(time.Minute))
	opened = []fact{
		next("ContractSubscribed", "PENDING", nil, nil),
		next("MandateSigned", "PENDING", map[string]any{"mandate": mandate}, nil),
		next("ContractActivated", "ACTIVE", nil, nil),
		next("ContractAmended", "ACTIVE", map[string]any{"ceiling": map[string]any{"amount": ceiling, "currency": "EUR"}, "validUntil": instant(at.AddDate(9, 0, 0))}, reason("much more")),
	}
	ended = []fact{
		next("ContractSuspended", "SUSPENDED", map[string]any{"suspension": suspension}, map[string]any{"cause": "DIRECT_DEBIT_RETURNED", "reason": "AM04"}),
		next("ContractReinstated", "ACTIVE", map[string]any{"suspension": nil}, reason("paid")),
		next("ContractRepublished", "ACTIVE", nil, nil),
		next("MandateRevoked", "ACTIVE", map[string]any{"mandate": revoked}, reason("by the debtor")),
		next("ContractExpired", "EXPIRED", nil, nil),
		next("ContractTerminated", "TERMINATED", nil, reason("left")),
	}
	return ref, customer, opened, ended
}

// ceiling takes more than 32 bits.
const ceiling = 98765432100

// writers lets foreign clients write facts, which billing must ingest.
func (s *system) writers(t *testing.T, all map[string]client) {
	for i, name := range []string{"python", "node"} {
		t.Run(name, func(t *testing.T) {
			c := all[name]
			c.need(t)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			// far from the numbers that contract hands out
			ref, customer, opened, ended := life(name, fmt.Sprint(9-i)+s.run, s.run)
			steps := []struct {
				facts []fact
				want  string
			}{
				{opened, fmt.Sprintf("ACTIVE version 4, ceiling %d EUR, eligible true []", ceiling)},
				{ended, fmt.Sprintf("TERMINATED version 10, ceiling %d EUR, eligible false [CONTRACT_NOT_ACTIVE MANDATE_NOT_VALID]", ceiling)},
			}
			written := 0
			for stage, step := range steps {
				wrote := 0
				err := c.scripts.order(ctx, "write", map[string]any{"brokers": strings.Join(s.Brokers, ","), "registry": s.Registry, "topic": facts, "records": step.facts},
					func([]byte) error { wrote++; return nil })
				if err != nil || wrote != len(step.facts) {
					t.Fatalf("wrote %d of %d facts: %v", wrote, len(step.facts), err)
				}
				written += wrote
				if err := s.ingested(ctx, ref, written); err != nil {
					t.Fatal(err)
				}
				for b := range s.Billing {
					if got, err := s.eligibility(ctx, b, customer); err != nil || got != step.want {
						t.Errorf("billing %d: %s, %v; want %s", b+1, got, err, step.want)
					}
				}
				if stage == 0 {
					if err := s.buy(ctx, ref, 4900); err != nil {
						t.Error(err)
					}
				}
			}
			t.Logf("%s wrote %d facts, billing ingested all of them: %s, then %s", name, written, steps[0].want, steps[1].want)
		})
	}
	for _, r := range s.seen.Since(0) {
		if r.Topic == deadLetter {
			t.Errorf("dead letter: %v", r.Headers)
		}
	}
}

// ingested waits until billing's log has so many observations of a contract, in the order of their
// versions.
func (s *system) ingested(ctx context.Context, ref string, count int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	of := func(records []observer.Record) []string {
		var out []string
		for _, r := range records {
			if contract, _ := r.Value["contract"].(map[string]any); r.Type == "ContractObserved" && !r.Void() && contract["contractRef"] == ref {
				out = append(out, fmt.Sprint(contract["version"]))
			}
		}
		return out
	}
	err := s.seen.Wait(ctx, 0, func(records []observer.Record) bool {
		return len(of(records)) >= count || slices.ContainsFunc(records, func(r observer.Record) bool { return r.Topic == deadLetter })
	})
	got := of(s.seen.Since(0))
	for i, version := range got {
		if version != fmt.Sprint(i+1) {
			return fmt.Errorf("billing observed %s: versions %v", ref, got)
		}
	}
	if err != nil || len(got) != count {
		return fmt.Errorf("billing observed %d facts of %s, want %d: %w", len(got), ref, count, err)
	}
	return nil
}

// eligibility returns what an instance of billing answers once it has read its log to the end.
func (s *system) eligibility(ctx context.Context, instance int, customer string) (string, error) {
	if err := s.seen.Sync(ctx); err != nil {
		return "", err
	}
	var end int64
	for _, r := range s.seen.Since(0) {
		if r.Topic == billingLog {
			end = r.Offset
		}
	}
	var a struct {
		Contracts []struct {
			Status          string
			ContractVersion int
			Ceiling         struct {
				Amount   int64
				Currency string
			}
			Eligible bool
			Reasons  []string
		}
	}
	fresh := map[string]string{"Log-Position": fmt.Sprintf("%s:%d", billingLog, end)}
	err := s.send(ctx, http.MethodGet, s.Billing[instance]+"/billing/v1/eligibility/"+customer, fresh, "", http.StatusOK, &a)
	if err != nil || len(a.Contracts) != 1 {
		return "", fmt.Errorf("%d contracts: %w", len(a.Contracts), err)
	}
	c := a.Contracts[0]
	return fmt.Sprintf("%s version %d, ceiling %d %s, eligible %t %v", c.Status, c.ContractVersion, c.Ceiling.Amount, c.Ceiling.Currency, c.Eligible, c.Reasons), nil
}

// buy makes a purchase, which must be accepted, and returns once its event is published.
func (s *system) buy(ctx context.Context, ref string, amount int) error {
	var a struct{ OperationRef, Status string }
	order := fmt.Sprintf(`{"type":"PURCHASE","contractRef":%q,"orderRef":"ORD-%s","amount":{"amount":%d,"currency":"EUR"}}`, ref, rand.Text(), amount)
	err := s.send(ctx, http.MethodPost, s.Billing[0]+"/billing/v1/operations", nil, order, http.StatusCreated, &a)
	if err != nil || a.Status != "ACCEPTED" {
		return fmt.Errorf("a purchase on %s: %q: %w", ref, a.Status, err)
	}
	return s.seen.Wait(ctx, 0, func(records []observer.Record) bool {
		return slices.ContainsFunc(records, func(r observer.Record) bool {
			return r.Type == "OperationAccepted" && r.Value["operationRef"] == a.OperationRef
		})
	})
}

// amend makes our services publish what the story leaves out: it raises the ceiling of a contract,
// and makes a purchase that passes its threshold.
func (s *system) amend(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	contracts := s.Contract + "/refcontract/v1/contracts"
	var c struct{ ContractRef string }
	err := s.send(ctx, http.MethodPost, contracts, nil, fmt.Sprintf(`{"customerRef":"CE-OURS-%s","sellerRef":"AG-1","ceiling":{"amount":100000,"currency":"EUR"},
		"validFrom":"2026-01-01T00:00:00.000001Z","buyer":{"legalName":"CSE","siren":"732829320","vatNumber":"FR44732829320",
		"billingAddress":{"line1":"12 rue de la Paix","line2":"bât. B","postalCode":"75002","city":"Paris","country":"FR"}}}`, s.run), http.StatusCreated, &c)
	if err != nil {
		return err
	}
	one := contracts + "/" + c.ContractRef
	err = s.send(ctx, http.MethodPut, one+"/mandate", map[string]string{"If-Match": `"1"`}, fmt.Sprintf(`{"rum":"RUM-OURS-%s","ics":"FR72ZZZ123456","scheme":"CORE",
		"signedAt":"2026-01-01T00:00:00Z","iban":"FR76 3000 6000 0112 3456 7890 189","owner":"CSE"}`, s.run), http.StatusOK, nil)
	if err != nil {
		return err
	}
	if err := s.ingested(ctx, c.ContractRef, 3); err != nil { // subscribed, signed, activated
		return err
	}
	raise := `{"action":"AMEND","ceiling":{"amount":200000,"currency":"EUR"},"reason":"more of them"}`
	if err := s.send(ctx, http.MethodPatch, one, map[string]string{"If-Match": `"3"`}, raise, http.StatusOK, nil); err != nil {
		return err
	}
	if err := s.ingested(ctx, c.ContractRef, 4); err != nil {
		return err
	}
	if err := s.buy(ctx, c.ContractRef, 170000); err != nil {
		return err
	}
	return s.seen.Wait(ctx, 0, func(records []observer.Record) bool {
		return slices.ContainsFunc(records, func(r observer.Record) bool { return r.Type == "CeilingThresholdReached" && r.Key == "CE-OURS-"+s.run })
	})
}

// send sends a request, which must be answered with the status want, and decodes the answer into
// into, unless that is nil.
func (s *system) send(ctx context.Context, method, url string, headers map[string]string, body string, want int, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-API-Key", "foreign")
	if method != http.MethodGet {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", rand.Text())
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		return fmt.Errorf("%s %s: %d %s, want %d: %w", method, url, resp.StatusCode, answer, want, err)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}
