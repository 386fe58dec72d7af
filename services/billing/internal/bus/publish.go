package bus

import (
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/gen/billingbus"
	"github.com/deferpay/deferpay/services/billing/internal/effect"
	"github.com/deferpay/deferpay/services/billing/internal/store"
)

// Publish adds publication to a router: every applied record of the log becomes its public events,
// none, one or several. A record is acknowledged when the broker has all of them; until then it is
// delivered again, so an event may be published twice, with the same ce_id. Events of one contract
// are published in order.
func Publish(router *message.Router, applied *store.Publication, events *billingbus.Publisher) {
	applied.Handle(router, "publishBillingEvents", effect.Publish(events))
}
