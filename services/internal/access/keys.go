package access

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/deferpay/deferpay/services/internal/livefile"
	"github.com/deferpay/deferpay/services/internal/problem"
)

// keys are the API keys of a credentials file. It is a JSON list with one entry for each key. A
// subject may have several keys, so that keys can be rotated:
//
//	[{"subject": "agency-paris", "sha256": "9f86d0...", "scopes": ["read", "write"],
//	  "expires": "2027-01-31T23:00:00Z", "customers": ["CE-ACME"], "rate": 50}]
//
// Without expires a key is valid until it is removed. Without customers it is for every customer.
// Rate is the requests a second that the subject may send with it, instead of Config.Rate: at least
// one an hour. Keys of a subject that have the same rate share it.
// To hash a key:  printf %s "$KEY" | sha256sum
//
// Keys must be long and random (openssl rand -hex 32): a plain hash does not protect a key that can
// be guessed.
type keys []entry

type entry struct {
	hash    [sha256.Size]byte
	caller  Caller
	expires *time.Time // nil: never
	rate    float64    // 0: Config.Rate
}

// item is an entry as it is written.
type item struct {
	Subject   string           `json:"subject"`
	SHA256    string           `json:"sha256"`
	Scopes    []string         `json:"scopes"`
	Expires   given[time.Time] `json:"expires"`
	Customers given[[]string]  `json:"customers"`
	Rate      given[float64]   `json:"rate"`
}

