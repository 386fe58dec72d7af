// Package journal decides commands on a Kafka log without a leader.
//
// A service keeps all it knows in one log of exactly one partition. A command
// names the streams it looks at and gives a pure function from their states to
// the body of a record. The journal appends the record together with the
// identity of the record last applied to each of those streams. Every reader
// applies it if each of them still holds, and treats it as void if not, by the
// same rule for ever. So any number of instances may append at once: there is
// no election, no lock and no transaction, and a late or duplicated record is
// void by construction.
//
// It gives Journal (Decide, Read, WaitFor, Barrier, Ready) and Subscriber, a
// Watermill subscriber over the applied entries. It is generic over the
// service's state S, one value for each stream, and its body type B, and knows
// nothing of either. The packages inside a service that keep its state may
// import it; a domain package may not.
//
// Words: a stream is a name that records are ordered under. An attempt is one
// try to append a record. A record is applied or void.
package journal
