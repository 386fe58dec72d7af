package schema

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/deferpay/deferpay/tools/eventgen/diag"
	"github.com/deferpay/deferpay/tools/eventgen/reference"
	"github.com/deferpay/deferpay/tools/eventgen/source"
)

// TestTagsOfMapping maps several names to one alternative of two, which share the enum of the
// discriminator.
func TestTagsOfMapping(t *testing.T) {
	for mapping, want := range map[string][]string{
		"{cat: '#/Cat', kitty: '#/Cat', DOG: '#/Dog'}": {"CAT", "KITTY"},
		"{CAT: '#/Cat', kitty: '#/Cat', DOG: '#/Dog'}": {"CAT", "KITTY"},
		"{KITTY: '#/Cat', DOG: '#/Dog'}":               {"KITTY"},
		"{cat: '#/Cat', DOG: '#/Dog'}":                 {"CAT"},
		"{}":                                           {"CAT"},
	} {
		text := "{discriminator: {propertyName: kind, mapping: " + mapping + "}, oneOf: [{$ref: '#/Cat'}, {$ref: '#/Dog'}],\n" +
			"Cat: {properties: {kind: {enum: [CAT, KITTY, DOG]}}}, Dog: {properties: {kind: {enum: [CAT, KITTY, DOG]}}}}"
		n, faults := source.Parse("s.yaml", []byte(text))
		if faults.HasErrors() {
			t.Fatal(faults)
		}
		files := reference.New(fstest.MapFS{"s.yaml": {Data: []byte(text)}}, nil, &diag.List{})
		s := NewLoader(files.Deref, nil).Root(n, "")
		if got := s.Tags("oneOf"); len(got) != 2 || !slices.Equal(got[0], want) || !slices.Equal(got[1], []string{"DOG"}) {
			t.Errorf("%s: %v, want %v", mapping, got, want)
		}
	}
}
