// Package journaltest gives the tests of the journal, and of what is built on
// it, a small domain (accounts with a ceiling) and an embedded broker whose log is
// configured as the journal wants it. Only tests and benchmarks may import it.
package journaltest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/deferpay/deferpay/services/internal/journal"
)

// State is the state of one stream: an account, a key, a purchase or the numbering.
type State struct {
	Ceiling, Spent int64  // account
	Entries        int64  // account
	Number         int64  // numbering: the last given; key and purchase: their own
	Request        string // key: what was asked
	Accepted       bool   // key: what was answered
}

// Body is what the log remembers of a decision.
type Body struct {
	Kind    string // opened, bought, refused, repaid
	Account string
	Key     string
	Amount  int64
	Number  int64
}

type (
	View    = journal.View[State]
	Entry   = journal.Entry[Body]
	Verdict = journal.Verdict[State, Body]
)

// What the domain refuses without a record.
var (
	ErrNoAccount = errors.New("no such account")
	ErrOpen      = errors.New("account is open already")
	ErrReused    = errors.New("key was used for something else")
	ErrNothing   = errors.New("nothing to repay")
)

const Numbering journal.Stream = "numbering"

func Account(name string) journal.Stream { return journal.Stream("account/" + name) }
func Key(key string) journal.Stream      { return journal.Stream("key/" + key) }
func Purchase(n int64) journal.Stream    { return journal.Stream(fmt.Sprintf("purchase/%d", n)) }

// Command is a request: what to do once, under its key.
type Command struct {
	Kind     string // open, buy, repay
	Account  string
	Key      string
	Amount   int64
	Numbered bool // a purchase takes a number, and so expects numbering and its own stream too
}

// Streams is what the command names before it is decided.
func (c Command) Streams() []journal.Stream {
	return journal.On(Account(c.Account), Key(c.Key))
}

func (c Command) request() string { return c.Kind + c.Account + "/" + strconv.FormatInt(c.Amount, 10) }

// Decide is the domain: a pure function of the states it reads.
func (c Command) Decide(v *View) (Body, error) {
	if k, used := v.State(Key(c.Key)); used {
		if k.Request != c.request() {
			return Body{}, ErrReused
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

// Fold brings an entry into the states. Whether a purchase was within the ceiling
// is for decide alone: a test wants to see it exceeded when the journal is wrong.
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
	case "cursed": // for tests: a decision made by a program that had no such assertion
		return errors.New("cursed")
	}
	v.Set(account, a)
	v.Set(Key(b.Key), State{Request: request.request(), Accepted: b.Kind != "refused", Number: b.Number})
	return nil
}

// Codec is a plain binary encoding.
type Codec struct{}

var kinds = map[string]bool{"opened": true, "bought": true, "refused": true, "repaid": true, "cursed": true}

func (Codec) Encode(b Body) (string, []byte, error) {
	data := make([]byte, 0, 32)
	for _, s := range []string{b.Account, b.Key} {
		data = append(binary.AppendUvarint(data, uint64(len(s))), s...)
	}
	data = binary.AppendVarint(data, b.Amount)
	return b.Kind, binary.AppendVarint(data, b.Number), nil
}

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
