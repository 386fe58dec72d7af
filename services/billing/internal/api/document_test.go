package api_test

import (
	"testing"

	"github.com/deferpay/deferpay/services/billing/internal/api"
	"github.com/deferpay/deferpay/services/internal/problem/problemtest"
)

const openAPI = "../../../../specs/billing/openapi.yaml"

func TestProblemsOfTheDocumentAreOurs(t *testing.T) {
	problemtest.Open(t, openAPI).Check(t, api.Codes()...)
}
