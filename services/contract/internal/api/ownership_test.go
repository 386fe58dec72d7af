package api_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/services/contract/internal/api"
	"github.com/deferpay/deferpay/services/internal/access/accesstest"
	"github.com/deferpay/deferpay/services/internal/logapi"
)

func TestWhoGetsIn(t *testing.T) {
	s := newService(t)
	ref := s.active()
	gate := accesstest.New(t)
	h, err := api.New(api.Config{Config: logapi.Config{Ready: s.store.Ready, Access: gate.Access, Logger: slog.New(slog.DiscardHandler)}, Store: s.store})
	if err != nil {
		t.Fatal(err)
	}
	at := api.Prefix + "/contracts/" + ref
	gate.Walk(t, "contract", openAPI, h, map[string]accesstest.Request{
		"createContract":    {Method: "POST", Path: api.Prefix + "/contracts", Body: newContract},
		"listContracts":     {Method: "GET", Path: api.Prefix + "/contracts?customerRef=" + accesstest.Mine},
		"getContract":       {Method: "GET", Path: at},
		"changeContract":    {Method: "PATCH", Path: at, Body: `{"action":"AMEND","ceiling":{"amount":1,"currency":"EUR"}}`},
		"signMandate":       {Method: "PUT", Path: at + "/mandate", Body: signedMandate},
		"revokeMandate":     {Method: "DELETE", Path: at + "/mandate"},
		"getMandateAccount": {Method: "GET", Path: at + "/mandate/account"},
		"erasePersonalData": {Method: "DELETE", Path: at + "/personal-data"},
		"republishContract": {Method: "POST", Path: at + "/republication"},
	})
	other := strings.Replace(newContract, accesstest.Mine, accesstest.Others, 1)
	foreign := s.must(201, call{method: "POST", path: "/contracts", body: other}).body["contractRef"].(string)
	for name, r := range map[string]accesstest.Request{
		"reading":  {Method: "GET", Path: "/contracts/#"},
		"changing": {Method: "PATCH", Path: "/contracts/#", Body: `{"action":"SUSPEND","reason":"x"}`},
		"account":  {Method: "GET", Path: "/contracts/#/mandate/account"},
		"erasing":  {Method: "DELETE", Path: "/contracts/#/personal-data"},
	} {
		of := func(ref string) string {
			return strings.ReplaceAll(gate.AsCustomer(t, h, r.Method, api.Prefix+strings.ReplaceAll(r.Path, "#", ref), r.Body), ref, "#")
		}
		if got, missing := of(foreign), of("CTR-99"); got != missing || !strings.HasPrefix(got, "404") {
			t.Errorf("%s:\nof another customer %s\nmissing             %s", name, got, missing)
		}
	}
	if list := gate.AsCustomer(t, h, "GET", api.Prefix+"/contracts", ""); strings.Contains(list, foreign) || !strings.Contains(list, ref) {
		t.Errorf("a list: %s", list)
	}
	if a := gate.AsCustomer(t, h, "POST", api.Prefix+"/contracts", other); !strings.HasPrefix(a, "403") {
		t.Errorf("a contract of another customer: %s", a)
	}
}
