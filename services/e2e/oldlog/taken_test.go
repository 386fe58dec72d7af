package oldlog

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"
)

// referencesAreTaken asks for what records of the old log have used up, which must be refused.
func (r *running) referencesAreTaken(t *testing.T) {
	t.Helper()
	contract := r.get(t, ContractService, "/refcontract/v1/contracts?customerRef=CE-TOURS")["items"].([]any)[0].(map[string]any)
	mandate := fmt.Sprintf("/refcontract/v1/contracts/%v/mandate", contract["contractRef"])
	signed := time.Now().Add(r.ClockOffset(time.Now())).Add(-time.Hour).UTC().Format(time.RFC3339)
	lyon := r.get(t, ContractService, "/refcontract/v1/contracts?customerRef=CE-LYON")["items"].([]any)[0].(map[string]any)
	for _, k := range []struct{ method, path, body, code string }{
		{http.MethodPost, "/refcontract/v1/contracts", fmt.Sprintf(`{"customerRef":"CE-LYON","sellerRef":"AG-1","ceiling":{"amount":1,"currency":"EUR"},"validFrom":%q,%s}`, signed, another),
			"customer-identity-differs"},
		{http.MethodPatch, fmt.Sprintf("/refcontract/v1/contracts/%v", lyon["contractRef"]), `{"action":"AMEND",` + another + `}`, "customer-identity-differs"},
		{http.MethodPut, mandate, signature("RUM-LYON", signed), "mandate-already-used"},
		{http.MethodPut, mandate, signature("rum-lyon", signed), "mandate-already-used"},
		{http.MethodPut, mandate, signature("RUM-BREST", signed), "mandate-already-used"},
		{http.MethodPut, mandate, signature("RUM-LYON-3", signed), "mandate-already-used"},
	} {
		now, err := Exchange{Service: ContractService, Method: k.method, Path: k.path, Body: []byte(k.body),
			Headers: map[string]string{"Content-Type": "application/json", "Idempotency-Key": "today-taken", "If-Match": "*"},
		}.Ask(t.Context(), http.DefaultClient, r.bases[ContractService])
		if err != nil || now.Status != http.StatusConflict || !bytes.Contains(now.Body, fmt.Appendf(nil, `"code":%q`, k.code)) {
			t.Errorf("%s %s: %d %s %v, want %s", k.method, k.body, now.Status, now.Body, err, k.code)
		}
	}
}

// another is a company that is nobody's in the old log.
const another = `"buyer":{"legalName":"CSE AUTRE","siren":"552100554","vatNumber":"FR96552100554",
	"billingAddress":{"line1":"1 rue de la Gare","postalCode":"69003","city":"Lyon","country":"FR"}}`

// signature returns the body that signs a mandate.
func signature(rum, at string) string {
	return fmt.Sprintf(`{"rum":%q,"ics":"FR72ZZZ123456","scheme":"CORE","signedAt":%q,"iban":"FR76 3000 6000 0112 3456 7890 189","owner":"CSE ACME"}`, rum, at)
}
