package bus

import (
	"strings"
	"testing"

	"github.com/deferpay/deferpay/gen/event"
)

// An event about a debit that cannot be true has no effect, whoever wrote it.
func TestDebitsThatCannotBeTrue(t *testing.T) {
	long := strings.Repeat("A", 100_000)
	for name, c := range map[string]struct {
		change func(e *event.DirectDebitRejected)
		id     string
		want   string // "": it can be true
	}{
		"as billing sends it":    {func(*event.DirectDebitRejected) {}, "e-1", ""},
		"longest invoice number": {func(e *event.DirectDebitRejected) { e.InvoiceRef = "BIL-2026-000000000001" }, "e-1", ""},
		"long id":                {func(*event.DirectDebitRejected) {}, long, "its id has 100000 bytes"},
		"no invoice":             {func(e *event.DirectDebitRejected) { e.InvoiceRef = "" }, "e-1", "the invoice is not"},
		"long invoice":           {func(e *event.DirectDebitRejected) { e.InvoiceRef = long }, "e-1", "the invoice is not"},
		"invoice not visible":    {func(e *event.DirectDebitRejected) { e.InvoiceRef += "\u202e" }, "e-1", "the invoice is not"},
		"no reason":              {func(e *event.DirectDebitRejected) { e.Reason = "" }, "e-1", "the reason is \"\""},
		"long reason":            {func(e *event.DirectDebitRejected) { e.Reason = long }, "e-1", "the reason is \"AAAA"},
		"reason of two lines":    {func(e *event.DirectDebitRejected) { e.Reason = "AM04\n" }, "e-1", "the reason is \"AM04\\n\""},
		"presentation 0":         {func(e *event.DirectDebitRejected) { e.Presentation = 0 }, "e-1", "the presentation is 0"},
	} {
		e := &event.DirectDebitRejected{InvoiceRef: "BIL-2026-000001", ContractRef: "CTR-7", CustomerRef: "CE-ACME", Presentation: 1, Phase: event.DebitPhaseReturned, Reason: "AM04"}
		c.change(e)
		err := check(e, c.id)
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || len(err.Error()) > 500) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
