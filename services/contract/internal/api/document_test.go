package api_test

import (
	"encoding/json"
	"os"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/deferpay/deferpay/gen/contractapi"
	"github.com/deferpay/deferpay/services/contract/internal/api"
	"github.com/deferpay/deferpay/services/internal/problem/problemtest"
)

type (
	document struct {
		Paths      map[string]map[string]yaml.Node
		Components struct {
			Responses map[string]response
			Examples  map[string]example
		}
	}
	operation struct {
		OperationID string   `yaml:"operationId"`
		RequestBody response `yaml:"requestBody"`
		Responses   map[string]response
	}
	response struct {
		Ref     string `yaml:"$ref"`
		Content map[string]struct {
			Schema struct {
				Ref string `yaml:"$ref"`
			}
			Examples map[string]example
		}
	}
	example struct {
		Ref   string `yaml:"$ref"`
		Value any
	}
)

const openAPI = "../../../../specs/contract/openapi.yaml"

// value is what a schema of the document generates.
type value interface {
	UnmarshalJSON([]byte) error
	MarshalJSON() ([]byte, error)
	Validate() error
}

// newValue makes what the schema generates.
func newValue(schema string) value {
	switch schema {
	case "NewContract":
		return &contractapi.NewContract{}
	case "ContractChange":
		return &contractapi.ContractChange{}
	case "SignedMandate":
		return &contractapi.SignedMandate{}
	case "RepublishContract":
		return &contractapi.RepublishContract{}
	case "Contract":
		return &contractapi.Contract{}
	case "ContractPage":
		return &contractapi.ContractPage{}
	case "MandateAccount":
		return &contractapi.MandateAccount{}
	case "PersonalDataErasure":
		return &contractapi.PersonalDataErasure{}
	case "Republication":
		return &contractapi.Republication{}
	case "Problem":
		return &contractapi.Problem{}
	}
	return nil
}

func readDocument(t *testing.T) (document, map[string]operation) {
	t.Helper()
	data, err := os.ReadFile(openAPI)
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := yaml.Unmarshal(data, &d); err != nil {
		t.Fatal(err)
	}
	operations := map[string]operation{}
	for path, item := range d.Paths {
		for method, node := range item {
			if method == "parameters" {
				continue
			}
			var o operation
			if err := node.Decode(&o); err != nil {
				t.Fatalf("%s %s: %v", method, path, err)
			}
			operations[o.OperationID] = o
		}
	}
	return d, operations
}

// Every body in the document has an example, and the service would read or write each of them.
func TestExamplesOfTheDocumentAreGood(t *testing.T) {
	d, operations := readDocument(t)
	used := map[string]bool{}
	check := func(where string, r response) {
		for _, media := range r.Content {
			schema := media.Schema.Ref[len("#/components/schemas/"):]
			if len(media.Examples) == 0 {
				t.Errorf("%s has no example", where)
			}
			for name, e := range media.Examples {
				if e.Ref != "" {
					key := e.Ref[len("#/components/examples/"):]
					used[key] = true
					e = d.Components.Examples[key]
				}
				if err := roundTrip(schema, e.Value); err != nil {
					t.Errorf("%s, example %s: %v", where, name, err)
				}
			}
		}
	}
	for name, o := range operations {
		if o.RequestBody.Content != nil {
			check(name+" request", o.RequestBody)
		}
		for status, r := range o.Responses {
			if r.Ref == "" {
				check(name+" "+status, r)
			}
		}
	}
	for name, r := range d.Components.Responses {
		check(name, r)
	}
	for name := range d.Components.Examples {
		if !used[name] {
			t.Errorf("example %s is nowhere used", name)
		}
	}
	if len(operations) != 9 {
		t.Errorf("%d operations", len(operations))
	}
}

func roundTrip(schema string, example any) error {
	data, err := json.Marshal(example)
	if err != nil {
		return err
	}
	v := newValue(schema)
	if err := v.UnmarshalJSON(data); err != nil {
		return err
	}
	return v.Validate()
}

func TestProblemsOfTheDocumentAreOurs(t *testing.T) {
	problemtest.Open(t, openAPI).Check(t, api.Codes()...)
}
