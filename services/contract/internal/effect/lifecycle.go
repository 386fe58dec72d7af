package effect

import (
	"github.com/deferpay/deferpay/gen/contractlog"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/ledger"
)

func (e *encoder) Activated(a contract.Activated) error {
	e.message = &contractlog.Activated{ContractRef: string(a.Ref)}
	return e.Unrequested()
}

func (d decoder) Activated(m *contractlog.Activated) (Body, error) {
	return d.WithoutRequest(contract.Activated{Ref: contract.Ref(m.ContractRef)})
}

func (p *publisher) Activated(contract.Activated) error {
	return p.facts.ContractActivated(p.ctx, p.key, event.ContractActivated{ContractRef: p.ref, Version: p.version, Contract: p.state, OccurredAt: p.at}, p.headers)
}

func (e *encoder) Suspended(s contract.Suspended) error {
	m := &contractlog.Suspended{ContractRef: string(s.Ref), Cause: contractlog.SuspensionCause(s.Cause), Reason: s.Reason, Request: (*contractlog.Request)(e.MaybeRequested())}
	if d := s.Debit; d != nil {
		m.Debit = &contractlog.DebitFailure{EventID: d.EventID, InvoiceRef: d.InvoiceRef, Presentation: int32(d.Presentation), Reason: d.Reason}
	}
	e.message = m
	return nil
}

func (d decoder) Suspended(m *contractlog.Suspended) (Body, error) {
	e := contract.Suspended{Ref: contract.Ref(m.ContractRef), Cause: contract.Cause(m.Cause), Reason: m.Reason}
	if d := m.Debit; d != nil {
		e.Debit = &contract.Debit{EventID: d.EventID, InvoiceRef: d.InvoiceRef, Presentation: int(d.Presentation), Reason: d.Reason}
	}
	return d.MaybeAnswering(e, (*ledger.Request)(m.Request))
}

func (p *publisher) Suspended(e contract.Suspended) error {
	return p.facts.ContractSuspended(p.ctx, p.key, event.ContractSuspended{
		ContractRef: p.ref, Version: p.version, Contract: p.state, Cause: event.SuspensionCause(e.Cause), Reason: e.Reason, OccurredAt: p.at,
	}, p.headers)
}

func (e *encoder) Reinstated(r contract.Reinstated) error {
	request, err := e.Requested()
	e.message = &contractlog.Reinstated{ContractRef: string(r.Ref), Reason: r.Reason, Request: contractlog.Request(request)}
	return err
}

func (d decoder) Reinstated(m *contractlog.Reinstated) (Body, error) {
	return d.Answering(contract.Reinstated{Ref: contract.Ref(m.ContractRef), Reason: m.Reason}, ledger.Request(m.Request))
}

func (p *publisher) Reinstated(e contract.Reinstated) error {
	return p.facts.ContractReinstated(p.ctx, p.key, event.ContractReinstated{ContractRef: p.ref, Version: p.version, Contract: p.state, Reason: e.Reason, OccurredAt: p.at}, p.headers)
}

func (e *encoder) Expired(x contract.Expired) error {
	e.message = &contractlog.Expired{ContractRef: string(x.Ref)}
	return e.Unrequested()
}

func (d decoder) Expired(m *contractlog.Expired) (Body, error) {
	return d.WithoutRequest(contract.Expired{Ref: contract.Ref(m.ContractRef)})
}

func (p *publisher) Expired(contract.Expired) error {
	return p.facts.ContractExpired(p.ctx, p.key, event.ContractExpired{ContractRef: p.ref, Version: p.version, Contract: p.state, OccurredAt: p.at}, p.headers)
}

func (e *encoder) Terminated(t contract.Terminated) error {
	request, err := e.Requested()
	e.message = &contractlog.Terminated{ContractRef: string(t.Ref), Reason: t.Reason, Request: contractlog.Request(request)}
	return err
}

func (d decoder) Terminated(m *contractlog.Terminated) (Body, error) {
	return d.Answering(contract.Terminated{Ref: contract.Ref(m.ContractRef), Reason: m.Reason}, ledger.Request(m.Request))
}

func (p *publisher) Terminated(e contract.Terminated) error {
	return p.facts.ContractTerminated(p.ctx, p.key, event.ContractTerminated{ContractRef: p.ref, Version: p.version, Contract: p.state, Reason: e.Reason, OccurredAt: p.at}, p.headers)
}