// given is a member that may be left out and may not be null, because it could be meant as either.
type given[T any] struct {
	is    bool
	value T
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (g *given[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == 'n' {
		return errors.New("null")
	}
	g.is = true
	return json.UnmarshalDecode(d, &g.value)
}

// plainly returns an error of reading the list in words that name no Go type. The library words
// such errors differently from one process to the next.
func plainly(err error) error {
	var wrong *json.SemanticError
	switch {
	case !errors.As(err, &wrong) || errors.Is(err, json.ErrUnknownName):
		return err
	case wrong.JSONPointer == "":
		return errors.New("it is not a list of keys, [{...}]")
	}
	return fmt.Errorf("the value of %s is not what belongs there", wrong.JSONPointer)
}

func parseKeys(files []livefile.Content) (keys, error) {
	if err := checkMode(files[0].Mode); err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(files[0].Data)) == 0 {
		return nil, errors.New("the file is empty")
	}
	if err := checkEncoding(files[0].Data); err != nil {
		return nil, err
	}
	var list []item
	// refuses text behind the list and members that an object has twice, too
	if err := json.Unmarshal(files[0].Data, &list, json.RejectUnknownMembers(true)); err != nil {
		return nil, plainly(err)
	}
	if len(list) == 0 {
		return nil, errors.New("the list is empty")
	}
	var all keys
	for i, item := range list {
		e, err := item.entry()
		if err != nil {
			return nil, fmt.Errorf("entry %d (%.60s): %w", i, item.Subject, err)
		}
		if j := slices.IndexFunc(all, func(other entry) bool { return other.hash == e.hash }); j >= 0 {
			return nil, fmt.Errorf("entries %d and %d have the same key", j, i)
		}
		all = append(all, e)
	}
	return all, nil
}

// checkEncoding returns an error for text that an editor has saved as something else than plain
// UTF-8. The errors of the JSON library do not say so.
func checkEncoding(data []byte) error {
	switch {
	case bytes.HasPrefix(data, []byte("\ufeff")):
		return errors.New("it begins with a byte order mark: save it as UTF-8 without one")
	case !utf8.Valid(data):
		return errors.New("it is not UTF-8")
	}
	return nil
}

// checkMode returns an error if every user of the machine may write the file, and so let anybody
// in.
func checkMode(mode fs.FileMode) error {
	if runtime.GOOS != "windows" && mode.Perm()&0o002 != 0 {
		return fmt.Errorf("every user may write it (mode %o): chmod 600", mode.Perm())
	}
	return nil
}

var emptyKey = sha256.Sum256(nil)

func (i item) entry() (entry, error) {
	e := entry{caller: Caller{Subject: i.Subject, Scopes: i.Scopes}}
	if err := checkSubject(i.Subject); err != nil {
		return e, err
	}
	hash, err := hex.DecodeString(i.SHA256)
	if err != nil || len(hash) != sha256.Size {
		return e, errors.New("sha256 is not 64 hexadecimal digits")
	}
	copy(e.hash[:], hash)
	if e.hash == emptyKey {
		return e, errors.New("sha256 is the hash of an empty key")
	}
	if len(i.Scopes) == 0 {
		return e, fmt.Errorf("no scopes, want some of %s", strings.Join(scopes, ", "))
	}
	for n, s := range i.Scopes {
		if !slices.Contains(scopes, s) {
			return e, fmt.Errorf("unknown scope %q, want one of %s", s, strings.Join(scopes, ", "))
		}
		if slices.Contains(i.Scopes[:n], s) {
			return e, fmt.Errorf("the scope %s is there twice", s)
		}
	}
	if i.Expires.is {
		at := i.Expires.value.UTC() // notices of it are compared by ==
		e.expires = &at
	}
	if i.Rate.is {
		if err := checkRate(i.Rate.value); err != nil {
			return e, err
		}
		e.rate = i.Rate.value
	}
	if i.Customers.is {
		if e.caller.Customers, err = customersOf(i.Customers.value); err != nil {
			return e, err
		}
	}
	return e, nil
}

// checkSubject returns an error for a subject that is none, or that an operator cannot tell from
// another one in the audit.
func checkSubject(subject string) error {
	_, unseen := problem.Unseen(subject)
	switch {
	case strings.TrimSpace(subject) == "":
		return errors.New("no subject")
	case strings.TrimSpace(subject) != subject || unseen:
		return errors.New("the subject begins or ends with a blank, or has a character that cannot be seen")
	case strings.ContainsFunc(subject, lookalike):
		return errors.New("the subject has a variation selector, or a blank other than U+0020")
	case len(subject) > maxSubject:
		return fmt.Errorf("the subject is longer than %d bytes", maxSubject)
	}
	return nil
}

// lookalike reports whether a character inside of a text looks like U+0020 or like nothing, and is
// neither U+0020 nor found by problem.Unseen.
func lookalike(r rune) bool {
	return r != ' ' && unicode.IsSpace(r) || unicode.Is(unicode.Variation_Selector, r)
}

// maxWait is the longest time that a client is told to wait. The OpenAPI documents have the same
// bound on retryAfter.
const maxWait = time.Hour

// checkRate returns an error if a rate, in requests a second, is none, or so low that a client
// would have to wait longer than maxWait.
func checkRate(perSecond float64) error {
	if !(perSecond*maxWait.Seconds() >= 1) {
		return fmt.Errorf("the rate %v is below one request in %v", perSecond, maxWait)
	}
	return nil
}

// customersOf returns the customers of a bound credential. An empty list is refused: it may be
// meant as no customer or as all of them. So is *, which is no customer's name.
func customersOf(list []string) ([]string, error) {
	if len(list) == 0 {
		return nil, errors.New("the list of customers is empty")
	}
	for _, c := range list {
		if c == "*" {
			return nil, errors.New("* is not a customer: leave customers out for all of them")
		}
		if c == "" || strings.TrimSpace(c) != c {
			return nil, fmt.Errorf("%q is not a customer", c)
		}
	}
	return list, nil
}

// Hash returns the hash of a key as the file contains it.
func Hash(key string) string {
	h := sha256.Sum256([]byte(key))
	return hex.EncodeToString(h[:])
}

// lookup returns the entry of a key. It compares the key with every entry, so that its duration
// does not depend on whether one matches, or which.
func (k keys) lookup(key string) (entry, bool) {
	hash := sha256.Sum256([]byte(key))
	found := -1
	for i := range k {
		match := subtle.ConstantTimeCompare(hash[:], k[i].hash[:])
		found = subtle.ConstantTimeSelect(match, i, found)
	}
	if found < 0 {
		return entry{}, false
	}
	return k[found], true
}
