package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestTerminatedAllowsNothing asks for every action on a contract that has ended.
func TestTerminatedAllowsNothing(t *testing.T) {
	s := newService(t)
	s.create()                       // CTR-1, no mandate
	at := "/contracts/" + s.active() // CTR-2
	for path, tag := range map[string]string{"/contracts/CTR-1": `"1"`, at: `"3"`} {
		s.must(200, call{method: "PATCH", path: path, ifMatch: tag, body: `{"action":"TERMINATE","reason":"left"}`})
	}
	before := len(s.records())
	for _, path := range []string{"/contracts/CTR-1", at} {
		for _, body := range []string{
			`{"action":"SUSPEND","reason":"dispute"}`, `{"action":"REINSTATE"}`, `{"action":"TERMINATE","reason":"again"}`,
			`{"action":"AMEND","validUntil":null}`, `{"action":"AMEND","ceiling":{"amount":1,"currency":"EUR"}}`,
		} {
			a := s.must(409, call{method: "PATCH", path: path, ifMatch: "*", body: body})
			if a.code() != "transition-forbidden" || fmt.Sprint(a.body["allowed"]) != "[]" || a.body["hint"] != "a terminated contract is not changed any more; subscribe a new one" {
				t.Errorf("%s %s: %s", path, body, a.text)
			}
		}
	}
	if after := len(s.records()); after != before {
		t.Errorf("%d records before, %d after", before, after)
	}
	s.must(200, call{method: "DELETE", path: at + "/mandate", ifMatch: "*"})
	for _, path := range []string{"/contracts/CTR-1", at} { // a debt may still need one
		a := s.must(409, call{method: "DELETE", path: path + "/mandate", ifMatch: "*"})
		if a.code() != "transition-forbidden" || fmt.Sprint(a.body["allowed"]) != "[SIGN_MANDATE]" {
			t.Errorf("%s: %s", path, a.text)
		}
	}
}

// TestMandateDates signs mandates on both sides of each bound of signedAt.
func TestMandateDates(t *testing.T) {
	s := newService(t)
	for n, tt := range []struct {
		signed time.Time
		status int
		code   string
	}{
		{start.AddDate(0, -36, 0), 409, "mandate-lapsed"},
		{start.AddDate(0, -36, 0).Add(time.Microsecond), 200, ""},
		{time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), 409, "mandate-lapsed"},
		{start.Add(time.Minute), 200, ""},
		{start.Add(time.Minute + time.Microsecond), 400, "invalid-request"},
		{start.AddDate(10, 0, 0), 400, "invalid-request"},
		{time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC), 400, "invalid-request"},
	} {
		ref := s.create().body["contractRef"].(string)
		body := strings.NewReplacer("RUM-1", fmt.Sprint("RUM-", n), "2026-09-28T14:00:00Z", tt.signed.Format(time.RFC3339Nano)).Replace(signedMandate)
		a := s.must(tt.status, call{method: "PUT", path: "/contracts/" + ref + "/mandate", ifMatch: `"1"`, body: body})
		if a.code() != tt.code || tt.code == "mandate-lapsed" && !strings.Contains(a.text, tt.signed.AddDate(0, 36, 0).Format(time.RFC3339)) || tt.status == 400 && !strings.Contains(a.text, "/signedAt") {
			t.Errorf("signed %v: %s", tt.signed, a.text)
		}
	}
}

// TestMandateOfAnotherCreditor signs one reference under two creditor identifiers: these are two
// mandates. The business code of an identifier (ZZZ) names no other creditor.
func TestMandateOfAnotherCreditor(t *testing.T) {
	s := newService(t)
	s.active()
	s.create()
	sign := func(status int, ics string) answer {
		return s.must(status, call{method: "PUT", path: "/contracts/CTR-2/mandate", ifMatch: "*", body: strings.Replace(signedMandate, "FR72ZZZ123456", ics, 1)})
	}
	if a := sign(409, "FR72001123456"); a.code() != "mandate-already-used" {
		t.Errorf("%s", a.text)
	}
	sign(200, "FR45ZZZ123457")
}
