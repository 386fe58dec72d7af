package api

import (
	"testing"

	"github.com/deferpay/deferpay/services/internal/problem/problemtest"
)

const openAPI = "../../../../specs/billing/openapi.yaml"

func TestProblemsOfTheDocumentAreOurs(t *testing.T) {
	problemtest.Open(t, openAPI).Check(t, operationNotFound, orderAlreadyPurchased, refundNotPossible, purchaseRefused,
		refundCurrency, refundExceedsPurchase, subscriptionNotFound, customerNotFound, contractUnknown, contractUnreadable, billingRunNotFound,
		periodNotEnded, invoiceNotFound, mandateNotValid)
}
