// Package ledger is what a service keeps its decisions in: a journal with events as bodies,
// idempotency keys as streams, and the records that were applied for publication and queries.
//
// A service supplies its Domain: its events, the streams they concern, the fold, the conversion to
// and from the bodies of its log, and the read model. The ledger supplies the rest: it decides with
// or without an idempotency key, repeats the answer of a key, and hands out what was applied. The
// packages of a service that keep its state or publish it may import this package.
package ledger
