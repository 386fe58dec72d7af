package main

import (
	"fmt"
	"net/http"

	"github.com/deferpay/deferpay/tools/observer"
)

// scenes are the scenes and the references that they hand on to each other.
type scenes struct {
	*player

	lyon, lyon2 string // two contracts of one customer
	brest       string // every term is amended
	lille       string // its mandate lapses
	rennes      string // suspended on request at the end
	metz        string // unreadable at the end
	early       string // validity begins in ten years

	firstMonth, secondMonth string
	first, second           map[string]string // invoices by contract
}

// contracts creates contracts of every status and shape.
func (s *scenes) contracts() {
	s.lyon = s.active("CE-LYON", "RUM-LYON", nil)
	s.lyon2 = s.active("CE-LYON", "RUM-LYON-2", object{"validUntil": s.now().AddDate(0, 0, 40).UTC().Format("2006-01-02T15:04:05.999999Z07:00"), "sellerRef": "AG-2"})
	s.open("CE-PARIS", nil)
	s.early = s.open("CE-NANTES", object{"validFrom": s.now().AddDate(10, 0, 0).Format("2006-01-02") + "T00:00:00Z"})
	s.sign(s.early, "RUM-NANTES", "B2B", s.now().AddDate(0, 0, -1))
	s.act(s.open("CE-DIJON", nil), "TERMINATE", object{"reason": "never signed"})

	s.brest = s.active("CE-BREST", "RUM-BREST-1", nil)
	s.act(s.brest, "AMEND", object{"ceiling": money(400000, "EUR"), "reason": "ceiling raised"})
	s.act(s.brest, "AMEND", object{"buyer": company("CSE BREST", "732829320", "FR44732829320", "")})
	s.act(s.brest, "AMEND", object{"validUntil": s.now().AddDate(5, 0, 0).Format("2006-01-02") + "T00:00:00Z"})
	s.act(s.brest, "AMEND", object{"validUntil": nil, "reason": "without end"})
	s.act(s.brest, "AMEND", object{"ceiling": money(250000, "EUR"), "buyer": acme, "validUntil": s.now().AddDate(6, 0, 0).Format("2006-01-02") + "T12:30:00.123456Z"})

	s.lille = s.open("CE-LILLE", nil)
	s.sign(s.lille, "RUM-LILLE", "CORE", s.now().AddDate(0, -36, 10))
	s.reaches(s.lille, "ACTIVE")
	s.rennes = s.active("CE-RENNES", "RUM-RENNES", nil)
	s.metz = s.active("CE-METZ", "RUM-METZ", nil)
}

// purchases makes purchases with every outcome, and refunds within the open period.
func (s *scenes) purchases() {
	p := s.buy(s.lyon, 120000, "ORD-1", "Lisbonne, 2 adultes – « été »")
	s.refund(p, 20000, "one traveller less")
	s.refund(p, 1, "")
	s.buy(s.lyon, 5000, "ORD-1-2", "added to the order")
	all := s.buy(s.lyon2, 70000, "ORD-2", "")
	s.refund(all, 70000, "called off") // the total of the month is 0
	s.buy(s.brest, 90000, "ORD-3", "")
	s.buy(s.lille, 10000, "ORD-4", "")
	s.buy(s.metz, 11000, "ORD-5", "")
	p = s.buy(s.rennes, 42000, "ORD-6", "")
	s.refused(s.lyon, money(300000, "EUR"), "CEILING_EXCEEDED")
	s.refused(s.lyon, money(100, "USD"), "CURRENCY_MISMATCH")
	s.refused(s.early, money(300001, "EUR"), "CONTRACT_NOT_ACTIVE", "CONTRACT_NOT_STARTED", "CEILING_EXCEEDED")

	s.act(s.brest, "AMEND", object{"ceiling": money(50000, "EUR"), "reason": "below the outstanding"})
	s.refused(s.brest, money(1, "EUR"), "CEILING_EXCEEDED")
	s.act(s.brest, "AMEND", object{"ceiling": money(200000, "EUR")})
	s.change(http.MethodDelete, s.brest, "/mandate?reason=bank+changed", nil)
	s.refused(s.brest, money(1, "EUR"), "MANDATE_NOT_VALID")
	s.sign(s.brest, "RUM-BREST", "B2B", s.now()) // the former one was revoked
	s.act(s.rennes, "SUSPEND", object{"reason": "incident"})
	s.refused(s.rennes, money(1, "EUR"), "CONTRACT_NOT_ACTIVE")
	s.refund(p, 2000, "while it is suspended")
	s.act(s.rennes, "REINSTATE", nil)
}

