// Package pack keeps many small items of bytes in little memory: compressed in blocks, and found by
// a hash. It is for what is seldom looked at and never ends, such as the states of streams that
// have not changed for long, or the history that queries show.
//
// A Store holds the items. Its blocks are immutable, so they can be handed out to a snapshot, and
// taken over from one, as they are. An Index finds items without keeping their names: it takes four
// bytes of a hash and the item's handle, and its owner compares what the item says. For the garbage
// collector there is one object a block, and none for each item.
//
// Nothing here does I/O or has a lock that its owner sees. Methods that only read may be called at
// the same time as each other, and not beside those that change something.
//
// Programs that feed a read model from a journal import this package, and so does the journal.
package pack
