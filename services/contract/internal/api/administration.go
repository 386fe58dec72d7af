package api

import (
	"context"
	"time"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/logapi"
)

// RepublishContract publishes the state of a contract again, under a higher version.
func (h *handler) RepublishContract(ctx context.Context, body contractapi.OptRepublishContract, params contractapi.RepublishContractParams) (*contractapi.RepublicationHeaders, error) {
	command := contract.Republish{AboveVersion: body.Value.AboveVersion.Value}
	out, err := h.decide(ctx, "republishContract", params.ContractRef, params.IdempotencyKey, anyVersion, &body.Value, command)
	if err != nil {
		return nil, err
	}
	return &contractapi.RepublicationHeaders{
		LogPosition: logapi.Position(h.Store, out.Offset), IdempotentReplayed: replayed(out),
		Response: contractapi.Republication{ContractRef: contractapi.ContractRef(out.Answer.Ref), Version: out.Answer.Version, RequestedAt: out.Answer.UpdatedAt},
	}, nil
}

// anyVersion is the precondition of a command without If-Match.
func anyVersion(*contract.Contract) error { return nil }

// forgetTime bounds the wait for the keys to be read back as destroyed.
const forgetTime = 3 * time.Second

// ErasePersonalData records an erasure, and destroys the keys of the contract. If they cannot be
// destroyed now, the service goes on trying.
func (h *handler) ErasePersonalData(ctx context.Context, params contractapi.ErasePersonalDataParams) (*contractapi.PersonalDataErasureHeaders, error) {
	out, err := h.decide(ctx, "erasePersonalData", params.ContractRef, params.IdempotencyKey, anyVersion, nil, contract.ErasePersonalData{})
	if err != nil {
		return nil, err
	}
	forget, cancel := context.WithTimeout(ctx, forgetTime)
	defer cancel()
	completed, err := h.Store.ForgetErased(forget)
	if err != nil {
		h.Logger.WarnContext(ctx, "keys of erased personal data may be left, trying again at the next tick", "contract", params.ContractRef, "error", err.Error())
	}
	return &contractapi.PersonalDataErasureHeaders{
		LogPosition: logapi.Position(h.Store, out.Offset), IdempotentReplayed: replayed(out),
		Response: contractapi.PersonalDataErasure{ContractRef: params.ContractRef, RequestedAt: out.Answer.ErasedAt, CompletedAt: optTime(completed)},
	}, nil
}
