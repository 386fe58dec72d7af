package bus

import (
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/services/billing/internal/effect"
	"github.com/deferpay/deferpay/services/billing/internal/store"
)

// Publish adds a handler to a router that publishes the events of every applied record: none, one
// or several. A record is acknowledged when the broker has all of them. Until then it is delivered
// again, so an event may be published twice, with the same ce_id. Events of one customer are
// published in order.
func Publish(router *message.Router, applied *store.Publication, events *billingbus.Publisher) {
	applied.Handle(router, "publishBillingEvents", effect.Publish(events))
}
