package api

import (
	"context"
	"encoding/json"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
)

// SignMandate validates the account and keeps the last four characters of its IBAN. The rest, IBAN,
// BIC and owner, is not recorded anywhere for now: it is to be sealed with a key that can be
// destroyed, and the record has a place for it. It is left out of the hash that recognises a
// repeated request too, since a hash of an account number can be guessed; so a key used again with
// another account that ends in the same four characters is taken for a repetition.
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

// ErasePersonalData is in the contract and not built yet.
func (h *handler) ErasePersonalData(ctx context.Context, params contractapi.ErasePersonalDataParams) (*contractapi.PersonalDataErasureHeaders, error) {
	return nil, h.requests.NotBuilt(ctx, params.IdempotencyKey.Value, "erasePersonalData", "only the last four characters of the IBAN are kept for now")
}

func signMandate(b *contractapi.SignedMandate) contract.SignMandate {
	return contract.SignMandate{
		RUM: string(b.Rum), ICS: string(b.Ics), Scheme: contract.Scheme(b.Scheme), SignedAt: utc(&b.SignedAt),
		Account: contract.Account{IBAN: b.Iban, BIC: b.Bic.Value, Owner: b.Owner},
	}
}
