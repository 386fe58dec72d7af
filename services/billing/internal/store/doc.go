// Package store keeps billing's decisions in its log and answers questions from what the log says.
// It binds the rules of package billing to a journal: which streams a decision stands on, how
// events are written, and the read model. The packages api and bus of the billing service import
// it, and the service itself.
//
// Streams: contract/<ref> (the account), operation/<ref>, invoice/<ref>, numbering/invoice,
// run/<period>, key/<client>/<key>. Whatever happens to a contract, its operations and its invoices
// is on the contract's stream too, so that it has one order.
package store
