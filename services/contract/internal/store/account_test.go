package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/services/contract/internal/contract"
	"github.com/deferpay/deferpay/services/internal/idempotency"
	"github.com/deferpay/deferpay/services/internal/seal"
	"github.com/deferpay/deferpay/services/internal/waittest"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
)

const patience = 20 * time.Second

var (
	subscribe = contract.Subscribe{
		CustomerRef: "CE-ACME", SellerRef: "AG-1", Ceiling: contract.Money{Amount: 1, Currency: "EUR"}, ValidFrom: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Buyer: contract.Company{LegalName: "CSE ACME", SIREN: "732829320", VATNumber: "FR44732829320", BillingAddress: contract.Address{Line1: "1", PostalCode: "75002", City: "Paris", Country: "FR"}},
	}
	account = contract.Account{IBAN: "FR76 3000 6000 0112 3456 7890 189", BIC: "AGRIFRPP", Owner: "Jeanne Durand"}
)

// broker is an embedded broker with the topics of the service.
type broker struct {
	t     *testing.T
	addrs []string
	names int
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	b := &broker{t: t, addrs: cluster.ListenAddrs()}
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addrs...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := topics.Apply(t.Context(), client, contractinternal.Topics()); err != nil {
		t.Fatal(err)
	}
	return b
}

// keyring is the ring of a store, with a step before a sealed value is returned.
type keyring struct {
	*seal.Ring
	sealing func()
}

func (k *keyring) Seal(ctx context.Context, subject string, plaintext []byte) (seal.Sealed, error) {
	s, err := k.Ring.Seal(ctx, subject, plaintext)
	if step := k.sealing; step != nil {
		k.sealing = nil
		step()
	}
	return s, err
}

// instance is a store that is ready, and what it keeps its keys in.
type instance struct {
	*Store
	b    *broker
	keys *keyring
}

func (b *broker) instance() *instance {
	b.t.Helper()
	b.names++
	s, err := New(Config{Writer: fmt.Sprint("contract-", b.names), ClientOptions: []kgo.Opt{kgo.SeedBrokers(b.addrs...)}, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.t.Fatal(err)
	}
	i := &instance{s, b, &keyring{Ring: s.keys.(*seal.Ring)}}
	s.keys = i.keys
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	b.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			b.t.Error(err)
		}
	})
	waittest.Nil(b.t, patience, "the store is ready", s.Ready)
	waittest.Nil(b.t, patience, "the keys are read", i.keys.Ready)
	return i
}

var requests int

// request returns a request with a key of its own.
func request() idempotency.Request {
	requests++
	return idempotency.Request{Client: "c", Key: fmt.Sprint("k-", requests), Operation: "op", Hash: []byte("0123456789abcdef0123456789abcdef")}
}

func always(*contract.Contract) error { return nil }

// opened opens a contract.
func (i *instance) opened() contract.Ref {
	i.b.t.Helper()
	out, err := i.Create(i.b.t.Context(), request(), subscribe)
	if err != nil {
		i.b.t.Fatal(err)
	}
	return out.Answer.Ref
}

// sign signs a mandate, with a reference of its own.
func (i *instance) signed(ref contract.Ref, req idempotency.Request, when func(*contract.Contract) error) error {
	_, err := i.Change(i.b.t.Context(), req, ref, when, contract.SignMandate{
		RUM: "RUM-" + req.Key, ICS: "FR72ZZZ123456", Scheme: contract.B2B, SignedAt: time.Now().Add(-time.Hour), Account: account,
	})
	return err
}

func (i *instance) sign(ref contract.Ref) {
	i.b.t.Helper()
	if err := i.signed(ref, request(), always); err != nil {
		i.b.t.Fatal(err)
	}
}

// erase records an erasure, and destroys no key.
func (i *instance) erase(ref contract.Ref) Outcome {
	i.b.t.Helper()
	out, err := i.Change(i.b.t.Context(), request(), ref, always, contract.ErasePersonalData{})
	if err != nil {
		i.b.t.Fatal(err)
	}
	return out
}

func (i *instance) forget() {
	i.b.t.Helper()
	if at, err := i.ForgetErased(i.b.t.Context()); err != nil || time.Since(at) > patience {
		i.b.t.Fatal(at, err)
	}
}

// hasAccount fails the test unless the account is read, on an instance that is up to date.
func (i *instance) hasAccount(ref contract.Ref, rum string) {
	i.b.t.Helper()
	i.current()
	want := contract.Account{IBAN: account.Number(), BIC: account.BIC, Owner: account.Owner}
	if a, err := i.Account(i.b.t.Context(), ref); err != nil || a.Account != want || rum != "" && a.RUM != rum {
		i.b.t.Errorf("account %q of %s, %v", a.Number(), a.RUM, err)
	}
}

func (i *instance) hasNone(ref contract.Ref, erased bool) {
	i.b.t.Helper()
	var none *NoAccount
	if a, err := i.Account(i.b.t.Context(), ref); a != (Account{}) || !errors.As(err, &none) || none.Erased != erased {
		i.b.t.Errorf("account %q, %v; want none, erased %t", a.Number(), err, erased)
	}
}

func (i *instance) current() {
	i.b.t.Helper()
	if err := i.Barrier(i.b.t.Context()); err != nil {
		i.b.t.Fatal(err)
	}
}

