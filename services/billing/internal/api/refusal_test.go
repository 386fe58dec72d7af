package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/internal/idempotency"
)

func TestRefusalTexts(t *testing.T) {
	i := newSystem(t).instance("billing-1")
	tests := []struct {
		name   string
		change func(*billing.Contract)
		amount string
		detail string
		reason string
	}{
		{"suspended", func(c *billing.Contract) { c.Status = billing.StatusSuspended }, "EUR", "the contract CTR-1 is SUSPENDED", "CONTRACT_NOT_ACTIVE"},
		{"not begun", func(c *billing.Contract) { c.ValidFrom = start.AddDate(0, 0, 1).Truncate(1e9) }, "EUR",
			"the validity of CTR-2 begins at 2026-03-15T09:00:00Z", "CONTRACT_NOT_STARTED"},
		{"over", func(c *billing.Contract) { c.ValidUntil = start.Truncate(1e9) }, "EUR", "the validity of CTR-3 ended at 2026-03-14T09:00:00Z", "CONTRACT_EXPIRED"},
		{"expired", func(c *billing.Contract) { c.Status, c.ValidUntil = billing.StatusExpired, start.Truncate(1e9) }, "EUR",
			"the validity of CTR-4 ended at 2026-03-14T09:00:00Z", "CONTRACT_EXPIRED"},
		{"not signed", func(c *billing.Contract) { c.Mandate = billing.Mandate{} }, "EUR", "no mandate is signed for CTR-5", "MANDATE_NOT_VALID"},
		{"revoked", func(c *billing.Contract) { c.Mandate.RevokedAt = start.Truncate(1e9) }, "EUR", "the mandate of CTR-6 was revoked at 2026-03-14T09:00:00Z", "MANDATE_NOT_VALID"},
		{"lapsed", func(c *billing.Contract) { c.Mandate.SignedAt = start.AddDate(-3, 0, -1).Truncate(1e9) }, "EUR",
			"the mandate of CTR-7 lapsed at 2026-03-13T09:00:00Z, 36 months after its last presentation or its signature", "MANDATE_NOT_VALID"},
		{"too much", func(c *billing.Contract) { c.Ceiling.Amount = 50000 }, "EUR", "600.00 EUR does not fit into the available 500.00 EUR of CTR-8", "CEILING_EXCEEDED"},
		{"too many yen", func(c *billing.Contract) { c.Ceiling = billing.Money{Amount: 50000, Currency: "JPY"} }, "JPY",
			"60000 JPY does not fit into the available 50000 JPY of CTR-9", "CEILING_EXCEEDED"},
		{"other currency", nil, "BHD", "60.000 BHD is not in the currency of CTR-10, which is EUR", "CURRENCY_MISMATCH"},
	}
	for n, tt := range tests {
		i.contract(n+1, 1, tt.change)
		ref := fmt.Sprint("CTR-", n+1)
		key := strings.ReplaceAll(tt.name, " ", "-")
		body := strings.Replace(purchase(ref, 60000), "EUR", tt.amount, 1)
		first := i.do("POST", "/operations", key, body)
		first.problem(t, 422, "purchase-refused", "reasons", `["`+tt.reason+`"]`, "detail", fmt.Sprintf("BOP-%d-1: %s", n+1, tt.detail))
		// The text is of the time of the refusal, whatever became of the contract.
		i.contract(n+1, 2, func(c *billing.Contract) {
			if tt.name == "too many yen" { // a ceiling keeps its currency
				c.Ceiling.Currency = "JPY"
			}
		})
		if again := i.do("POST", "/operations", key, body); again.text != first.text {
			t.Errorf("%s: first %s\nagain %s", tt.name, first.text, again.text)
		}
	}
	i.contract(20, 1, func(c *billing.Contract) {
		c.Status, c.ValidFrom = billing.StatusPending, start.AddDate(0, 0, 1).Truncate(1e9)
	})
	i.post("/operations", purchase("CTR-20", 60000)).problem(t, 422, "purchase-refused", "reasons", `["CONTRACT_NOT_ACTIVE","CONTRACT_NOT_STARTED"]`,
		"detail", "BOP-20-1: the contract CTR-20 is PENDING; the validity of CTR-20 begins at 2026-03-15T09:00:00Z")
}

// TestAmountTexts writes amounts by the decimals of their currency.
func TestAmountTexts(t *testing.T) {
	i := newSystem(t).instance("billing-1")
	i.contract(7, 1, func(c *billing.Contract) { c.Ceiling = billing.Money{Amount: 50000, Currency: "JPY"} })
	yen := func(body string) string { return strings.Replace(body, "EUR", "JPY", 1) }
	i.post("/operations", yen(purchase("CTR-7", 1234))).want(t, 201)
	i.post("/operations", yen(refund("BOP-7-1", 1235))).problem(t, 422, "refund-exceeds-purchase", "detail", "1235 JPY is asked back and 1234 JPY is left of BOP-7-1")
	i.post("/operations", yen(refund("BOP-7-1", 234))).want(t, 201)
	i.post("/operations/BOP-7-1/cancellation", `{}`).problem(t, 409, "transition-forbidden", "detail", "234 JPY of BOP-7-1 was refunded", "available.amount", "1000")
	a := i.post("/operations", refund("BOP-7-1", 1))
	a.problem(t, 409, "refund-currency-differs", "title", "The refund is in another currency than its purchase", "detail", "refund is not in the currency of the purchase: BOP-7-1 is in JPY")
	for path, place := range map[string]string{"/operations": "/amount/currency", "/eligibility/CE-ACME?currency=ZZZ": "query:currency"} {
		a := i.do("POST", path, "c-1", strings.Replace(purchase("CTR-7", 1), "EUR", "ZZZ", 1))
		if strings.Contains(path, "?") {
			a = i.get(path)
		}
		a.problem(t, 400, "invalid-request", "detail", place+": ZZZ must be a currency code of ISO 4217, such as EUR", "errors.0.pointer", place)
	}
}

// TestFormerCodeIsReplayed repeats a request that was answered when its currency was in the list.
func TestFormerCodeIsReplayed(t *testing.T) {
	i := newSystem(t).instance("billing-1")
	i.contract(7, 1, nil)
	text := strings.Replace(purchase("CTR-7", 100), "EUR", "ZZZ", 1)
	var body billingapi.OperationRequest
	if err := body.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	req, err := idempotency.New("dev", "former", "createOperation", "", &body)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := i.store.Operate(t.Context(), req, billing.Purchase{ContractRef: "CTR-7", OrderRef: "ORD-Z", Amount: billing.Money{Amount: 100, Currency: "ZZZ"}}); err != nil {
		t.Fatal(err)
	}
	if a := i.do("POST", "/operations", "former", text); a.status != 422 || a.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%d %s", a.status, a.text)
	}
	// The body is looked at before the key.
	i.do("POST", "/operations", "former", strings.Replace(text, "100", "101", 1)).problem(t, 400, "invalid-request")
	i.do("POST", "/operations", "new", text).problem(t, 400, "invalid-request")
}
