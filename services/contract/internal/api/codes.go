package api

import (
	"errors"

	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/codes/company"
	"github.com/deferpay/deferpay/services/internal/codes/country"
	"github.com/deferpay/deferpay/services/internal/codes/sepa"
	"github.com/deferpay/deferpay/services/internal/problem"
)

// check returns what is wrong with a command whatever the contract's state is: a *contract.Invalid,
// or nil. The domain judges all but codes, which are checked by their lists here, and reasons.
func check(command contract.Command) error {
	var invalid *contract.Invalid
	faults := append(codeFaults(command), reasonFaults(command)...)
	if err := contract.Check(command); errors.As(err, &invalid) {
		faults = append(faults, invalid.Faults...)
	} else if err != nil {
		return err
	}
	if len(faults) == 0 {
		return nil
	}
	return &contract.Invalid{Faults: faults}
}

// codeFaults returns the codes of a command that are in no list, or have a wrong form.
func codeFaults(command contract.Command) []contract.Fault {
	var f faults
	switch c := command.(type) {
	case contract.Subscribe:
		f.company(c.Buyer)
	case contract.Amend:
		if c.Buyer != nil {
			f.company(*c.Buyer)
		}
	case contract.SignMandate:
		f.add("/rum", sepa.CheckRUM(c.RUM))
		f.add("/ics", sepa.CheckICS(c.ICS))
		_, err := sepa.ParseIBAN(c.Account.IBAN)
		f.add("/iban", err)
		if c.Account.BIC != "" {
			f.add("/bic", sepa.CheckBIC(c.Account.BIC))
		}
	}
	return f
}

// reasonFaults returns the reason of a command if it is there and blank.
func reasonFaults(command contract.Command) []contract.Fault {
	var f faults
	switch c := command.(type) {
	case contract.Suspend:
		f.blank("/reason", c.Reason)
	case contract.Reinstate:
		f.blank("/reason", c.Reason)
	case contract.Terminate:
		f.blank("/reason", c.Reason)
	case contract.Amend:
		f.blank("/reason", c.Reason)
	case contract.RevokeMandate:
		f.blank("query:reason", c.Reason)
	}
	return f
}

type faults []contract.Fault

// blank adds a fault for a text that is blank.
func (f *faults) blank(pointer, text string) {
	if problem.Blank(text) {
		f.add(pointer, errors.New("must not be blank"))
	}
}

// add adds a fault, unless err is nil.
func (f *faults) add(pointer string, err error) {
	if err != nil {
		*f = append(*f, contract.Fault{Pointer: pointer, Message: err.Error()})
	}
}

func (f *faults) company(c contract.Company) {
	f.add("/buyer/siren", company.CheckSIREN(c.SIREN))
	f.add("/buyer/vatNumber", company.CheckVAT(c.VATNumber))
	f.add("/buyer/billingAddress/country", country.Check(c.BillingAddress.Country))
}
