// Package tidy has the rules for the shape of the repository: which package may import which, and
// how wide and long things may be. Its tests check the repository. No package imports it.
//
// The arrows of the project:
//
//	cmd -> service -> internal/{api,bus,store,effect} -> domain -> standard library
//	service, internal/{api,bus,store} -> services/internal/{ledger,journal,serve,...}
//	services/internal/{ledger,journal,...} -> gen -> tools/eventgen/runtime -> hamba/avro
package tidy

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Module is the path of the module. The rules name its packages without it.
const Module = "github.com/deferpay/deferpay"

// Arrow is an import: From imports To. Packages of the module are named relative to it.
type Arrow struct{ From, To string }

func (a Arrow) String() string { return a.From + " -> " + a.To }

// Rule refuses some imports.
type Rule struct {
	Name    string
	Why     string
	Refuses func(Arrow) bool
}

// Refusal is an import that a rule refuses.
type Refusal struct {
	Arrow Arrow
	Rule  Rule
}

func (r Refusal) String() string {
	return fmt.Sprintf("%s\n  %s: %s", r.Arrow, r.Rule.Name, r.Rule.Why)
}

// Check returns the refusals, in the order of the arrows.
func Check(rules []Rule, arrows []Arrow) []Refusal {
	var out []Refusal
	for _, a := range arrows {
		for _, r := range rules {
			if r.Refuses(a) {
				out = append(out, Refusal{a, r})
			}
		}
	}
	return out
}

// Rules returns the rules of the project.
func Rules() []Rule {
	return []Rule{
		{"domain", "the business rules are read, tested and replayed alone: they import the standard library only", func(a Arrow) bool {
			return isDomain(a.From) && !isStd(a.To)
		}},
		{"pure domain", "a decision is a pure function of states and a time: no files, no network, no randomness, no log", func(a Arrow) bool {
			return isDomain(a.From) && (under(a.To, "os", "net", "log", "syscall", "io", "database/sql", "math/rand", "crypto/rand", "sync", "context"))
		}},
		{"one hamba", "hamba/avro is no longer maintained and its decoder has known faults: avrobin/resolve alone imports it, for scalars, and checks what it reads", func(a Arrow) bool {
			return under(a.To, "github.com/hamba/avro") && a.From != "tools/eventgen/runtime/avrobin/resolve" && inModule(a.From)
		}},
		{"service internals", "a service is reached over HTTP and Kafka: nothing else imports its internal packages", func(a Arrow) bool {
			owner, inside := insideOf(a.To)
			return inside && !under(a.From, owner)
		}},
		{"services apart", "the two services share contracts, not code: they do not import each other", func(a Arrow) bool {
			from, to := serviceOf(a.From), serviceOf(a.To)
			return from != "" && to != "" && from != to
		}},
		{"layers", "cmd only starts the service; api, bus and store do not import what starts them; a store has neither HTTP nor messages", refusesLayer},
		{"HTTP without Kafka", "a request handler decides through the journal: it has no Kafka client and no message router", func(a Arrow) bool {
			return isLayer(a.From, "api") && (isKafkaClient(a.To) || under(a.To, "github.com/ThreeDotsLabs", "tools/eventgen/runtime/kafkabus"))
		}},
		{"journal", "the journal is generic: it knows no service, no message of theirs, nothing that they share, and no other Kafka client than kgo", refusesJournal},
		{"pure journal", "what decides on a log and applies it is a state machine that simulations drive: no Kafka client, no messages, no network, no files, no chance", func(a Arrow) bool {
			return under(a.From, "services/journal/record", "services/journal/states", "services/journal/internal/core") &&
				(isKafkaClient(a.To) || under(a.To, "github.com/ThreeDotsLabs", "os", "net", "log", "syscall", "math/rand", "crypto/rand", "context", "services/journal/internal/topic"))
		}},
		{"journal's face", "what is built on the journal imports it, and not the packages that it is made of", func(a Arrow) bool {
			return !under(a.From, "services/journal") && under(a.To, "services/journal/record", "services/journal/states")
		}},
		{"shared plumbing", "what both services share imports neither of them", func(a Arrow) bool {
			return under(a.From, "services/internal") && serviceOf(a.To) != ""
		}},
		{"gen", "generated code is thin: standard library, the runtimes it was generated for, Watermill, and its own kind", refusesGen},
		{"runtime", "users of the generator inherit what its runtime imports: no generated code, no service, and no second Kafka client but where Watermill is joined to it", func(a Arrow) bool {
			return under(a.From, "tools/eventgen/runtime") &&
				(under(a.To, "gen", "services", "github.com/twmb/avro") || a.From != "tools/eventgen/runtime/kafkabus" && under(a.To, "github.com/IBM/sarama") || under(a.To, "tools") && !under(a.To, "tools/eventgen/runtime"))
		}},
		{"stages", "the generator's stages point forward: each takes a value and returns a new one, and knows nothing of those after it", refusesStage},
		{"services and tools", "services run without the tools: of tools/ they import the generated code's runtime and nothing else", func(a Arrow) bool {
			return under(a.From, "services") && !isTestHelper(a.From) && under(a.To, "tools") && !under(a.To, "tools/eventgen/runtime")
		}},
		{"slow libraries", "the OpenAPI libraries take longer to compile than everything else together: only contracttest and contractdiff import them, which are modules of their own", func(a Arrow) bool {
			return under(a.To, "github.com/pb33f", "github.com/getkin", "github.com/oasdiff") && inModule(a.From) && !under(a.From, "tools/contracttest", "tools/contractdiff")
		}},
		{"tools and services", "a tool starts the services as processes, it does not link them", func(a Arrow) bool {
			return under(a.From, "tools") && serviceOf(a.To) != ""
		}},
		{"test equipment", "the fake broker and the independent Avro codec are for tools and tests; what runs in production does not link them", func(a Arrow) bool {
			return under(a.From, "services", "gen", "tools/eventgen") && !isTestHelper(a.From) &&
				under(a.To, "github.com/twmb/franz-go/pkg/kfake", "github.com/twmb/avro", "pgregory.net/rapid", "github.com/anishathalye/porcupine", "testing")
		}},
	}
}

