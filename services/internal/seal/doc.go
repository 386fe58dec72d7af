// Package seal encrypts personal data so that it can be erased from a log that is never rewritten:
// each sealed value has a key of its own, and destroying the key destroys the value wherever it was
// copied to. The store of a service that keeps personal data imports it.
//
// The keys are on a compacted topic, contract.keys.v1. A Ring follows the topic to its end, on
// every instance. What it promises:
//
//   - Seal returns after the key is acknowledged by all replicas in sync, so a record that names a
//     key is never in the log before the key is on the topic.
//   - Open returns the plaintext only if the key was still on the topic when Open was called, on
//     whichever instance it was forgotten. Otherwise the error is ErrForgotten.
//   - Forget and ForgetAbout return nil after the tombstones were read back and no key was left.
//     Calling them again changes nothing. A service does so for ever, because an instance may end
//     between the record that says what to erase and the tombstone.
//   - Nothing here logs or prints a key or a plaintext.
//
// # Choices
//
// A key seals one value. One key for all records of a contract would save some keys, but an
// instance could then seal a new account under a key that another instance is forgetting. Each key
// on the topic has the subject of its value, and erasing is a tombstone for each key of a subject.
// So it also reaches values that no state lists: a record that had no effect is in the log all the
// same, with what was sealed for it.
//
// The cipher is AES-256-GCM with a random nonce. What a value is about (the contract) and the id of
// its key are authenticated with it, so a sealed value that is moved to another record does not
// open.
//
// Open and forgetting read up to a barrier first: a tombstone for a random id, which changes
// nothing. An instance that has read its own barrier has read all that was acknowledged before it.
// Reading up to the end offset of the topic would not work, because the records at the end of a
// compacted topic may have been removed. One barrier is in flight at a time and serves all callers
// that wait; an instance begins at most ten a second.
//
// Of the topic's partitions only the first is used, so that a key and its tombstone are in one even
// after partitions were added: compaction would never remove the key otherwise. Memory is about a
// hundred bytes for each key on the topic; tombstones take none.
//
// The bytes of a forgotten key stay on the broker's disk until it compacts, which
// max.compaction.lag.ms bounds, and in backups of that disk: those must not be kept longer than
// erasure allows.
package seal
