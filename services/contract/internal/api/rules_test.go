package api_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/problem"
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

// TestIfMatch compares lists of tags with a contract of version 3: RFC 9110, section 13.1.1.
func TestIfMatch(t *testing.T) {
	s := newService(t)
	at := "/contracts/" + s.active()
	for tag, want := range map[string]int{
		`"3"`: 200, `"2", "3"`: 200, `"3","2"`: 200, "\"1\" ,\t\"3\"": 200, `, "3",,`: 200, `*`: 200, ` * `: 200, `W/"2", "3"`: 200,
		`"2"`: 412, `"2", "4"`: 412, `W/"3"`: 412, `W/"3", "2"`: 412, `w/"3"`: 412, `3`: 412, `'3'`: 412, `"03"`: 412, `"3`: 412, `"3" "2"`: 412, `"*"`: 412,
		`**`: 412, `"2,3"`: 412, ``: 428,
	} {
		// the transition is judged after the precondition
		a := s.do(call{method: "PATCH", path: at, ifMatch: tag, body: `{"action":"REINSTATE"}`})
		if want == 200 && a.status == 409 && a.code() == "transition-forbidden" {
			continue
		}
		if a.status != want || a.code() != map[int]string{412: "precondition-failed", 428: "precondition-required"}[want] {
			t.Errorf("%s: %d %s, want %d", tag, a.status, a.text, want)
		}
	}
}

// TestBlankReasons sends reasons of blanks alone.
func TestBlankReasons(t *testing.T) {
	s := newService(t)
	at := "/contracts/" + s.active()
	before := len(s.records())
	for _, blank := range []string{" ", "   ", "\u00a0", "\u3000\u2003 "} {
		for pointer, c := range map[string]call{
			"/reason":      {method: "PATCH", path: at, body: `{"action":"SUSPEND","reason":"` + blank + `"}`},
			"/reason ":     {method: "PATCH", path: at, body: `{"action":"TERMINATE","reason":"` + blank + `"}`},
			"/reason  ":    {method: "PATCH", path: at, body: `{"action":"AMEND","validUntil":null,"reason":"` + blank + `"}`},
			"/reason   ":   {method: "PATCH", path: at, body: `{"action":"REINSTATE","reason":"` + blank + `"}`},
			"query:reason": {method: "DELETE", path: at + "/mandate?reason=" + url.QueryEscape(blank)},
		} {
			c.ifMatch = "*"
			a := s.must(400, c)
			if errs, _ := a.body["errors"].([]any); len(errs) != 1 || errs[0].(map[string]any)["pointer"] != strings.TrimSpace(pointer) || !strings.Contains(a.text, "must not be blank") {
				t.Errorf("%s %s: %s", c.method, c.body, a.text)
			}
		}
	}
	if after := len(s.records()); after != before {
		t.Errorf("%d records before, %d after", before, after)
	}
}

// TestBlankReasonIsReplayed repeats a request that was answered when reasons could be blank.
func TestBlankReasonIsReplayed(t *testing.T) {
	s := newService(t)
	ref := s.active()
	text := `{"action":"SUSPEND","reason":" "}`
	var body contractapi.ContractChange
	if err := body.UnmarshalJSON([]byte(text)); err != nil {
		t.Fatal(err)
	}
	req, err := idempotency.New("agency", "former", "changeContract", ref, &body)
	if err != nil {
		t.Fatal(err)
	}
	anyVersion := func(*contract.Contract) error { return nil }
	if _, err := s.store.Change(t.Context(), req, contract.Ref(ref), anyVersion, contract.Suspend{Reason: " "}); err != nil {
		t.Fatal(err)
	}
	c := call{method: "PATCH", path: "/contracts/" + ref, key: "former", ifMatch: `"3"`, body: text}
	if a := s.must(200, c); a.header.Get("Idempotent-Replayed") != "true" || a.body["status"] != "SUSPENDED" {
		t.Errorf("%v %s", a.header, a.text)
	}
	c.key = "new"
	s.must(400, c)
}

// TestConditionOfEachWrite sends each write with a condition that it does not have. It is refused
// unless its key was answered before.
func TestConditionOfEachWrite(t *testing.T) {
	s := newService(t)
	at := "/contracts/" + s.active()
	writes := []call{
		{method: "POST", path: "/contracts", body: newContract},
		{method: "PATCH", path: at, body: `{"action":"SUSPEND","reason":"x"}`, ifMatch: "*"},
		{method: "PATCH", path: at, body: `{"action":"REINSTATE"}`, ifMatch: "*"},
		{method: "DELETE", path: at + "/mandate?reason=x", ifMatch: "*"},
		{method: "PUT", path: at + "/mandate", body: strings.Replace(signedMandate, "RUM-1", "RUM-2", 1), ifMatch: "*"},
		{method: "PATCH", path: at, body: `{"action":"TERMINATE","reason":"x"}`, ifMatch: "*"},
		{method: "POST", path: at + "/republication", apiKey: "admin-key", body: "{}"},
		{method: "DELETE", path: at + "/personal-data", apiKey: "admin-key"},
	}
	for n, c := range writes {
		c.key = fmt.Sprint("former-", n)
		before, without := len(s.records()), c
		c.header = [2]string{"If-None-Match", "*"}
		a := s.must(400, c)
		if errs, _ := a.body["errors"].([]any); len(errs) != 1 || errs[0].(map[string]any)["pointer"] != "header:If-None-Match" || len(s.records()) != before {
			t.Errorf("%s %s: %s", c.method, c.path, a.text)
		}
		first := s.do(without)
		if first.status >= 300 {
			t.Fatalf("%s %s: %d %s", c.method, c.path, first.status, first.text)
		}
		if again := s.must(first.status, c); again.header.Get("Idempotent-Replayed") != "true" {
			t.Errorf("%s %s: decided again: %s", c.method, c.path, again.text)
		}
	}
}

// TestAcceptIsNotRead asks for answers that are not JSON.
func TestAcceptIsNotRead(t *testing.T) {
	s := newService(t)
	at := "/contracts/" + s.active()
	for _, accept := range []string{"text/html", "application/xml", "application/json;q=0", "nonsense"} {
		header := [2]string{"Accept", accept}
		if a := s.must(200, call{method: "GET", path: at, header: header}); !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
			t.Errorf("%s: %v", accept, a.header)
		}
		if a := s.must(404, call{method: "GET", path: "/contracts/CTR-99", header: header}); a.header.Get("Content-Type") != problem.ContentType {
			t.Errorf("%s: %v", accept, a.header)
		}
	}
}
