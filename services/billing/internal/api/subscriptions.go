package api

import (
	"context"
	"net/http"

	"github.com/deferpay/deferpay/gen/billingapi"
	"github.com/deferpay/deferpay/services/billing/internal/billing"
	"github.com/deferpay/deferpay/services/billing/internal/store"
	"github.com/deferpay/deferpay/services/internal/access"
	"github.com/deferpay/deferpay/services/internal/logapi"
	"github.com/deferpay/deferpay/services/internal/problem"
)

// Problems of subscriptions.
var (
	subscriptionNotFound = problem.NewCode("subscription-not-found", http.StatusNotFound, "No such subscription")
	customerNotFound     = problem.NewCode("customer-not-found", http.StatusNotFound, "No such customer")
	contractUnknown      = problem.NewCode("contract-unknown", http.StatusConflict, "Billing has not heard of this contract yet")
	contractUnreadable   = problem.NewCode("contract-unreadable", http.StatusServiceUnavailable, "The newest state of the contract could not be read")
)

var subscriptionCauses = causes{
	{billing.ErrContractUnknown, contractUnknown, "check the reference; a new contract is known after a moment, so try again with the same Idempotency-Key", 1},
	{billing.ErrContractUnreadable, contractUnreadable, "try again later; purchases are decided again once a newer version is read", 60},
}

// maxContracts bounds the contracts of one customer in one answer.
const maxContracts = 1000

// GetSubscription reads billing's copy of a contract.
func (h *handler) GetSubscription(ctx context.Context, params billingapi.GetSubscriptionParams) (*billingapi.SubscriptionHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, string(params.LogPosition.Value)); err != nil {
		return nil, err
	}
	ref := string(params.SubscriptionRef)
	a, at, err := find(ctx, h, func() (billing.Account, int64, bool) { return h.Store.Subscription(contractOf(ref)) }, noSubscription(ref))
	if err != nil {
		return nil, err
	}
	return &billingapi.SubscriptionHeaders{LogPosition: h.position(at), Response: h.toSubscription(a)}, nil
}

// ListSubscriptions searches billing's copies of contracts.
func (h *handler) ListSubscriptions(ctx context.Context, params billingapi.ListSubscriptionsParams) (*billingapi.SubscriptionPageHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, string(params.LogPosition.Value)); err != nil {
		return nil, err
	}
	page := pageOf(params.Limit, params.Offset)
	l := h.Store.Subscriptions(store.SubscriptionFilter{
		ContractRef: string(params.ContractRef.Or("")), CustomerRef: string(params.CustomerRef.Or("")), Status: billing.Status(params.Status.Or("")),
		Of: access.Customers(ctx),
	}, page)
	return &billingapi.SubscriptionPageHeaders{LogPosition: h.position(l.Position), Response: billingapi.SubscriptionPage{
		Items: each(l.Items, h.toSubscription), Total: billingapi.Count(l.Total), Limit: billingapi.Count(page.Limit), Offset: billingapi.Count(page.Offset),
	}}, nil
}

// GetEligibility forecasts what a customer may buy.
func (h *handler) GetEligibility(ctx context.Context, params billingapi.GetEligibilityParams) (*billingapi.EligibilityHeaders, error) {
	if err := logapi.Fresh(ctx, h.Store, string(params.LogPosition.Value)); err != nil {
		return nil, err
	}
	if code, given := params.Currency.Get(); given {
		if err := checkCurrency("query:currency", code); err != nil {
			return nil, err
		}
	}
	l, _, err := find(ctx, h, func() (store.List[billing.Account], int64, bool) {
		l := h.Store.Subscriptions(store.SubscriptionFilter{CustomerRef: string(params.CustomerRef)}, store.Page{Limit: maxContracts})
		return l, l.Position, l.Total > 0
	}, problem.New(customerNotFound, "billing knows no contract of the customer %s", params.CustomerRef).
		WithHint("check the reference; billing learns of contracts from contract facts"))
	if err != nil {
		return nil, err
	}
	out := billingapi.Eligibility{CustomerRef: params.CustomerRef, Sums: toSums(l.Items)}
	for _, a := range l.Items {
		asked := billing.Money{Amount: int64(params.Amount.Or(1)), Currency: string(params.Currency.Or(billingapi.Currency(a.Contract.Ceiling.Currency)))}
		out.Contracts = append(out.Contracts, h.toEligibility(a, asked))
	}
	return &billingapi.EligibilityHeaders{LogPosition: h.position(l.Position), Response: out}, nil
}

