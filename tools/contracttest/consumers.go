package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/contracttest/kafkatest"
)

// consumed sends to both services what they consume: what has an effect, what nobody can handle,
// and former versions. The story is over then.
func (p *prober) consumed(ctx context.Context, s *kafkatest.Session, c *coverage) error {
	active, err := p.active(ctx)
	if err != nil {
		return err
	}
	if err := p.reaction(ctx, s, active, c); err != nil {
		return err
	}
	for _, of := range []struct{ operation, message string }{{"onBillingEvents", "DirectDebitRejected"}, {"onContractFacts", "ContractSuspended"}} {
		op := s.Contract().Operation(of.operation)
		if op == nil {
			return fmt.Errorf("no document has the operation %s", of.operation)
		}
		var failed error
		outcomes, err := s.Hostile(ctx, op, of.message, func(m *kafkatest.Message, n int) kafkatest.Sample {
			sample, err := p.aboutContract(ctx, m, n)
			failed = errors.Join(failed, err)
			return sample
		})
		if err = errors.Join(failed, err); err != nil {
			return err
		}
		c.consumed = append(c.consumed, outcomes...)
	}
	return nil
}

// aboutContract returns a sample with a key of its own: a fact about a contract that nobody has, or
// an event of billing about one that contract knows.
func (p *prober) aboutContract(ctx context.Context, m *kafkatest.Message, n int) (kafkatest.Sample, error) {
	payload, _ := m.Examples[0].Payload.(map[string]any)
	at, _ := payload["occurredAt"].(string)
	sample := kafkatest.Sample{Headers: map[string]string{"ce_time": at}}
	if state, ok := payload["contract"].(map[string]any); ok {
		ref := fmt.Sprint("CTR-", 990001+n)
		state = maps.Clone(state)
		state["contractRef"], state["customerRef"] = ref, "CE-HOSTILE"
		sample.Change = map[string]any{"contractRef": ref, "contract": state}
		return sample, nil
	}
	customer := fmt.Sprint("CE-HOSTILE-", n)
	ref, err := p.subscribed(ctx, customer)
	sample.Change = map[string]any{"contractRef": ref, "customerRef": customer}
	return sample, err
}

// reaction sends a failed direct debit of an active contract twice. The contract is suspended once.
func (p *prober) reaction(ctx context.Context, s *kafkatest.Session, ref string, c *coverage) error {
	op := s.Contract().Operation("onBillingEvents")
	at := time.Now().UTC().Format(time.RFC3339)
	r, err := s.Record(ctx, op.Channel, op.Channel.Message("DirectDebitRejected"), kafkatest.Sample{
		Change:  map[string]any{"contractRef": ref, "customerRef": "CE-KAFKA", "occurredAt": at},
		Headers: map[string]string{"ce_time": at},
	})
	if err != nil {
		return err
	}
	o := kafkatest.Outcome{Operation: op.Name, Kind: "sent twice, with an effect: ContractSuspended", Policy: kafkatest.Handled, Record: r}
	effects, err := s.Once(ctx, op, r, kafkatest.Want{Topic: "contract.facts.v1", Message: "ContractSuspended", Match: func(v kafkatest.Verdict) bool {
		return string(v.Record.Key) == ref
	}})
	if err != nil {
		o.Faults = append(o.Faults, err.Error())
	} else if len(effects) != 1 {
		o.Faults = append(o.Faults, fmt.Sprintf("it has %d effects", len(effects)))
	}
	for _, v := range effects {
		o.Faults = append(o.Faults, v.Violations...)
	}
	c.consumed = append(c.consumed, o)
	return nil
}

// listed is a list of contracts.
type listed struct {
	Items []struct{ ContractRef, Status string }
}

// subscribed makes a contract of a customer that has none and returns its reference.
func (p *prober) subscribed(ctx context.Context, customer string) (string, error) {
	all := p.contract + "/refcontract/v1/contracts"
	p.send(ctx, all, probe{method: http.MethodPost, body: strings.ReplaceAll(newContract, "CE-PROBE", customer), status: 201})
	var found listed
	if err := p.until(ctx, "the contract is there", all+"?customerRef="+customer, &found, func() bool { return len(found.Items) == 1 }); err != nil {
		return "", err
	}
	return found.Items[0].ContractRef, nil
}

// active makes an active contract and returns its reference.
func (p *prober) active(ctx context.Context) (string, error) {
	all := p.contract + "/refcontract/v1/contracts"
	ref, err := p.subscribed(ctx, "CE-KAFKA")
	if err != nil {
		return "", err
	}
	var found listed
	list := all + "?customerRef=CE-KAFKA"
	mandate := strings.Replace(signedMandate, "RUM-PROBE", "RUM-KAFKA", 1)
	mandate = strings.Replace(mandate, "2026-01-01", time.Now().UTC().Format(time.DateOnly), 1)
	p.send(ctx, all, probe{method: http.MethodPut, path: "/" + ref + "/mandate", body: mandate, header: map[string]string{"If-Match": "*"}, status: 200})
	return ref, p.until(ctx, "the contract is active", list, &found, func() bool { return len(found.Items) == 1 && found.Items[0].Status == "ACTIVE" })
}
