package conformance

import (
	"fmt"
	"time"

	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/golden/order"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
)

// The same records with the tags of hamba, for its reflection.
type (
	hambaPrice struct {
		Amount   int64  `avro:"amount"`
		Currency string `avro:"currency"`
	}
	hambaPayment struct {
		PaymentRef string     `avro:"paymentRef"`
		OrderRef   string     `avro:"orderRef"`
		Amount     hambaPrice `avro:"amount"`
		Status     string     `avro:"status"`
		Reference  *string    `avro:"reference"`
		OccurredAt time.Time  `avro:"occurredAt"`
	}
	hambaAddress struct {
		Line1      string  `avro:"line1"`
		Line2      *string `avro:"line2"`
		PostalCode string  `avro:"postalCode"`
		City       string  `avro:"city"`
		Country    string  `avro:"country"`
	}
	hambaBuyer struct {
		LegalName string       `avro:"legalName"`
		Siren     string       `avro:"siren"`
		VATNumber *string      `avro:"vatNumber"`
		Address   hambaAddress `avro:"address"`
	}
	hambaLine struct {
		Sku      string     `avro:"sku"`
		Label    string     `avro:"label"`
		Quantity int        `avro:"quantity"`
		Unit     hambaPrice `avro:"unit"`
		Weight   float64    `avro:"weight"`
		Tags     []string   `avro:"tags"`
		AddedAt  time.Time  `avro:"addedAt"`
	}
	hambaCompany struct {
		LegalName      string       `avro:"legalName"`
		Siren          string       `avro:"siren"`
		VATNumber      string       `avro:"vatNumber"`
		BillingAddress hambaAddress `avro:"billingAddress"`
	}
	hambaMandate struct {
		Rum          string     `avro:"rum"`
		Ics          string     `avro:"ics"`
		Scheme       string     `avro:"scheme"`
		IBANLastFour string     `avro:"ibanLastFour"`
		SignedAt     time.Time  `avro:"signedAt"`
		RevokedAt    *time.Time `avro:"revokedAt"`
	}
	hambaSuspension struct {
		Cause      string    `avro:"cause"`
		Detail     string    `avro:"detail"`
		Since      time.Time `avro:"since"`
		InvoiceRef *string   `avro:"invoiceRef"`
	}
	hambaContract struct {
		ContractRef     string           `avro:"contractRef"`
		SubscriptionRef string           `avro:"subscriptionRef"`
		CustomerRef     string           `avro:"customerRef"`
		SellerRef       string           `avro:"sellerRef"`
		Version         int64            `avro:"version"`
		Status          string           `avro:"status"`
		Buyer           hambaCompany     `avro:"buyer"`
		Ceiling         hambaPrice       `avro:"ceiling"`
		ValidFrom       time.Time        `avro:"validFrom"`
		ValidUntil      *time.Time       `avro:"validUntil"`
		Mandate         *hambaMandate    `avro:"mandate"`
		Suspension      *hambaSuspension `avro:"suspension"`
	}
	hambaActivated struct {
		ContractRef string        `avro:"contractRef"`
		Version     int64         `avro:"version"`
		Contract    hambaContract `avro:"contract"`
		OccurredAt  time.Time     `avro:"occurredAt"`
	}
	hambaOrder struct {
		OrderRef    string      `avro:"orderRef"`
		CustomerRef string      `avro:"customerRef"`
		Version     int64       `avro:"version"`
		Status      string      `avro:"status"`
		Buyer       hambaBuyer  `avro:"buyer"`
		Total       hambaPrice  `avro:"total"`
		OpenedAt    time.Time   `avro:"openedAt"`
		ClosedAt    *time.Time  `avro:"closedAt"`
		Lines       []hambaLine `avro:"lines"`
		Hash        []byte      `avro:"hash"`
	}
)

var benchTime = time.Date(2026, 2, 28, 12, 30, 15, 123456000, time.UTC)

func benchPayment() *order.Payment {
	return &order.Payment{PaymentRef: "PAY-2026-000123", OrderRef: "ORD-2026-000042", Amount: order.Price{Amount: 125000, Currency: "EUR"},
		Status: order.OrderStatusPaid, Reference: avrobin.Ptr("SEPA E2E 8431"), OccurredAt: benchTime}
}

func benchOrder() *order.Order {
	o := &order.Order{OrderRef: "ORD-2026-000042", CustomerRef: "CUST-77", Version: 17, Status: order.OrderStatusShipped,
		Buyer: order.Buyer{LegalName: "Comité social de la Société Exemple", Siren: "552100554", VATNumber: avrobin.Ptr("FR83552100554"),
			Address: order.OrderAddress{Line1: "1 rue de la Paix", PostalCode: "75002", City: "Paris", Country: "FR"}},
		Total: order.Price{Amount: 1250000, Currency: "EUR"}, OpenedAt: benchTime, ClosedAt: avrobin.Ptr(benchTime.Add(time.Hour)), Hash: make([]byte, 32)}
	for i := range 40 {
		o.Lines = append(o.Lines, order.OrderLine{Sku: fmt.Sprintf("SKU-%05d", i*37), Label: [...]string{"Cheque cadeau de Noel 2026", "Billet de train", "Chèque vacances", "Bon d'achat"}[i%4], Quantity: int32(1 + i*3),
			Unit: order.Price{Amount: int64(500 * (i + 1)), Currency: "EUR"}, Weight: 0.25 * float64(i), Tags: []string{"gift", "2026"}, AddedAt: benchTime.Add(time.Duration(i) * time.Minute)})
	}
	return o
}
