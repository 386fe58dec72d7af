package record

import (
	"testing"

	"github.com/deferpay/deferpay/gen/journalrecord"
)

// The bodies of operators' records are frozen, as the envelope is: every reader has to decode them.
func TestOperatorsBodiesAreFrozen(t *testing.T) {
	for name, got := range map[string]uint64{
		"RecordVoided": journalrecord.FingerprintOfRecordVoided, "StreamReleased": journalrecord.FingerprintOfStreamReleased,
		"StreamsForgotten": journalrecord.FingerprintOfStreamsForgotten,
	} {
		want := map[string]uint64{"RecordVoided": 0x0880b2bd49a202b3, "StreamReleased": 0x33d8564a73a15cf1, "StreamsForgotten": 0xe311c888c94fc8d2}
		if want := want[name]; got != want {
			t.Errorf("the schema of %s has changed: its fingerprint is %#x, was %#x", name, got, want)
		}
	}
}

func TestOperatorsRoundTrip(t *testing.T) {
	v := Voiding{Offset: 7, Digest: DigestOf([]byte("garbage")), Reason: "a script"}
	e, err := v.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Voiding(); err != nil || got != v {
		t.Errorf("%+v came back as %+v (%v)", v, got, err)
	}
	r := Releasing{Stream: "contract/CTR-7", Attempt: Attempt{1}, Reason: "mended"}
	if e, err = r.Envelope(); err != nil {
		t.Fatal(err)
	}
	if got, err := e.Releasing(); err != nil || got != r {
		t.Errorf("%+v came back as %+v (%v)", r, got, err)
	}
	f := Forgetting{Prefix: "key/", Before: 1_700_000_000_000_001}
	of, err := f.Envelope()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := of.Forgetting(); err != nil || got != f {
		t.Errorf("%+v came back as %+v (%v)", f, got, err)
	}
	if _, err := e.Voiding(); err == nil {
		t.Error("a release was decoded as a voiding")
	}
}
