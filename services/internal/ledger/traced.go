package ledger

import (
	"context"

	"github.com/deferpay/deferpay/services/internal/trace"
	"github.com/deferpay/deferpay/services/journal"
)

// timed adds the phases of a decision to the span that ctx carries: the wait for the streams and
// the rule, the append, and the time until the record was applied and its caller answered.
func timed(ctx context.Context, t journal.Timing) {
	span := trace.Current(ctx)
	span.SetInt("journal.appends", int64(t.Appends))
	if t.Appends == 0 {
		return // nothing was recorded
	}
	acknowledged := t.Acknowledged
	if acknowledged.IsZero() { // the record was read first
		acknowledged = t.Answered
	}
	span.Phase("wait", t.Asked, t.Appended)
	span.Phase("append", t.Appended, acknowledged)
	span.Phase("apply", acknowledged, t.Answered)
}
