// Package bus carries the contract service's messages, as specs/contract/asyncapi.yaml describes
// them: it publishes a fact for each applied record of the log, and reacts to billing's events. The
// service's front package imports it, nobody else.
package bus

import (
	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/deferpay/deferpay/gen/contractbus"
	"github.com/deferpay/deferpay/services/contract/internal/effect"
	"github.com/deferpay/deferpay/services/contract/internal/store"
)

// Publish adds publication to a router: every applied record of the log becomes one fact, with the
// contract's full state and version after it. A record is acknowledged when the broker has its
// fact; until then it is delivered again, so a fact may be published twice, with the same ce_id.
// Facts of one contract are published in order.
func Publish(router *message.Router, applied *store.Publication, facts *contractbus.Publisher) {
	applied.Handle(router, "publishContractFacts", effect.Publish(facts))
}
