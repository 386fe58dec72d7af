// Package billing holds the rules of billing: whether a purchase is accepted, what a refund may
// give back, how a month is closed and invoiced, and how an invoice is settled. It is pure: it
// knows neither HTTP nor Kafka nor the clock, and imports only the standard library. Only the
// billing service's own packages import it.
//
// Decisions (Decide...) take states and a time, return an Event or an error, and change nothing.
// Apply applies an event to the states of a Book. States are values: a state that a Book returns is
// never changed in place.
//
// The outstanding amount of a contract has two parts: accepted and not yet invoiced, and invoiced
// and not yet settled. Closing a period moves it from one to the other and frees nothing of the
// ceiling.
package billing
