package model

import (
	"testing"

	"github.com/deferpay/deferpay/tools/eventgen/parse"
)

func TestTakeWith(t *testing.T) {
	s := scope{"VisitLog": true}
	if got := s.takeWith("Log", "Visit%s"); got != "Log2" {
		t.Errorf("with VisitLog taken, Log becomes %s, not Log2", got)
	}
	for _, name := range []string{"Log2", "VisitLog2"} {
		if got := s.take(name); got == name {
			t.Errorf("%s was free after takeWith", name)
		}
	}
	if got := s.takeWith("Page", "Visit%s"); got != "Page" {
		t.Errorf("with nothing taken, Page becomes %s", got)
	}
}

func TestPackageName(t *testing.T) {
	for _, c := range []struct {
		doc  parse.Document
		want string
	}{
		{parse.Document{File: "specs/orders.asyncapi.yaml", Title: "Shop"}, "ordersbus"},
		{parse.Document{File: "specs/asyncapi-v3.yml", Title: "Shop API"}, "shopapibus"},
		{parse.Document{File: "asyncapi.2.yaml", Title: "Shop"}, "shopbus"},
		{parse.Document{File: "asyncapi.yaml"}, "eventsbus"},
		{parse.Document{File: "orders.yaml", GoPackage: "buying"}, "buying"},
	} {
		if got := packageName(&c.doc); got != c.want {
			t.Errorf("%s, %q becomes package %s, not %s", c.doc.File, c.doc.Title, got, c.want)
		}
	}
}
