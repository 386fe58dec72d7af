package contract

import (
	"encoding/json"
	"strings"
)

// Account is the account that a mandate permits to debit. It is personal data: nothing here prints
// it, and events carry no more of it than LastFour.
type Account struct {
	IBAN  string // with or without spaces
	BIC   string // optional
	Owner string
}

// String hides the account, so that it cannot reach a log by accident.
func (Account) String() string { return "(account)" }

// GoString hides the account as String does.
func (a Account) GoString() string { return a.String() }

// MarshalJSON returns the last four characters of the account, and never the rest.
func (a Account) MarshalJSON() ([]byte, error) { return json.Marshal(a.LastFour()) }

// Number returns the IBAN without spaces.
func (a Account) Number() string { return compact(a.IBAN) }

// LastFour returns the last four characters of the IBAN, by which people recognise the account.
func (a Account) LastFour() string {
	iban := a.Number()
	return iban[max(0, len(iban)-4):]
}

// check checks what does not depend on lists of codes: whoever makes the command checks IBAN and
// BIC.
func (a Account) check(f *faults) {
	if strings.TrimSpace(a.Owner) == "" {
		f.add("/owner", "must not be blank")
	}
}

func compact(s string) string { return strings.ReplaceAll(s, " ", "") }
