package sepa

import (
	"errors"
	"fmt"
	"slices"
)

// Reason is a code of ISO 20022 by which a bank says why a debit failed.
type Reason struct {
	Code    string
	Text    string // for people
	Rejects bool   // a bank may reject a debit for it, before the money moved
	Returns bool   // a collected debit may come back for it, as a return or as a refund
	Core    bool   // debits of the Core scheme may fail for it
	B2B     bool   // debits of the B2B scheme may fail for it
}

type outcome int

const (
	reject outcome = 1 << iota
	back           // return or refund
	core
	b2b
	both = core | b2b
)

// reasons has the codes of the European Payments Council's EPC173-14, Guidance on Reason Codes for
// SDD R-transactions, version 8.0 of November 2024, for rejects, returns and refunds. BE01, which
// is younger, and FF05 come from the implementation guidelines EPC130-08 and EPC131-08 of 2025.
// DT01 and TM01 are of the ISO 20022 external status reasons: a creditor's own bank rejects with
// them a debit whose date is wrong or that came too late.
var reasons = []Reason{
	reason("AC01", reject|back|both, "the account number is wrong"),
	reason("AC04", reject|back|both, "the account is closed"),
	reason("AC06", reject|back|both, "the account is blocked"),
	reason("AC13", reject|back|b2b, "the account is a consumer's, which the B2B scheme does not allow"),
	reason("AG01", reject|back|both, "direct debits are forbidden on the account"),
	reason("AG02", reject|back|both, "the kind of transaction is wrong"),
	reason("AM04", reject|back|both, "insufficient funds"),
	reason("AM05", reject|back|both, "the debit was presented twice"),
	reason("BE01", reject|back|both, "the debtor's name is not that of the account"),
	reason("BE05", reject|back|both, "the creditor identifier is wrong"),
	reason("CNOR", reject|both, "the creditor's bank is not registered with the clearing house"),
	reason("DNOR", reject|both, "the debtor's bank is not registered with the clearing house"),
	reason("DT01", reject|both, "the collection date is invalid"),
	reason("ED05", reject|both, "the settlement failed"),
	reason("FF01", reject|both, "the file format is invalid"),
	reason("FF05", reject|back|both, "the scheme of the debit is wrong"),
	reason("MD01", reject|back|both, "there is no mandate"),
	reason("MD02", reject|both, "data of the mandate is missing or wrong"),
	reason("MD06", back|core, "the debtor asked for a refund"),
	reason("MD07", reject|back|both, "the debtor has died"),
	reason("MS02", reject|back|both, "the debtor refused"),
	reason("MS03", reject|back|both, "the bank states no reason"),
	reason("RC01", reject|back|both, "the bank identifier is wrong"),
	reason("RR01", reject|back|both, "the debtor's account or identification is missing"),
	reason("RR02", reject|back|both, "the debtor's name or address is missing"),
	reason("RR03", reject|back|both, "the creditor's name or address is missing"),
	reason("RR04", reject|back|both, "regulatory reason"),
	reason("SL01", reject|back|both, "a service of the debtor's bank blocks the debit"),
	reason("TM01", reject|both, "the file came after the cut-off time"),
}

func reason(code string, o outcome, text string) Reason {
	return Reason{Code: code, Text: text, Rejects: o&reject != 0, Returns: o&back != 0, Core: o&core != 0, B2B: o&b2b != 0}
}

// Reasons returns all reasons in the order of their codes.
func Reasons() []Reason { return slices.Clone(reasons) }

var errUnknownReason = errors.New("must be a reason code of SEPA direct debits, such as AM04")

// RejectReason returns the reason of a code. An error is returned if the code is unknown, or if a
// debit is never rejected for it.
func RejectReason(code string) (Reason, error) {
	switch r, err := find(code); {
	case err != nil:
		return Reason{}, err
	case !r.Rejects:
		return Reason{}, fmt.Errorf("is a reason for a return, not for a rejection (%s)", r.Text)
	default:
		return r, nil
	}
}

// ReturnReason returns the reason of a code. An error is returned if the code is unknown, or if a
// collected debit never comes back for it.
func ReturnReason(code string) (Reason, error) {
	switch r, err := find(code); {
	case err != nil:
		return Reason{}, err
	case !r.Returns:
		return Reason{}, fmt.Errorf("is a reason for a rejection, not for a return (%s)", r.Text)
	default:
		return r, nil
	}
}

func find(code string) (Reason, error) {
	i := slices.IndexFunc(reasons, func(r Reason) bool { return r.Code == code })
	if i < 0 {
		return Reason{}, errUnknownReason
	}
	return reasons[i], nil
}
