package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/contract/internal/effect"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/ledger"
	"github.com/deferpay/deferpay/services/internal/seal"
	"github.com/deferpay/deferpay/services/journal"
)

// An account is sealed about a subject: its contract, and how often the personal data of the
// contract was erased before. An erasure destroys the keys of all subjects that are older than
// itself. A mandate that is decided after an erasure is never recorded with an account that was
// sealed before it, so its key is not among them.

// ring is a *seal.Ring.
type ring interface {
	Run(context.Context) error
	Seal(ctx context.Context, subject string, plaintext []byte) (seal.Sealed, error)
	Open(ctx context.Context, subject string, sealed seal.Sealed) ([]byte, error)
	Forget(ctx context.Context, ids ...string) error
	ForgetAbout(ctx context.Context, match func(subject string) bool) error
	Holds(match func(subject string) bool) bool
}

// subject returns what an account is sealed about.
func subject(ref contract.Ref, erasures int64) string {
	return string(ref) + "/" + strconv.FormatInt(erasures, 10)
}

// older returns a match of the subjects that an erasure destroys, given how often the data of each
// contract was erased.
func older(erased map[contract.Ref]int64) func(subject string) bool {
	return func(subject string) bool {
		ref, text, _ := strings.Cut(subject, "/")
		erasures, err := strconv.ParseInt(text, 10, 64)
		return err == nil && erasures < erased[contract.Ref(ref)]
	}
}

// sealedAccount is an account as it is sealed, in JSON.
type sealedAccount struct {
	IBAN  string `json:"iban"`
	BIC   string `json:"bic,omitempty"`
	Owner string `json:"owner"`
}

// unsealed is why a decision that would be taken is not recorded yet: its account was not sealed
// since so many erasures.
type unsealed struct{ erasures int64 }

func (e *unsealed) Error() string {
	return fmt.Sprintf("the account is not sealed since erasure %d", e.erasures)
}

// sign decides the signature of a mandate. The account is sealed once it is known that the mandate
// would be accepted, so that repeated and refused requests leave no key behind.
func (s *Store) sign(ctx context.Context, req idempotency.Request, ref contract.Ref, account contract.Account, rule func(*ledger.View) (contract.Event, *contract.Contract, error)) (Outcome, error) {
	var (
		since  int64 = -1 // erasures when the account was sealed
		sealed seal.Sealed
		opts   []journal.Option
	)
	for {
		out, err := s.ledger.Decide(ctx, &req, journal.On(contracts.Stream(string(ref))), func(v *ledger.View) (contract.Event, error) {
			e, c, err := rule(v)
			if err == nil && c.Erasures != since {
				return nil, &unsealed{c.Erasures}
			}
			return e, err
		}, opts...)
		if sealed.KeyID != "" && inVain(out, err) {
			// the one that is not forgotten here is forgotten with the contract's personal data
			_ = s.keys.Forget(ctx, sealed.KeyID)
		}
		var missing *unsealed
		if !errors.As(err, &missing) {
			return out, err
		}
		since = missing.erasures
		if sealed, err = s.seal(ctx, subject(ref, since), account); err != nil {
			return Outcome{}, err
		}
		opts = []journal.Option{journal.WithSealed(journal.Sealed(sealed))}
	}
}

// inVain reports whether it is certain that a decision was not recorded by this call.
func inVain(out Outcome, err error) bool {
	return out.Replayed || err != nil && !errors.Is(err, journal.ErrUnknownOutcome)
}

func (s *Store) seal(ctx context.Context, subject string, a contract.Account) (seal.Sealed, error) {
	plain, err := json.Marshal(sealedAccount{a.Number(), a.BIC, a.Owner})
	if err != nil {
		return seal.Sealed{}, err
	}
	defer clear(plain)
	return s.keys.Seal(ctx, subject, plain)
}

// NoAccount is the error if the account of a contract cannot be read.
type NoAccount struct {
	Ref    contract.Ref
	Erased bool // it was there, and was erased
}

func (e *NoAccount) Error() string {
	if e.Erased {
		return fmt.Sprintf("the account of %s was erased", e.Ref)
	}
	return fmt.Sprintf("there is no account of %s", e.Ref)
}

// Account is the account of a mandate, and the position of the log that the answer belongs to.
type Account struct {
	contract.Account
	RUM      string
	Position int64
}

// Account returns the account of the mandate that was signed last. The error is
// contract.ErrUnknown, a *NoAccount, or wraps seal.ErrNotReady. An account whose keys were
// destroyed before the call, on whichever instance, is not returned.
func (s *Store) Account(ctx context.Context, ref contract.Ref) (Account, error) {
	var (
		c     *contract.Contract
		kept  effect.Account
		found bool
	)
	position := s.read(func() {
		c = s.model.Latest[ref].After
		kept, found = s.model.Accounts[ref]
	})
	switch {
	case c == nil:
		return Account{}, contract.ErrUnknown
	case !found:
		return Account{}, &NoAccount{ref, !c.ErasedAt.IsZero() && !c.Personal}
	}
	plain, err := s.keys.Open(ctx, subject(ref, kept.Erasures), seal.Sealed(kept.Sealed))
	if errors.Is(err, seal.ErrForgotten) { // by another instance
		return Account{}, &NoAccount{ref, true}
	}
	if err != nil {
		return Account{}, err
	}
	defer clear(plain)
	var a sealedAccount
	if err := json.Unmarshal(plain, &a); err != nil {
		return Account{}, fmt.Errorf("the sealed account of %s is not JSON", ref)
	}
	return Account{contract.Account{IBAN: a.IBAN, BIC: a.BIC, Owner: a.Owner}, kept.Mandate.RUM, position}, nil
}

// ForgetErased destroys the keys of all personal data that was erased. It returns when they were
// read back as gone, and then at what time; an error says that some may be left.
func (s *Store) ForgetErased(ctx context.Context) (time.Time, error) {
	if err := s.keys.ForgetAbout(ctx, older(s.erased())); err != nil {
		return time.Time{}, err
	}
	return s.now(), nil
}

// KeysToForget reports whether there are keys of personal data that was erased, as far as the log
// and the keys were read here.
func (s *Store) KeysToForget() bool {
	erased := s.erased()
	return len(erased) > 0 && s.keys.Holds(older(erased))
}

func (s *Store) erased() (erased map[contract.Ref]int64) {
	s.read(func() { erased = maps.Clone(s.model.Erased) })
	return erased
}
