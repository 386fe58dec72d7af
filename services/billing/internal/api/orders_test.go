package api_test

import (
	"fmt"
	"testing"
)

func TestOrderHasOnePurchase(t *testing.T) {
	i := newSystem(t).instance("billing-1")
	i.contract(7, 3, nil)
	i.contract(8, 1, nil)
	// a refused purchase takes no order
	i.post("/operations", order("CTR-7", "ORD-A", 600000)).problem(t, 422, "purchase-refused")
	i.post("/operations", order("CTR-7", "ORD-A", 1000)).want(t, 201, "operationRef", "BOP-7-2")
	before := i.records()
	for range 2 {
		a := i.post("/operations", order("CTR-7", "ORD-A", 2000))
		a.problem(t, 409, "order-already-purchased", "operationRef", "BOP-7-2", "detail", "order ORD-A of CTR-7 was purchased as BOP-7-2")
	}
	if after := i.records(); after != before {
		t.Errorf("%d records before, %d after", before, after)
	}
	i.post("/operations", order("CTR-8", "ORD-A", 1)).want(t, 201, "operationRef", "BOP-8-1")
	i.post("/operations/BOP-7-2/cancellation", `{}`).want(t, 200, "status", "CANCELLED")
	i.post("/operations", order("CTR-7", "ORD-A", 2000)).want(t, 201, "operationRef", "BOP-7-3")
	i.post("/operations", refund("BOP-7-3", 2000)).want(t, 201, "orderRef", "ORD-A")
	i.post("/operations", order("CTR-7", "ORD-A", 1)).problem(t, 409, "order-already-purchased", "operationRef", "BOP-7-3")

	i.get("/operations?orderRef=ORD-A").want(t, 200, "total", "5", "items.0.status", "REFUSED", "items.1.status", "CANCELLED", "items.2.operationRef", "BOP-8-1",
		"items.3.operationRef", "BOP-7-3", "items.4.type", "REFUND")
	i.get("/operations?orderRef=ORD-A&contractRef=CTR-8").want(t, 200, "total", "1", "items.0.operationRef", "BOP-8-1")
	i.get("/operations?orderRef=ORD-A&status=ACCEPTED").want(t, 200, "total", "3")
	i.get("/operations?orderRef=ORD").want(t, 200, "total", "0", "items", "[]")
}

// TestSameOrderOnTwoInstances buys each order on two instances at the same time.
func TestSameOrderOnTwoInstances(t *testing.T) {
	s := newSystem(t)
	one, two := s.instance("billing-1"), s.instance("billing-2")
	one.contract(7, 3, nil)
	one.post("/operations", purchase("CTR-7", 1)).want(t, 201)
	two.catchUp(one)
	for n := range 40 {
		body := order("CTR-7", fmt.Sprint("ORD-B", n), 10)
		other := make(chan answer)
		go func() { other <- two.do("POST", "/operations", fmt.Sprint("two-", n), body) }()
		a, b := one.do("POST", "/operations", fmt.Sprint("one-", n), body), <-other
		if a.status == 409 {
			a, b = b, a
		}
		a.want(t, 201)
		b.problem(t, 409, "order-already-purchased", "operationRef", a.at("operationRef"))
	}
	one.get("/operations").want(t, 200, "total", "41")
}
