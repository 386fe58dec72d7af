package effect

import (
	"github.com/deferpay/deferpay/gen/contractlog"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/ledger"
)

func (e *encoder) MandateAccepted(a contract.MandateAccepted) error {
	request, err := e.Requested()
	e.message = &contractlog.MandateAccepted{ContractRef: string(a.Ref), Mandate: toLogMandate(a.Mandate), Request: contractlog.Request(request)}
	return err
}

func (d decoder) MandateAccepted(m *contractlog.MandateAccepted) (Body, error) {
	return d.Answering(contract.MandateAccepted{Ref: contract.Ref(m.ContractRef), Mandate: fromLogMandate(m.Mandate)}, ledger.Request(m.Request))
}

func (p *publisher) MandateAccepted(contract.MandateAccepted) error {
	return p.facts.MandateSigned(p.ctx, p.key, event.MandateSigned{ContractRef: p.ref, Version: p.version, Contract: p.state, OccurredAt: p.at}, p.headers)
}

func (e *encoder) MandateWithdrawn(w contract.MandateWithdrawn) error {
	request, err := e.Requested()
	e.message = &contractlog.MandateWithdrawn{ContractRef: string(w.Ref), MandateKey: w.Key, Reason: w.Reason, Request: contractlog.Request(request)}
	return err
}

func (d decoder) MandateWithdrawn(m *contractlog.MandateWithdrawn) (Body, error) {
	return d.Answering(contract.MandateWithdrawn{Ref: contract.Ref(m.ContractRef), Key: m.MandateKey, Reason: m.Reason}, ledger.Request(m.Request))
}

func (p *publisher) MandateWithdrawn(e contract.MandateWithdrawn) error {
	return p.facts.MandateRevoked(p.ctx, p.key, event.MandateRevoked{ContractRef: p.ref, Version: p.version, Contract: p.state, Reason: e.Reason, OccurredAt: p.at}, p.headers)
}
