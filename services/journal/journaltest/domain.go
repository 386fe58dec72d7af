// Package journaltest is for tests of what is built on the journal: an embedded broker whose log is
// configured as the journal needs it, a network that can be cut, in virtual time, and a small
// domain, accounts with a ceiling. A Scribe writes a long log in a short time. Package journalsim
// simulates a log without a broker. Only tests and benchmarks import it.
package journaltest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/deferpay/deferpay/services/journal"
)

// State is the state of one stream: an account, a key, a purchase or the numbering.
type State struct {
	Ceiling, Spent int64  // of an account
	Entries        int64  // of an account
	Number         int64  // of the numbering: the last one; of a key or a purchase: its own
	Request        string // of a key: what was asked
	Accepted       bool   // of a key: what was answered
}

// Body is what the log keeps of a decision.
type Body struct {
	Kind    string // opened, bought, refused, repaid
	Account string
	Key     string
	Amount  int64
	Number  int64
}

// The journal's types on this domain.
type (
	View    = journal.View[State]
	Entry   = journal.Entry[Body]
	Verdict = journal.Verdict[State, Body]
)

// Errors of Decide, which record nothing.
var (
	ErrNoAccount = errors.New("no such account")
	ErrOpen      = errors.New("the account is open already")
	ErrReused    = errors.New("the key was used for another request")
	ErrNothing   = errors.New("nothing to repay")
)

// Numbering is the stream of purchase numbers.
const Numbering journal.Stream = "numbering"

// Account returns the stream of an account.
func Account(name string) journal.Stream { return journal.Stream("account/" + name) }

// Key returns the stream of an idempotency key.
func Key(key string) journal.Stream { return journal.Stream("key/" + key) }

// Purchase returns the stream of a numbered purchase.
func Purchase(n int64) journal.Stream { return journal.Stream(fmt.Sprintf("purchase/%d", n)) }

// Command is a request, to be carried out once under its key.
type Command struct {
	Kind     string // open, buy, repay
	Account  string
	Key      string
	Amount   int64
	Numbered bool // the purchase takes a number, so it expects the numbering and its own stream
}

// Streams returns the streams that the command names.
func (c Command) Streams() []journal.Stream {
	return journal.On(Account(c.Account), Key(c.Key))
}

func (c Command) request() string { return c.Kind + c.Account + "/" + strconv.FormatInt(c.Amount, 10) }

// Decide decides the command, as journal.Decide wants it.
func (c Command) Decide(v *View) (Body, error) {
	if k, used := v.State(Key(c.Key)); used {
		if k.Request != c.request() {
			return Body{}, fmt.Errorf("%w: %w", journal.ErrAlready, ErrReused)
		}
		return Body{}, journal.ErrAlready
	}
	b := Body{Account: c.Account, Key: c.Key, Amount: c.Amount}
	a, open := v.State(Account(c.Account))
	switch {
	case c.Kind == "open" && open:
		return b, ErrOpen
	case c.Kind == "open":
		b.Kind = "opened"
		return b, nil
	case !open:
		return b, ErrNoAccount
	case c.Kind == "repay" && a.Spent < c.Amount:
		return b, ErrNothing
	case c.Kind == "repay":
		b.Kind = "repaid"
		return b, nil
	case a.Spent+c.Amount > a.Ceiling:
		b.Kind = "refused"
		return b, nil
	}
	b.Kind = "bought"
	if c.Numbered {
		n, _ := v.State(Numbering)
		b.Number = n.Number + 1
		v.State(Purchase(b.Number))
	}
	return b, nil
}

// Fold brings an entry into the states. It does not check the ceiling, which is left to Decide: if
// the journal is wrong, a test has to see the ceiling exceeded.
func Fold(v *View, e Entry) error {
	b := e.Body
	account := Account(b.Account)
	a, open := v.State(account)
	a.Entries++
	request := Command{Account: b.Account, Amount: b.Amount}
	switch b.Kind {
	case "opened":
		if open {
			return fmt.Errorf("account %s opened twice", b.Account)
		}
		a.Ceiling = b.Amount
		request.Kind = "open"
	case "bought":
		a.Spent += b.Amount
		request.Kind = "buy"
		if b.Number > 0 {
			v.Set(Numbering, State{Number: b.Number})
			v.Set(Purchase(b.Number), State{Number: b.Number})
		}
	case "refused":
		request.Kind = "buy"
	case "repaid":
		a.Spent -= b.Amount
		request.Kind = "repay"
	case "cursed": // for tests: what a program without this assertion would decide
		return errors.New("cursed")
	}
	v.Set(account, a)
	v.Set(Key(b.Key), State{Request: request.request(), Accepted: b.Kind != "refused", Number: b.Number})
	return nil
}

// Codec is a plain binary codec.
type Codec struct{}

var kinds = map[string]bool{"opened": true, "bought": true, "refused": true, "repaid": true, "cursed": true}

// Encode implements journal.Codec.
func (Codec) Encode(b Body) (string, []byte, error) {
	data := make([]byte, 0, 32)
	for _, s := range []string{b.Account, b.Key} {
		data = append(binary.AppendUvarint(data, uint64(len(s))), s...)
	}
	data = binary.AppendVarint(data, b.Amount)
	return b.Kind, binary.AppendVarint(data, b.Number), nil
}

// Decode implements journal.Codec.
func (Codec) Decode(kind string, data []byte) (Body, error) {
	b := Body{Kind: kind}
	if !kinds[kind] {
		return b, fmt.Errorf("%w %q", journal.ErrUnknownKind, kind)
	}
	for _, s := range []*string{&b.Account, &b.Key} {
		n, w := binary.Uvarint(data)
		if w <= 0 || n > uint64(len(data)-w) {
			return b, errors.New("body cut short")
		}
		*s = string(data[w : w+int(n)])
		data = data[w+int(n):]
	}
	for _, i := range []*int64{&b.Amount, &b.Number} {
		n, w := binary.Varint(data)
		if w <= 0 {
			return b, errors.New("body cut short")
		}
		*i, data = n, data[w:]
	}
	return b, nil
}
