// Package journal decides commands on a Kafka log without a leader.
//
// A service keeps all that it knows in one log, a topic of exactly one partition. A command names
// the streams that it reads and supplies a pure function from their states to the body of a record.
// The journal appends the record together with the identity of the record that was last applied to
// each of those streams. Every reader applies the record if each of those is still the last one of
// its stream, and otherwise treats it as void, by the same rule for ever. So any number of
// instances may append at once: there is no election, no lock and no transaction, and a late or
// duplicated record is void by construction.
//
//	verdict, err := j.Decide(ctx, journal.On("account/1", "key/o-17"),
//		func(v *journal.View[State]) (Body, error) {
//			account, _ := v.State("account/1")
//			return account.Buy(40, v.Now())
//		})
//
// A Journal decides (Decide) and answers queries (Read, WaitFor, Barrier); a Subscriber delivers
// the applied entries to a Watermill router. Both are generic over the service's state S, one value
// for each stream, and its body type B, and know nothing of either.
//
// Terms: a stream is a name that records are ordered under. An attempt is one try to append a
// record. A record that was read is applied or void. An entry is an applied record. A fold brings
// entries into states.
//
// What is promised:
//
//   - A verdict is that of a record that is applied, on every instance and for ever.
//   - An error of a decide function rests on applied records alone and, unless it is ErrAlready, on
//     everything that was in the log when Decide was called.
//   - ErrUnknownOutcome is the only error after which a record may have an effect.
//   - A decision is never earlier than the last record of a stream that it reads.
//   - Nothing is served before the whole log was read, or a snapshot and what follows it, nor on a
//     topic that may lose records.
//
// DESIGN.md explains how, with the faults that were considered. Packages admin and backup are for
// operators; journaltest and journalsim test what is built on a journal.
//
// The packages of a service that keep its state import this package; a domain package does not. The
// parts are packages of their own: record (what is written to the topics), states (the rule that
// applies a log, and what the log leads to), and, internal, core (deciding, without I/O), topic
// (the Kafka side), publication (the subscriber) and statehash. Package journaltest is for tests.
package journal
