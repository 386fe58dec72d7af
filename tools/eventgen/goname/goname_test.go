package goname

import "testing"

func TestExported(t *testing.T) {
	for name, want := range map[string]string{
		"contractRef": "ContractRef", "vatNumber": "VATNumber", "DIRECT_DEBIT": "DirectDebit", "user-ids": "UserIDs", "HTTPServer_v2": "HTTPServerV2",
		"2nd": "X2nd", "": "X", "été": "Été", "漢字": "X漢字", "a.b/c d": "ABCD",
	} {
		if got := Exported(name); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

func TestUnexported(t *testing.T) {
	for name, want := range map[string]string{"HTTPServer": "httpServer", "Order": "order", "Type": "type_", "Len": "len_", "ID": "id"} {
		if got := Unexported(name); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
	}
}

func TestScopeTakesNamesOnce(t *testing.T) {
	s := Scope{}
	for _, want := range []string{"Order", "OrderPayload", "OrderPayload2", "OrderPayload3"} {
		if got := s.Take("Order", "OrderPayload"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
