package bus

import (
	"strings"
	"testing"
)

func TestAddress(t *testing.T) {
	a := Address{Template: "/rooms/{room}/{kind}", Params: []Param{{Name: "room"}, {Name: "kind", Enum: []string{"chat", "events"}, Default: "chat"}}}
	for _, c := range []struct{ room, kind, want string }{
		{"r1", "events", "/rooms/r1/events"}, {"r1", "", "/rooms/r1/chat"}, {"", "chat", ""}, {"r1", "other", ""}, {"{kind}", "chat", "/rooms/{kind}/chat"},
	} {
		got, err := a.Topic(c.room, c.kind)
		if got != c.want || (err != nil) != (c.want == "") || err != nil && !IsPermanent(err) {
			t.Errorf("%s %s: got %q, %v", c.room, c.kind, got, err)
		}
	}
	for topic, want := range map[string]string{"/rooms/r1/events": "r1 events", "/rooms//events": "", "/rooms/r1/other": "", "/rooms/r1": "", "/rooms/r1/events/": "", "rooms/r1/chat": ""} {
		got, err := a.Parse(topic)
		if strings.Join(got, " ") != want || (err != nil) != (want == "") {
			t.Errorf("%s: got %q, %v", topic, got, err)
		}
	}
	twice := Address{Template: "{a}.{b}.{a}", Params: []Param{{Name: "a"}, {Name: "b"}}}
	if got, err := twice.Parse("x.y.x"); err != nil || strings.Join(got, "") != "xy" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := twice.Parse("x.y.z"); err == nil {
		t.Errorf("one parameter with two values: %q", got)
	}
}
