// Package billing holds the rules of billing: whether a purchase is accepted, what a refund may
// give back, how a month is closed and invoiced, and how an invoice is settled. It is pure: it
// knows neither HTTP nor Kafka nor the clock, and imports only the standard library. The billing
// service's own packages import it, nobody else.
//
// Decisions (Decide...) take states and a time and give an Event or an error, and change nothing.
// Apply brings an event into the states of a Book. States are values: what a Book hands out is
// never changed in place.
//
// The outstanding amount of a contract has two parts: accepted and not yet invoiced, and invoiced
// and not yet settled. Closing a period moves it from one to the other; only collecting an invoice
// frees the ceiling.
package billing