func (h *handler) toMandate(a billing.Account) billingapi.Mandate {
	m := a.Contract.Mandate
	out := billingapi.Mandate{
		Status: billingapi.MandateStatus(a.MandateStatus(h.Store.Now())), Rum: optionalText(m.RUM), Ics: optionalText(m.ICS), IbanLastFour: optionalText(m.IBANLastFour),
		SignedAt: optionalInstant(m.SignedAt), LastPresentedAt: optionalInstant(a.LastPresented()),
	}
	if m.Scheme != "" {
		out.Scheme.SetTo(billingapi.MandateScheme(m.Scheme))
	}
	if out.Status == billingapi.MandateStatusVALID || out.Status == billingapi.MandateStatusLAPSED {
		out.LapsesAt = optionalInstant(a.MandateLapses())
	}
	return out
}

func (h *handler) toSubscription(a billing.Account) billingapi.Subscription {
	c := a.Contract
	return billingapi.Subscription{
		SubscriptionRef: billingapi.SubscriptionRef(c.SubscriptionRef), ContractRef: billingapi.ContractRef(c.Ref), CustomerRef: billingapi.CustomerRef(c.CustomerRef),
		Status: billingapi.ContractStatus(c.Status), ValidFrom: billingapi.Instant(c.ValidFrom), ValidUntil: optionalInstant(c.ValidUntil), Ceiling: toMoney(c.Ceiling),
		Mandate: h.toMandate(a), Buyer: toBuyer(c.Buyer), ContractVersion: billingapi.Version(c.Version), IngestedAt: billingapi.Instant(a.IngestedAt),
	}
}

func (h *handler) toEligibility(a billing.Account, asked billing.Money) billingapi.ContractEligibility {
	c, reasons := a.Contract, a.Judge(asked, h.Store.Now())
	part := func(amount int64) billingapi.Money {
		return toMoney(billing.Money{Amount: amount, Currency: a.Currency})
	}
	return billingapi.ContractEligibility{
		ContractRef: billingapi.ContractRef(c.Ref), SubscriptionRef: billingapi.SubscriptionRef(c.SubscriptionRef), Status: billingapi.ContractStatus(c.Status),
		Mandate:     h.toMandate(a),
		Outstanding: billingapi.Outstanding{Total: toMoney(a.Outstanding()), NotInvoiced: part(a.NotInvoiced), NotSettled: part(a.NotSettled)},
		Ceiling:     toMoney(c.Ceiling), Available: toMoney(a.Available()), Judged: toPositive(asked),
		Eligible: len(reasons) == 0 && !a.Unreadable, Reasons: each(reasons, toReason),
		ContractVersion: billingapi.Version(c.Version), IngestedAt: billingapi.Instant(a.IngestedAt),
	}
}

// toSums adds up the contracts of a customer by currency.
func toSums(accounts []billing.Account) []billingapi.EligibilitySum {
	return each(billing.SumsOf(accounts), func(s billing.Sum) billingapi.EligibilitySum {
		m := func(amount int64) billingapi.Money {
			return toMoney(billing.Money{Amount: amount, Currency: s.Currency})
		}
		return billingapi.EligibilitySum{
			Outstanding: billingapi.Outstanding{Total: m(s.Outstanding()), NotInvoiced: m(s.NotInvoiced), NotSettled: m(s.NotSettled)},
			Ceiling:     m(s.Ceiling), Available: m(s.Available),
		}
	})
}
