package api_test

import (
	"testing"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/services/internal/idempotency/hashtest"
)

func TestHashes(t *testing.T) {
	hashtest.Check(t, map[string]hashtest.Request{
		"purchase": {Body: new(billingapi.OperationRequest), Text: `{"amount":{"currency":"EUR","amount":120000},"label":"Lisbon","type":"PURCHASE","orderRef":"ORD-1","contractRef":"CTR-7"}`, Hash: "02171f761e23a3702eb8625e37d13209d84b6a56441b4ea842321d64420edcc528"},
		"refund":   {Body: new(billingapi.OperationRequest), Text: `{"reason":"ill","amount":{"currency":"EUR","amount":20000},"purchaseRef":"BOP-7-1","type":"REFUND"}`, Hash: "020d9f3fc11e5e1dedc598c0ffc37e23a9b3d53f40c029a986434abbfaf1cb9274"},
		"present":  {Body: new(billingapi.SettlementRequest), Text: `{"outcome":"PRESENTED"}`, Hash: "02b001f8ec5bbbee764f09a75d6050fc5b1de13afb8afd26d8c8f1c5f12e1ac300"},
		"collect":  {Body: new(billingapi.SettlementRequest), Text: `{"outcome":"COLLECTED"}`, Hash: "02375bb8b5bab0542669593dab5fd2ede70d1b54cf564828c010cee1c95839d248"},
		"reject":   {Body: new(billingapi.SettlementRequest), Text: `{"reason":"AM04","outcome":"REJECTED"}`, Hash: "02c80d54f04b999dda21eb1ad8537a78947ee51ee1681f0ae2b448005226e9a244"},
		"run":      {Body: new(billingapi.BillingRunRequest), Text: `{"dryRun":true,"period":"2026-11"}`, Hash: "020d5fe8dd390c81ae2327b41150f5ead6ac55eb043a7d5d8d5d4ee1db54b0b12e"},
	})
}