// hasKeys fails the test unless so many keys are on the topic.
func (i *instance) hasKeys(want int) {
	i.b.t.Helper()
	// reads to the end
	if err := i.keys.ForgetAbout(i.b.t.Context(), func(string) bool { return false }); err != nil {
		i.b.t.Fatal(err)
	}
	if n := i.keys.Len(); n != want {
		i.b.t.Errorf("%d keys, want %d", n, want)
	}
}

func TestAccountIsKept(t *testing.T) {
	b := newBroker(t)
	one, two := b.instance(), b.instance()
	ref := one.opened()
	one.hasNone(ref, false)
	if _, err := one.Account(t.Context(), "CTR-99"); !errors.Is(err, contract.ErrUnknown) {
		t.Error(err)
	}
	first := request()
	if err := one.signed(ref, first, always); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second is a repetition
		if err := two.signed(ref, first, always); err != nil {
			t.Fatal(err)
		}
	}
	two.hasAccount(ref, "RUM-"+first.Key)
	one.hasKeys(1)
	second := request()
	if err := two.signed(ref, second, always); err != nil {
		t.Fatal(err)
	}
	for _, i := range []*instance{one, two, b.instance()} {
		i.hasAccount(ref, "RUM-"+second.Key)
	}
}

func TestErasureReachesEveryInstance(t *testing.T) {
	b := newBroker(t)
	one, two := b.instance(), b.instance()
	ref, other := one.opened(), one.opened()
	one.sign(ref)
	one.sign(ref)
	one.sign(other)
	two.hasAccount(ref, "")
	first := one.erase(ref)
	one.forget()
	two.hasNone(ref, true)
	one.hasKeys(1)
	two.current()
	if again := two.erase(ref); !again.NoEffect || !again.Answer.ErasedAt.Equal(first.Answer.ErasedAt) || again.Answer.Version != first.Answer.Version {
		t.Errorf("first %+v\nagain %+v", first, again)
	}
	two.sign(ref)
	if two.forget(); two.KeysToForget() {
		t.Error("there are keys left to forget")
	}
	for _, i := range []*instance{one, two, b.instance()} {
		i.hasAccount(ref, "") // of the mandate signed after the erasure
		i.hasAccount(other, "")
	}
	if later := one.erase(ref); later.NoEffect || !later.Answer.ErasedAt.After(first.Answer.ErasedAt) {
		t.Errorf("the later one: %+v", later)
	}
	one.forget()
	two.hasKeys(1)
}

// The instance that records the erasure ends before it destroys a key.
func TestErasureInterrupted(t *testing.T) {
	b := newBroker(t)
	one := b.instance()
	ref := one.opened()
	one.sign(ref)
	one.erase(ref)
	one.hasNone(ref, true)
	two := b.instance()
	two.hasNone(ref, true)
	if !two.KeysToForget() {
		t.Fatal("nothing to forget")
	}
	two.forget()
	one.hasKeys(0)
	if two.KeysToForget() {
		t.Error("still to forget")
	}
}

// What was sealed for a record that had no effect is in the log all the same.
func TestErasureForgetsWhatNoStateLists(t *testing.T) {
	b := newBroker(t)
	one := b.instance()
	ref := one.opened()
	for _, erasures := range []int64{0, 0} {
		if _, err := one.keys.Seal(t.Context(), subject(ref, erasures), []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := one.keys.Seal(t.Context(), subject(ref+"0", 0), []byte("{}")); err != nil {
		t.Fatal(err)
	}
	one.hasKeys(3)
	one.erase(ref)
	one.forget()
	one.hasKeys(1)
}

// An erasure comes between the sealing of an account and the decision.
func TestAccountSealedAgainAfterErasure(t *testing.T) {
	b := newBroker(t)
	one, two := b.instance(), b.instance()
	ref := one.opened()
	one.sign(ref)
	one.keys.sealing = func() { two.erase(ref); two.forget() }
	one.sign(ref)
	one.forget()
	two.hasAccount(ref, "")
	two.hasKeys(1)
}

func TestKeySealedInVain(t *testing.T) {
	b := newBroker(t)
	one, two := b.instance(), b.instance()
	ref := one.opened()
	first := func(c *contract.Contract) error {
		if c.Version != 1 {
			return errors.New("changed")
		}
		return nil
	}
	one.keys.sealing = func() { two.sign(ref) }
	if err := one.signed(ref, request(), first); err == nil {
		t.Fatal("signed on another version")
	}
	two.hasKeys(1)
	two.hasAccount(ref, "")
	req := request()
	one.keys.sealing = func() {
		if err := two.signed(ref, req, always); err != nil {
			t.Error(err)
		}
	}
	if err := one.signed(ref, req, always); err != nil { // the other instance was first
		t.Fatal(err)
	}
	two.hasKeys(2)
	two.hasAccount(ref, "RUM-"+req.Key)
}

func TestErasureIsNoFact(t *testing.T) {
	b := newBroker(t)
	one := b.instance()
	ref := one.opened()
	one.sign(ref)
	before, _ := one.Latest(ref)
	one.erase(ref)
	after, _ := one.Latest(ref)
	if before.Attempt != after.Attempt || after.After.Version != before.After.Version || !after.After.UpdatedAt.Equal(before.After.UpdatedAt) {
		t.Errorf("before %+v\nafter %+v", before, after)
	}
	if refs := one.Refs(); !slices.Equal(refs, []contract.Ref{ref}) {
		t.Error(refs)
	}
}
