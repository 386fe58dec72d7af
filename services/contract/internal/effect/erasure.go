package effect

import (
	"github.com/deferpay/deferpay/gen/contractlog"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/ledger"
)

func (e *encoder) PersonalDataErased(p contract.PersonalDataErased) error {
	request, err := e.Requested()
	e.message = &contractlog.PersonalDataErased{ContractRef: string(p.Ref), Request: contractlog.Request(request)}
	return err
}

func (d decoder) PersonalDataErased(m *contractlog.PersonalDataErased) (Body, error) {
	return d.Answering(contract.PersonalDataErased{Ref: contract.Ref(m.ContractRef)}, ledger.Request(m.Request))
}

// PersonalDataErased publishes nothing: facts carry no personal data.
func (p *publisher) PersonalDataErased(contract.PersonalDataErased) error { return nil }
