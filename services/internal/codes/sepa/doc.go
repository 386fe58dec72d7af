// Package sepa checks the identifiers of SEPA direct debits: accounts (IBAN), banks (BIC),
// creditors (ICS), mandates (RUM), and the reasons for which debits fail. The HTTP edges of the
// services import it; see package codes for why the domain does not.
//
// No library is used. github.com/jacoelho/banking is not served by the module proxies that the
// project reaches, code.pfad.fr/swift has a copyleft licence (EUPL), and the others are no longer
// maintained. The tables are ours and small; each names its source and date, and package codes
// compares them with schwifty and python-stdnum.
//
// Errors complete the sentence "the value ..." and never repeat the value.
package sepa
