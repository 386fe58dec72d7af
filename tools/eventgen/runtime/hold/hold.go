// Package hold lets a receiver acknowledge a message that it has not finished, without losing it.
//
// A transport that supports this puts a function into the context of each message. A receiver that
// wants to go on to the next message calls the function before it acknowledges this one, and calls
// what it returned when it has finished. Until then the transport does not count the message as
// read: after a crash, or when another instance takes over, it delivers the message again, and
// those behind it too.
//
// Package bus is such a receiver, and package kafkabus such a transport.
package hold

import "context"

type key struct{}

// With returns a context for a message that take holds. What take returns is called once.
func With(ctx context.Context, take func() (release func())) context.Context {
	return context.WithValue(ctx, key{}, take)
}

// Of returns the function that holds the message of a context. It is nil if the transport of the
// message cannot hold it.
func Of(ctx context.Context) func() (release func()) {
	take, _ := ctx.Value(key{}).(func() func())
	return take
}
