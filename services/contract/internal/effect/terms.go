package effect

import (
	"github.com/deferpay/deferpay/gen/contractlog"
	"github.com/deferpay/deferpay/gen/event"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/internal/optional"
)

func (e *encoder) Subscribed(s contract.Subscribed) error {
	request, err := e.Requested()
	e.message = &contractlog.Subscribed{
		ContractRef: string(s.Ref), CustomerRef: s.CustomerRef, SellerRef: s.SellerRef, Buyer: toLogCompany(s.Buyer),
		Ceiling: contractlog.Money(s.Ceiling), ValidFrom: s.ValidFrom, ValidUntil: optional.Instant(s.ValidUntil), Listed: s.Listed, Request: contractlog.Request(request),
	}
	return err
}

func (d decoder) Subscribed(m *contractlog.Subscribed) (Body, error) {
	return d.Answering(contract.Subscribed{
		Ref: contract.Ref(m.ContractRef), CustomerRef: m.CustomerRef, SellerRef: m.SellerRef, Buyer: fromLogCompany(m.Buyer),
		Ceiling: contract.Money(m.Ceiling), ValidFrom: m.ValidFrom, ValidUntil: optional.Value(m.ValidUntil), Listed: m.Listed,
	}, ledger.Request(m.Request))
}

func (p *publisher) Subscribed(contract.Subscribed) error {
	return p.facts.ContractSubscribed(p.ctx, p.key, event.ContractSubscribed{ContractRef: p.ref, Version: p.version, Contract: p.state, OccurredAt: p.at}, p.headers)
}

func (e *encoder) Amended(a contract.Amended) error {
	request, err := e.Requested()
	m := &contractlog.Amended{ContractRef: string(a.Ref), CustomerRef: a.CustomerRef, ValidFrom: a.ValidFrom, ValidUntil: a.ValidUntil, OpenEnded: a.OpenEnded, Reason: a.Reason, Request: contractlog.Request(request)}
	if a.Ceiling != nil {
		ceiling := contractlog.Money(*a.Ceiling)
		m.Ceiling = &ceiling
	}
	if a.Buyer != nil {
		buyer := toLogCompany(*a.Buyer)
		m.Buyer = &buyer
	}
	e.message = m
	return err
}

func (d decoder) Amended(m *contractlog.Amended) (Body, error) {
	e := contract.Amended{Ref: contract.Ref(m.ContractRef), CustomerRef: m.CustomerRef, ValidFrom: m.ValidFrom, ValidUntil: m.ValidUntil, OpenEnded: m.OpenEnded, Reason: m.Reason}
	if m.Ceiling != nil {
		ceiling := contract.Money(*m.Ceiling)
		e.Ceiling = &ceiling
	}
	if m.Buyer != nil {
		buyer := fromLogCompany(*m.Buyer)
		e.Buyer = &buyer
	}
	return d.Answering(e, ledger.Request(m.Request))
}

func (p *publisher) Amended(e contract.Amended) error {
	return p.facts.ContractAmended(p.ctx, p.key, event.ContractAmended{ContractRef: p.ref, Version: p.version, Contract: p.state, Reason: e.Reason, OccurredAt: p.at}, p.headers)
}
