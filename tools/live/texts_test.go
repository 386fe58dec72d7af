package live

import "testing"

func TestFrenchStory(t *testing.T) {
	if _, err := Texts(); err != nil {
		t.Fatal(err)
	}
}
