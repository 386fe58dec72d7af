package effect

import (
	"github.com/deferpay/deferpay/gen/contractlog"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/ledger"
)

func (e *encoder) Republished(r contract.Republished) error {
	request, err := e.Requested()
	e.message = &contractlog.Republished{ContractRef: string(r.Ref), Version: r.Version, Request: contractlog.Request(request)}
	return err
}

func (d decoder) Republished(m *contractlog.Republished) (Body, error) {
	return d.Answering(contract.Republished{Ref: contract.Ref(m.ContractRef), Version: m.Version}, ledger.Request(m.Request))
}

func (p *publisher) Republished(contract.Republished) error {
	return p.facts.ContractRepublished(p.ctx, p.key, event.ContractRepublished{ContractRef: p.ref, Version: p.version, Contract: p.state, OccurredAt: p.at}, p.headers)
}