// serviceOf returns "services/NAME" for a package of a service, and "" for any other, those that
// services share included.
func serviceOf(pkg string) string {
	parts := strings.Split(pkg, "/")
	if len(parts) < 2 || parts[0] != "services" || slices.Contains([]string{"internal", "journal", "cmd", "e2e"}, parts[1]) {
		return ""
	}
	return parts[0] + "/" + parts[1]
}

// insideOf reports whether a package of the module is internal, and to which one.
func insideOf(pkg string) (owner string, inside bool) {
	if !inModule(pkg) {
		return "", false
	}
	before, _, found := strings.Cut(pkg+"/", "/internal/")
	return before, found
}

// isDomain reports whether a package is a domain, such as services/billing/internal/billing, or
// below one.
func isDomain(pkg string) bool {
	s := serviceOf(pkg)
	return s != "" && under(pkg, s+"/internal/"+path.Base(s))
}

func isLayer(pkg, layer string) bool {
	s := serviceOf(pkg)
	return s != "" && under(pkg, s+"/internal/"+layer)
}

func refusesLayer(a Arrow) bool {
	s := serviceOf(a.From)
	if s == "" || !inModule(a.To) {
		return s != "" && under(a.From, s+"/cmd") && !isStd(a.To)
	}
	switch {
	case under(a.From, s+"/cmd"):
		return a.To != s && !under(a.To, "services/internal/settings", "services/internal/serve")
	case isLayer(a.From, "store"):
		return isLayer(a.To, "api") || isLayer(a.To, "bus") || under(a.To, "gen/contractapi", "gen/billingapi", "services/internal/problem", "services/internal/access")
	case isLayer(a.From, "bus"):
		return isLayer(a.To, "api")
	case isLayer(a.From, "api"):
		return isLayer(a.To, "bus")
	}
	return false
}

func refusesJournal(a Arrow) bool {
	if !under(a.From, "services/journal") {
		return false
	}
	switch {
	case under(a.To, "gen"):
		return a.To != "gen/journalrecord"
	case under(a.To, "services"):
		return !under(a.To, "services/journal")
	}
	return under(a.To, "github.com/IBM/sarama", "github.com/ThreeDotsLabs/watermill-kafka", "net/http", "github.com/ogen-go")
}

func refusesGen(a Arrow) bool {
	return under(a.From, "gen") && !isStd(a.To) && !under(a.To, "gen", "tools/eventgen/runtime", "github.com/ThreeDotsLabs/watermill",
		"github.com/ogen-go/ogen", "github.com/go-faster", "go.opentelemetry.io/otel", "github.com/google/uuid", "github.com/shopspring/decimal")
}

// stages are the stages of the generator, first to last. Those on one line have no order.
var stages = [][]string{
	{"tools/eventgen/diag", "tools/eventgen/gofile", "tools/eventgen/goname", "tools/eventgen/sample", "tools/eventgen/schemaformat"},
	{"tools/eventgen/source"},
	{"tools/eventgen/overlay", "tools/eventgen/reference"},
	{"tools/eventgen/avro", "tools/eventgen/jsonschema", "tools/eventgen/structure"},
	{"tools/eventgen/parse"},
	{"tools/eventgen/payload", "tools/eventgen/versions"},
	{"tools/eventgen/model"},
	{"tools/eventgen/emit", "tools/eventgen/starter"},
	{"tools/eventgen/generate", "tools/eventgen"},
}

func refusesStage(a Arrow) bool {
	from, to := stageOf(a.From), stageOf(a.To)
	return from >= 0 && to > from
}

func stageOf(pkg string) int {
	if under(pkg, "tools/eventgen/runtime") || pkg == "tools/eventgen" {
		return -1
	}
	return slices.IndexFunc(stages, func(s []string) bool { return under(pkg, s...) })
}

func isKafkaClient(pkg string) bool {
	return under(pkg, "github.com/twmb/franz-go", "github.com/IBM/sarama")
}

// isTestHelper reports whether only tests import a package, by its name.
func isTestHelper(pkg string) bool {
	return strings.HasSuffix(pkg, "test") || strings.HasSuffix(pkg, "sim") || under(pkg, "services/e2e", "services/bench")
}

// under reports whether a package is one of roots or below one.
func under(pkg string, roots ...string) bool {
	for _, root := range roots {
		if pkg == root || strings.HasPrefix(pkg, root+"/") {
			return true
		}
	}
	return false
}

func inModule(pkg string) bool {
	return under(pkg, "cmd", "gen", "services", "specs", "tools")
}

// isStd reports whether a package is in the standard library: the first element of any other path
// has a dot.
func isStd(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return !strings.Contains(first, ".") && !inModule(pkg)
}
