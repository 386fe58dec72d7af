package api

import (
	"context"

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
