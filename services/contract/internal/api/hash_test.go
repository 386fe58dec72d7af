package api_test

import (
	"testing"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/internal/idempotency/hashtest"
)

func TestHashes(t *testing.T) {
	hashtest.Check(t, map[string]hashtest.Request{
		"open":      {Body: new(contractapi.NewContract), Text: newContract, Hash: "0282c8be58828f8f743a3970ba69353da364746adfd20d45ecf0dabb9bd6e1c10e"},
		"suspend":   {Body: new(contractapi.ContractChange), Text: `{"reason":"dispute","action":"SUSPEND"}`, Hash: "0291bacfecf107f84a4d9efa5cfd6bc394cc6247a6b5f338dd62125b3db710c1dc"},
		"reinstate": {Body: new(contractapi.ContractChange), Text: `{"action":"REINSTATE"}`, Hash: "021be8a6b400d5249191514a818e6326158ae546fd8a135bf509087c69ef640fba"},
		"terminate": {Body: new(contractapi.ContractChange), Text: `{"reason":"left","action":"TERMINATE"}`, Hash: "02ef5caabec0f2a0ff03b60f1f26166109f414c28f6561b414da03f91897af068e"},
		"amend":     {Body: new(contractapi.ContractChange), Text: `{"validUntil":null,"ceiling":{"currency":"EUR","amount":600000},"action":"AMEND"}`, Hash: "028158a13e14fc9f5e2264620c84706c2cb2d51ea06b741aef04614cda0fc4ff20"},
		"sign":      {Body: new(contractapi.SignedMandate), Text: signedMandate, Hash: "029217dcd88e84c15e37f3cce331550e2cce09050b43c4d7d423f97e72c2f1001d"},
	})
}
