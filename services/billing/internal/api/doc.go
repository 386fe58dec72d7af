// Package api serves billing's HTTP interface: it implements what is generated from specs/billing/openapi.yaml, turns
// requests into commands and questions for the store, and answers and errors into documents. The billing service imports it.
package api
