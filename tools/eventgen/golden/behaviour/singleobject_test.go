package behaviour

import (
	"errors"
	"strings"
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/golden/gen/foreign"
	"github.com/deferpay/deferpay/tools/eventgen/golden/gen/storeinternal"
	"github.com/deferpay/deferpay/tools/eventgen/golden/gen/storelog"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/singleobject"
)

func TestSingleObject(t *testing.T) {
	for _, m := range []storeinternal.Log{&storelog.Stored{Article: "A-1"}, &storelog.Taken{Article: "A-2"}} {
		b, err := storeinternal.EncodeLog(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := storeinternal.DecodeLog(b)
		if err != nil {
			t.Fatal(err)
		}
		if storeinternal.KindOfLog(got) != storeinternal.KindOfLog(m) {
			t.Errorf("%T was decoded as %T", m, got)
		}
		for i := range b {
			if got, err := storeinternal.DecodeLog(b[:i]); err == nil {
				t.Errorf("%d of %d bytes decode as %v", i, len(b), got)
			}
		}
	}
	if k := storeinternal.KindOfLog(&storelog.Taken{}); k != "Taken" {
		t.Errorf("kind %s", k)
	}
	b, err := storeinternal.EncodeMixed(&foreign.Foreign{Size: 3})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := storeinternal.DecodeMixed(b); err != nil || got.(*foreign.Foreign).Size != 3 {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := storeinternal.DecodeLog(b); !errors.Is(err, singleobject.ErrUnknown) || got != nil {
		t.Errorf("a message of another channel: got %v, %v", got, err)
	}
	if _, err := storeinternal.DecodePosition(b); err == nil || !strings.Contains(err.Error(), "shop.storelog.Position") {
		t.Errorf("got %v", err)
	}
	if storeinternal.ExampleStored().Article != "A-1" {
		t.Error("the example is not that of the document")
	}
	if ts := storeinternal.Topics(); len(ts) != 2 || ts[0].Name != "store.log.v1" || ts[0].Configs[0].Value != "-1" {
		t.Errorf("topics %v", ts)
	}
}

// kinds is a visitor that returns the name of the method called.
type kinds struct{}

func (kinds) Stored(m *storelog.Stored) (string, error) { return "Stored " + m.Article, nil }

func (kinds) Taken(*storelog.Taken) (string, error) { return "Taken", errors.New("out of stock") }

func (kinds) Foreign(*foreign.Foreign) (string, error) { return "Foreign", nil }

// stranger has the exported marker of a channel whose messages lie in several packages.
type stranger struct{ storeinternal.Mixed }

func TestVisitor(t *testing.T) {
	got, err := storeinternal.VisitLog(&storelog.Stored{Article: "A-1"}, kinds{})
	if got != "Stored A-1" || err != nil {
		t.Errorf("Stored: got %q, %v", got, err)
	}
	if got, err := storeinternal.VisitLog(&storelog.Taken{}, kinds{}); got != "Taken" || err == nil || err.Error() != "out of stock" {
		t.Errorf("Taken: got %q, %v", got, err)
	}
	if got, err := storeinternal.VisitLog(nil, kinds{}); got != "" || !errors.Is(err, singleobject.ErrUnknown) {
		t.Errorf("nil: got %q, %v", got, err)
	}
	if got, err := storeinternal.VisitMixed(stranger{}, kinds{}); got != "" || !errors.Is(err, singleobject.ErrUnknown) {
		t.Errorf("another type: got %q, %v", got, err)
	}
}

func TestMessagesOfChannel(t *testing.T) {
	var got []string
	for _, m := range storeinternal.MixedMessages() {
		name, err := storeinternal.VisitMixed(m, kinds{})
		if err != nil {
			t.Error(err)
		}
		if kind := storeinternal.KindOfMixed(m); strings.TrimSpace(name) != kind {
			t.Errorf("%s: the visitor's method is %s", kind, name)
		}
		got = append(got, storeinternal.KindOfMixed(m))
	}
	if strings.Join(got, " ") != "Stored Foreign" {
		t.Errorf("the messages of the channel are %v", got)
	}
}
