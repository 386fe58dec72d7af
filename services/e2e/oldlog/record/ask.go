package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/deferpay/deferpay/services/e2e/oldlog"
)

// reads reads every list, with each filter and in pages, and everything that has a reference.
func (p *player) reads() ([]oldlog.Exchange, error) {
	var out []oldlog.Exchange
	err := p.try(func() {
		for _, path := range p.contractPaths() {
			out = append(out, oldlog.Exchange{Service: oldlog.ContractService, Method: http.MethodGet, Path: "/refcontract/v1" + path})
		}
		for _, path := range p.billingPaths() {
			out = append(out, oldlog.Exchange{Service: oldlog.BillingService, Method: http.MethodGet, Path: "/billing/v1" + path})
		}
	})
	if err != nil {
		return nil, err
	}
	for i, e := range out {
		if out[i].Answer, err = e.Ask(p.ctx, http.DefaultClient, p.base(e.Service)); err != nil {
			return nil, fmt.Errorf("%v: %w", e, err)
		}
		if out[i].Answer.Status != http.StatusOK {
			return nil, fmt.Errorf("%v: status %d: %s", e, out[i].Answer.Status, out[i].Answer.Body)
		}
	}
	return out, nil
}

// values returns the distinct values of a member in the items of a list, sorted.
func values(items []object, member string) []string {
	set := map[string]bool{}
	for _, item := range items {
		if v, ok := item[member].(string); ok {
			set[v] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// list reads a whole list.
func (p *player) list(service, path string) (items []object) {
	a := p.send(p.base(service), http.MethodGet, path+"?limit=200", "", nil)
	all, _ := a.body["items"].([]any)
	p.check(a.status == http.StatusOK && len(all) > 0 && fmt.Sprint(len(all)) == a.text("total"), "%s: %d, %d items of %s", path, a.status, len(all), a.text("total"))
	for _, item := range all {
		items = append(items, item.(object))
	}
	return items
}

// by returns the paths of a list filtered by each of the values.
func by(list, filter string, values []string) (paths []string) {
	for _, v := range values {
		paths = append(paths, list+"?limit=200&"+filter+"="+url.QueryEscape(v))
	}
	return paths
}

// each returns the path of each of the references.
func each(list string, refs []string) (paths []string) {
	for _, ref := range refs {
		paths = append(paths, list+"/"+url.PathEscape(ref))
	}
	return paths
}

func pages(list string) []string {
	return []string{list, list + "?limit=200", list + "?limit=3", list + "?limit=3&offset=3", list + "?offset=2", list + "?offset=1000"}
}

func (p *player) contractPaths() []string {
	contracts := p.list(oldlog.ContractService, "/refcontract/v1/contracts")
	var accounts []string
	for _, contract := range each("/contracts", values(contracts, "contractRef")) {
		account := contract + "/mandate/account"
		// It may be erased, or none may have been given.
		if a := p.contract(http.MethodGet, account, "", nil); a.status == http.StatusOK {
			accounts = append(accounts, account)
		}
	}
	return slices.Concat(pages("/contracts"),
		by("/contracts", "customerRef", append(values(contracts, "customerRef"), "CE-NOBODY")),
		by("/contracts", "status", []string{"PENDING", "ACTIVE", "SUSPENDED", "EXPIRED", "TERMINATED"}),
		[]string{"/contracts?customerRef=CE-LYON&status=ACTIVE&limit=1"},
		each("/contracts", values(contracts, "contractRef")), accounts)
}

func (p *player) billingPaths() []string {
	const prefix = "/billing/v1"
	operations := p.list(oldlog.BillingService, prefix+"/operations")
	subscriptions := p.list(oldlog.BillingService, prefix+"/subscriptions")
	invoices := p.list(oldlog.BillingService, prefix+"/invoices")
	contracts, customers := values(subscriptions, "contractRef"), values(subscriptions, "customerRef")
	periods := values(operations, "period")
	var paths []string
	for _, list := range []string{"/operations", "/subscriptions", "/invoices"} {
		paths = slices.Concat(paths, pages(list), by(list, "contractRef", contracts), by(list, "customerRef", customers))
	}
	paths = slices.Concat(paths,
		by("/operations", "invoiceRef", values(invoices, "invoiceRef")), by("/operations", "period", periods),
		by("/operations", "orderRef", values(operations, "orderRef")),
		by("/operations", "status", []string{"ACCEPTED", "REFUSED", "CANCELLED"}),
		[]string{"/operations?customerRef=CE-LYON&status=ACCEPTED&period=" + periods[0], "/operations?customerRef=CE-LYON&status=REFUSED&limit=1&offset=1"},
		each("/operations", values(operations, "operationRef")),
		by("/subscriptions", "status", []string{"PENDING", "ACTIVE", "SUSPENDED", "EXPIRED", "TERMINATED"}),
		each("/subscriptions", values(subscriptions, "subscriptionRef")),
		by("/invoices", "period", periods), by("/invoices", "status", []string{"ISSUED", "PRESENTED", "REJECTED", "RETURNED", "SETTLED"}),
		[]string{"/invoices?customerRef=CE-LYON&status=SETTLED&limit=1"},
		each("/invoices", values(invoices, "invoiceRef")))
	for _, customer := range each("/eligibility", customers) {
		paths = append(paths, customer, customer+"?amount=250000", customer+"?amount=100&currency=USD")
	}
	for _, run := range each("/billing-runs", append(values(invoices, "period"), "2020-01")) {
		paths = append(paths, run, run+"?limit=1&offset=1")
	}
	return paths
}