// voids sends requests about one contract to two instances at the same time until both logs have a
// void record.
func (s *scenes) voids() {
	for i := 0; !s.void(billingLog); i++ {
		s.check(i < 50, "no purchase became void")
		var both []func()
		for n, base := range s.at.Billing {
			key := fmt.Sprintf("void-%d-%d", i, n)
			both = append(both, func() {
				body := object{"type": "PURCHASE", "contractRef": s.lyon, "orderRef": key, "amount": money(100, "EUR")}
				a := s.sendKeyed(base, http.MethodPost, "/billing/v1/operations", "", key, body)
				s.check(a.status == http.StatusCreated, "buy at the same time: %d %v", a.status, a.body)
			})
		}
		s.together(both...)
	}
	second, stop := s.another("contract", "contract-2")
	defer stop()
	for i := 0; !s.void(contractLog); i++ {
		s.check(i < 50, "no change of a contract became void")
		etag := s.contract(http.MethodGet, "/contracts/"+s.lyon, "", nil).etag
		var both []func()
		for n, base := range []string{s.at.Contract, second} {
			key := fmt.Sprintf("void-%d-%d", i, n)
			both = append(both, func() {
				body := object{"action": "AMEND", "ceiling": money(300000+int64(i), "EUR")}
				a := s.sendKeyed(base, http.MethodPatch, "/refcontract/v1/contracts/"+s.lyon, etag, key, body)
				s.check(a.status == http.StatusOK || a.status == http.StatusPreconditionFailed, "amend at the same time: %d %v", a.status, a.body)
			})
		}
		s.together(both...)
	}
	s.known(s.lyon)
}

// unreadable writes facts and events that cannot be decoded. Billing gets a newer version of one of
// the contracts afterwards, and not of another one.
func (s *scenes) unreadable() {
	for _, ref := range []string{s.rennes, s.metz} {
		s.garbage(contractFacts, ref)
		s.written("an unreadable fact of "+ref, func(rec observer.Record) bool {
			return rec.Topic == billingLog && rec.Type == "ContractUnreadable" && rec.Value["contractRef"] == ref
		})
	}
	s.act(s.rennes, "AMEND", object{"ceiling": money(310000, "EUR")})
	s.garbage(contractFacts, "CTR-999")
	s.garbage(billingEvents, s.lyon)
	for _, topic := range []string{contractDead, billingDead} {
		s.written("a dead letter on "+topic, func(rec observer.Record) bool { return rec.Topic == topic })
	}
	a := s.purchase(s.metz, money(1, "EUR"), "ORD-8", "")
	s.check(a.text("code") == "contract-unreadable", "buy on an unreadable contract: %d %v", a.status, a.body)
}

func (s *scenes) secondPurchases() {
	s.buy(s.lyon, 33000, "ORD-10", "")
	s.buy(s.brest, 44000, "ORD-11", "")
	s.refused(s.lille, money(100, "EUR"), "MANDATE_NOT_VALID")
	only := s.active("CE-TOURS", "RUM-TOURS", nil)
	s.buy(only, 55000, "ORD-12", "only in the second month")
}

// runs bills the second month before the first. Contracts whose first month is open are left out.
func (s *scenes) runs() {
	s.refused(s.lyon2, money(100, "EUR"), "CONTRACT_EXPIRED")
	s.bill(s.secondMonth)
	s.first = s.bill(s.firstMonth)
	s.second = s.bill(s.secondMonth)
	s.bill("2020-01") // without any operation
	s.check(s.first[s.lyon] != "" && s.first[s.lyon2] != "" && s.second[s.lyon] != "", "invoices: %v %v", s.first, s.second)
}

// collection brings invoices to every status.
func (s *scenes) collection() {
	zero := s.billing(http.MethodGet, "/invoices/"+s.first[s.lyon2], nil)
	s.check(zero.text("status") == "SETTLED" && zero.text("total", "amount") == "0", "an invoice of 0: %v", zero.body)
	s.settle(s.first[s.lyon], "PRESENTED", "REJECTED AM04")
	s.reaches(s.lyon, "SUSPENDED")
	s.act(s.lyon, "REINSTATE", object{"reason": "it will pay"})
	s.settle(s.first[s.lyon], "PRESENTED", "REJECTED MS03")
	s.reaches(s.lyon, "SUSPENDED")
	s.act(s.lyon, "REINSTATE", nil)
	s.settle(s.first[s.lyon], "PRESENTED", "COLLECTED")
	s.settle(s.second[s.lyon], "PRESENTED")
	s.act(s.rennes, "SUSPEND", object{"reason": "before its debit is rejected"})
	s.settle(s.first[s.rennes], "PRESENTED", "REJECTED AC04")
	s.settle(s.first[s.brest], "PRESENTED", "REJECTED MD01")
	s.reaches(s.brest, "SUSPENDED") // at the end too
	a := s.billing(http.MethodPost, "/invoices/"+s.first[s.lille]+"/settlement", object{"outcome": "PRESENTED"})
	s.check(a.text("code") == "mandate-not-valid", "present under a lapsed mandate: %d %v", a.status, a.body)
}

// automaticRun waits until an instance has billed a month by itself, without a request.
func (s *scenes) automaticRun() {
	s.buy(s.lyon, 12000, "ORD-20", "")
	period := s.monthEnds()
	_, stop := s.another("billing", "billing-3", "-run-after", "1s")
	defer stop()
	s.completed(period)
}

// lastState leaves operations that are not invoiced, and a contract that was never used.
func (s *scenes) lastState() {
	p := s.buy(s.lyon, 7000, "ORD-30", "not invoiced")
	s.refund(p, 500, "")
	last := s.active("CE-LYON", "RUM-LYON-3", object{"ceiling": money(0, "EUR")})
	s.refused(last, money(1, "EUR"), "CEILING_EXCEEDED")
	s.change(http.MethodDelete, last, "/mandate", nil)
	s.act(last, "TERMINATE", object{"reason": "never used"})
	s.refused(last, money(1, "EUR"), "CONTRACT_NOT_ACTIVE", "MANDATE_NOT_VALID", "CEILING_EXCEEDED")
}
