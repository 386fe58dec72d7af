package api

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/contract/internal/store"
	"github.com/deferpay/deferpay/services/internal/logapi"
)

// SignMandate records a mandate, with its account sealed. IBAN, BIC and owner are left out of the
// hash that recognises a repeated request, since a hash of an account number can be guessed; so a
// key used again with another account that ends in the same four characters is taken for a
// repetition.
func (h *handler) SignMandate(ctx context.Context, body *contractapi.SignedMandate, params contractapi.SignMandateParams) (*contractapi.ChangedContractHeaders, error) {
	command := signMandate(body)
	kept := *body
	kept.Iban, kept.Owner = command.Account.LastFour(), ""
	kept.Bic.Reset()
	return h.change(ctx, "signMandate", params.ContractRef, params.IdempotencyKey, params.IfMatch, &kept, command)
}

// RevokeMandate takes the mandate of a contract back.
func (h *handler) RevokeMandate(ctx context.Context, params contractapi.RevokeMandateParams) (*contractapi.ChangedContractHeaders, error) {
	command := contract.RevokeMandate{Reason: string(params.Reason.Value)}
	asked, err := json.Marshal(params.Reason.Value)
	if err != nil {
		return nil, err
	}
	return h.change(ctx, "revokeMandate", params.ContractRef, params.IdempotencyKey, params.IfMatch, json.RawMessage(asked), command)
}

// GetMandateAccount reads the account of the mandate that was signed last.
func (h *handler) GetMandateAccount(ctx context.Context, params contractapi.GetMandateAccountParams) (*contractapi.MandateAccountHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, params.LogPosition.Value); err != nil {
		return nil, err
	}
	var a store.Account
	var err error
	_, unread := logapi.Find(ctx, h.Store, func() bool {
		a, err = h.Store.Account(ctx, contract.Ref(params.ContractRef))
		return !errors.Is(err, contract.ErrUnknown) && !errors.As(err, new(*store.NoAccount))
	})
	if unread != nil {
		return nil, unread
	}
	if err != nil {
		return nil, about(params.ContractRef, err)
	}
	return &contractapi.MandateAccountHeaders{
		CacheControl: contractapi.CacheControlNoStore, LogPosition: logapi.Position(h.Store, a.Position),
		Response: contractapi.MandateAccount{
			ContractRef: params.ContractRef, Rum: contractapi.Rum(a.RUM), Iban: a.Number(),
			Bic: contractapi.OptString{Value: a.BIC, Set: a.BIC != ""}, Owner: a.Owner,
		},
	}, nil
}

func signMandate(b *contractapi.SignedMandate) contract.SignMandate {
	return contract.SignMandate{
		RUM: string(b.Rum), ICS: string(b.Ics), Scheme: contract.Scheme(b.Scheme), SignedAt: utc(&b.SignedAt),
		Account: contract.Account{IBAN: b.Iban, BIC: b.Bic.Value, Owner: b.Owner},
	}
}
