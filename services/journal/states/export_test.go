package states

import "github.com/deferpay/deferpay/services/journal/record"

// LastAttempt returns the attempt that changed a cell last, the zero Attempt for nil.
func LastAttempt[S any](c *Cell[S]) record.Attempt {
	if c == nil {
		return record.Attempt{}
	}
	return c.last
}
