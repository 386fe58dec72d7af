package api

import (
	"github.com/ogen-go/ogen/middleware"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/logapi"
)

// ofContract is the kind of the requests about one contract.
const ofContract access.Kind = "contract"

// ownership says to which customer the target of a request belongs.
func (h *handler) ownership() access.Ownership {
	return access.Ownership{
		Paths: map[string]access.Kind{"contractRef": ofContract},
		Bodies: map[string]func(any) access.Target{"createContract": func(body any) access.Target {
			b, _ := body.(*contractapi.NewContract)
			return access.Target{Kind: access.Customer, Ref: string(b.CustomerRef)}
		}},
		Lists: []string{"listContracts"},
		Owner: h.owner,
		Missing: func(_ string, t access.Target) error {
			return about(contractapi.ContractRef(t.Ref), contract.ErrUnknown)
		},
	}
}

func (h *handler) owner(req middleware.Request, t access.Target) (string, bool, error) {
	return logapi.Owner(req.Context, h.Store, func() (string, bool) {
		c, _, err := h.Store.Get(contract.Ref(t.Ref))
		if err != nil {
			return "", false
		}
		return c.CustomerRef, true
	})
}
