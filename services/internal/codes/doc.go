// Package codes stands for the code lists that requests are checked against. It holds no code: each
// list is a package below it, and the tests here compare them with independent implementations.
//
//	currency  ISO 4217: the codes, and amounts written by a currency's own number of decimals
//	country   ISO 3166-1 alpha-2
//	company   SIREN, and the VAT numbers of the European Union
//	sepa      IBAN, BIC, creditor identifier, mandate reference, reason codes of failed debits
//
// # Where a code is checked
//
// The HTTP edge of a service (internal/api) checks every code before it makes a command. The domain
// packages do not, and need not import these packages, for two reasons. First, lists change: a
// currency is withdrawn, a bank scheme gains a reason code. A log is folded for ever, so a record
// that was right when it was written must never be judged by the list of a later release. Second,
// the domain imports the standard library alone, so that its rules can be read and replayed without
// anything else.
//
// What the domain does check is how values that it holds relate to each other: that a French VAT
// number names the company's SIREN, that a debit of one scheme was not refused for a reason of the
// other. Where such a rule needs a property of a code, the edge looks it up and passes it in the
// command: sepa.Reason carries its schemes for that. An error of the domain carries amounts as
// values; the edge writes them with currency.Format.
//
// The error of a check completes the sentence "the value ...". It names no library, and it never
// repeats the value, which may be personal data.
package codes
