package oldlog

import "testing"

func TestDifferences(t *testing.T) {
	const body = `{"ref":"CTR-1","ceiling":{"amount":100},"items":[{"a":1},{"a":2}]}`
	answer := func(status int, body string, headers ...string) Answer {
		a := Answer{Status: status, Headers: map[string]string{}, Body: []byte(body)}
		for i := 0; i < len(headers); i += 2 {
			a.Headers[headers[i]] = headers[i+1]
		}
		return a
	}
	for name, c := range map[string]struct {
		recorded, now Answer
		want          int
	}{
		"equal":            {answer(200, body), answer(200, body), 0},
		"order of members": {answer(200, body), answer(200, `{"items":[{"a":1},{"a":2}],"ceiling":{"amount":100},"ref":"CTR-1"}`), 0},
		"members added":    {answer(200, body), answer(200, `{"new":1,"ref":"CTR-1","ceiling":{"amount":100,"new":2},"items":[{"a":1,"new":3},{"a":2}]}`), 0},
		"member missing":   {answer(200, body), answer(200, `{"ref":"CTR-1","items":[{"a":1},{"a":2}]}`), 1},
		"other amount":     {answer(200, body), answer(200, `{"ref":"CTR-1","ceiling":{"amount":101},"items":[{"a":1},{"a":3}]}`), 2},
		"no object":        {answer(200, body), answer(200, `[]`), 1},
		"item added":       {answer(200, body), answer(200, `{"ref":"CTR-1","ceiling":{"amount":100},"items":[{"a":1},{"a":2},{"a":3}]}`), 1},
		"null and absent":  {answer(200, `{"a":null}`), answer(200, `{}`), 1},
		"large numbers":    {answer(200, `{"a":9007199254740993}`), answer(200, `{"a":9007199254740992}`), 1},
		"other status":     {answer(200, body), answer(503, body), 1},
		"not JSON":         {answer(200, body), answer(200, `<html>`), 1},
		"header added":     {answer(200, body), answer(200, body, "ETag", `"1"`), 0},
		"header missing":   {answer(200, body, "ETag", `"1"`), answer(200, body), 1},
		"later in the log": {answer(200, body, "Log-Position", "a:9"), answer(200, body, "Log-Position", "a:10"), 0},
		"before in the log": {
			answer(200, body, "Log-Position", "a:9"), answer(200, body, "Log-Position", "a:8"), 1},
		"another log": {answer(200, body, "Log-Position", "a:9"), answer(200, body, "Log-Position", "b:10"), 1},
		"problem in other words": {
			answer(422, `{"code":"x","detail":"old","hint":"old","title":"old"}`, "Content-Type", "application/problem+json"),
			answer(422, `{"code":"x","detail":"new"}`, "Content-Type", "application/problem+json"), 0},
		"another problem": {
			answer(422, `{"code":"x","detail":"old"}`, "Content-Type", "application/problem+json"),
			answer(422, `{"code":"y","detail":"old"}`, "Content-Type", "application/problem+json"), 1},
		"moved into the part of an invoice": {
			answer(200, `{"items":[{"invoiceRef":"BIL-1","rum":"R"}]}`), answer(200, `{"items":[{"invoiceRef":"BIL-1","parts":[{"rum":"R"}]}]}`), 0},
		"forecast told apart": {
			answer(200, `{"contracts":[{"reasons":["A","CONTRACT_EXPIRED"]}]}`), answer(200, `{"contracts":[{"reasons":["A","CONTRACT_NOT_STARTED"]}]}`), 0},
		"forecast, other way round": {
			answer(200, `{"contracts":[{"reasons":["CONTRACT_NOT_STARTED"]}]}`), answer(200, `{"contracts":[{"reasons":["CONTRACT_EXPIRED"]}]}`), 1},
		"refusal told apart": {
			answer(200, `{"judgement":{"reasons":["CONTRACT_EXPIRED"]}}`), answer(200, `{"judgement":{"reasons":["CONTRACT_NOT_STARTED"]}}`), 1},
		"moved with another value": {
			answer(200, `{"invoiceRef":"BIL-1","rum":"R"}`), answer(200, `{"invoiceRef":"BIL-1","parts":[{"rum":"S"}]}`), 1},
		"moved, but the invoice has its own": {
			answer(200, `{"invoiceRef":"BIL-1","rum":"R"}`), answer(200, `{"invoiceRef":"BIL-1","rum":"S","parts":[{"rum":"R"}]}`), 1},
		"moved into one of two parts": {
			answer(200, `{"invoiceRef":"BIL-1","rum":"R"}`), answer(200, `{"invoiceRef":"BIL-1","parts":[{"rum":"R"},{"rum":"S"}]}`), 1},
		"moved into the part of something else": {
			answer(200, `{"contractRef":"CTR-1","rum":"R"}`), answer(200, `{"contractRef":"CTR-1","parts":[{"rum":"R"}]}`), 1},
	} {
		if got := Differences(c.recorded, c.now); len(got) != c.want {
			t.Errorf("%s: %q, want %d differences", name, got, c.want)
		}
	}
}
