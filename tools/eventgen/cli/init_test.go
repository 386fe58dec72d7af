package cli

import (
	"bufio"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deferpay/deferpay/tools/devkafka/embedded"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/topics"
	"github.com/deferpay/deferpay/tools/fulltest"
)

// lightsDocument sends and receives messages of other kinds than the guide's document: JSON, an
// address with parameters, headers, an answer, no payload, and a channel without an address.
const lightsDocument = `asyncapi: 3.0.0
info: {title: Lights, version: 1.0.0}
channels:
  states:
    address: lights.{street}.states
    parameters: {street: {enum: [main, side]}}
    messages:
      Switched:
        headers: {type: object, required: [by, at, count], properties: {by: {type: string, minLength: 30}, at: {type: string, format: date-time}, count: {type: integer}}}
        payload: {type: object, required: [lamp], properties: {lamp: {type: string, pattern: '^L[0-9]{4}$'}, level: {type: integer, minimum: 5, maximum: 9}, tags: {type: array, minItems: 2, uniqueItems: true, items: {type: string}}}}
        bindings: {kafka: {key: {type: string, x-key-field: lamp}}}
  asks:
    address: lights.asks
    messages: {Ask: {payload: {type: object, properties: {lamp: {type: string}}}}, Ping: {headers: {type: object, required: [kind], properties: {kind: {const: ping}}}}}
  answers:
    address: lights.answers
    messages: {Answer: {payload: {type: boolean}}}
  free:
    messages: {Free: {payload: {type: string, examples: [hello]}}}
operations:
  switch: {action: send, channel: {$ref: '#/channels/states'}}
  onAsk: {action: receive, channel: {$ref: '#/channels/asks'}, messages: [{$ref: '#/channels/asks/messages/Ask'}], reply: {channel: {$ref: '#/channels/answers'}}}
  onPing: {action: receive, channel: {$ref: '#/channels/asks'}, messages: [{$ref: '#/channels/asks/messages/Ping'}]}
  onFree: {action: receive, channel: {$ref: '#/channels/free'}}
`

// inModule makes the current folder a module that uses this repository.
func inModule(t *testing.T) *guide {
	t.Helper()
	g := openGuide(t)
	write(t, "go.mod", "module example.com/shop\n\ngo 1.26.0\n")
	write(t, "go.work", "go 1.26.0\n\nuse (\n\t.\n\t"+g.repository+"\n)\n")
	return g
}

// started runs a program and calls see with each line that it prints, until see returns true. Then
// it interrupts the program, which has to end with status 0.
func started(t *testing.T, see func(line string) bool, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer watchdog.Stop()
	seen := false
	for lines := bufio.NewScanner(out); !seen && lines.Scan(); {
		seen = see(lines.Text())
	}
	if !seen {
		t.Error("the program ended before it printed what was expected")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil && seen {
		t.Error(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// all returns a function that reports whether every text was part of a line.
func all(texts ...string) func(line string) bool {
	left := slices.Clone(texts)
	return func(line string) bool {
		left = slices.DeleteFunc(left, func(text string) bool { return strings.Contains(line, text) })
		return len(left) == 0
	}
}

// TestInit begins programs for two documents. They pass go vet, and send and receive in memory and
// on a broker.
func TestInit(t *testing.T) {
	fulltest.Only(t, "it builds two programs")
	g := inModule(t)
	write(t, "api/asyncapi.yaml", g.block("yaml", "title: Shop"))
	write(t, "api/OrderPlaced.avsc", g.block("json", "OrderPlaced"))
	write(t, "lights/asyncapi.yaml", lightsDocument)
	for _, args := range [][]string{{"init", "api/asyncapi.yaml"}, {"init", "-out", "lights", "lights/asyncapi.yaml"}} {
		if status, stdout, stderr := run(args...); status != done {
			t.Fatalf("%v: status %d: %s%s", args, status, stdout, stderr)
		}
	}
	if out, err := exec.Command("go", "vet", "./...").CombinedOutput(); err != nil {
		t.Fatalf("go vet: %v\n%s", err, out)
	}
	if out, err := exec.Command("go", "build", "-o", "bin/", "./...").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	started(t, all("received Switched on lights.main.states", `{"lamp":"L1111","level":5,`, "received Ask on lights.asks", "received the answer to Ask: {", "received Ping", `received Free on onfree: "hello"`), filepath.Join("bin", "lights"))
	const received = `received OrderPlaced on shop.orders.v1: {"orderRef":"orderRef"`
	started(t, all("sent OrderPlaced", received), filepath.Join("bin", "shop"))

	k, err := embedded.Start(t.Context(), embedded.Config{Broker: "127.0.0.1:0", Registry: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	onBroker := strings.NewReplacer("127.0.0.1:9092", k.Broker, "http://127.0.0.1:8085", k.Registry, "asyncapi.yaml", "api/asyncapi.yaml").Replace(g.block("", "eventgen init asyncapi.yaml\ngo mod tidy\neventgen topics"))
	_, onBroker, _ = strings.Cut(onBroker, "go mod tidy\n")
	g.eventgen(onBroker)
	_, args, _ := strings.Cut(strings.TrimSpace(onBroker), "go run . ")
	started(t, all("sent OrderPlaced", received), filepath.Join("bin", "shop"), strings.Fields(args)...)
}

// TestInitKeepsFiles begins twice: the second call writes nothing, unless it is forced.
func TestInitKeepsFiles(t *testing.T) {
	folder(t)
	status, stdout, stderr := run("init", "specs/asyncapi.yaml")
	if status != fault || !strings.Contains(stderr, "is in no Go module\n  hint: run go mod init") || stdout != "" {
		t.Errorf("without a module: status %d: %s%s", status, stdout, stderr)
	}
	write(t, "go.mod", "module example.com/shop\n")
	if status, _, stderr := run("init", "-out", "cmd/t", "specs/asyncapi.yaml"); status != done {
		t.Fatalf("status %d: %s", status, stderr)
	}
	program, err := os.ReadFile("cmd/t/main.go")
	if err != nil || !strings.Contains(string(program), `"example.com/shop/cmd/t/gen/tbus"`) || !strings.Contains(string(program), "-import example.com/shop/cmd/t/gen ../../specs/asyncapi.yaml\n") {
		t.Errorf("%v: %s", err, program)
	}
	write(t, "cmd/t/main.go", "package main\n")
	before := listing(t, ".")
	status, _, stderr = run("init", "-out", "cmd/t", "-role", "client", "specs/asyncapi.yaml")
	if status != fault || !strings.Contains(stderr, "eventgen.yaml exists\n  hint: ") || listing(t, ".") != before {
		t.Errorf("status %d: %s\n%s", status, stderr, listing(t, "."))
	}
	write(t, "other/gen/tbus/own.go", "package tbus\n")
	if status, _, stderr = run("init", "-out", "other", "specs/asyncapi.yaml"); status != fault || !strings.Contains(stderr, "files that eventgen did not write") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if _, err := os.Stat("other/main.go"); err == nil {
		t.Error("the program was written although the packages were not")
	}
	if status, _, stderr := run("init", "-out", "cmd/t", "-force", "specs/asyncapi.yaml"); status != done {
		t.Errorf("status %d: %s", status, stderr)
	}
	if again, err := os.ReadFile("cmd/t/main.go"); err != nil || string(again) != string(program) {
		t.Errorf("%v: the program was not overwritten: %s", err, again)
	}
}

// TestInitSaysWhatIsAssumed begins with a document that leaves out the framing.
func TestInitSaysWhatIsAssumed(t *testing.T) {
	folder(t)
	write(t, "specs/asyncapi.yaml", strings.Replace(document, "        bindings: {kafka: {schemaIdPayloadEncoding: confluent}}\n", "", 1))
	write(t, "go.mod", "module example.com/shop\n")
	status, _, stderr := run("init", "specs/asyncapi.yaml")
	if status != done || !strings.Contains(stderr, "messages:\n          A:\n            framing: confluent") {
		t.Errorf("status %d: %s", status, stderr)
	}
	config, err := os.ReadFile("eventgen.yaml")
	if err != nil || !strings.Contains(string(config), "\"A\":\n    framing: none # nothing says it") {
		t.Errorf("%v: %s", err, config)
	}
	status, _, stderr = run("generate", "-check", "-config", "eventgen.yaml", "-role", "both", "-out", "gen", "-import", "example.com/shop/gen", "specs/asyncapi.yaml")
	if status != done || stderr != "" {
		t.Errorf("with the config: status %d: %s", status, stderr)
	}
}

func TestExplainJSON(t *testing.T) {
	folder(t)
	write(t, "specs/shop.asyncapi.yaml", explainedDocument)
	status, stdout, stderr := run("explain", "-json", "specs/shop.asyncapi.yaml")
	var got []explained
	if err := json.Unmarshal([]byte(stdout), &got); status != done || err != nil || len(got) != 1 || len(got[0].Operations) != 4 {
		t.Fatalf("status %d, %v: %s%s", status, err, stdout, stderr)
	}
	for i, want := range []explainedOperation{
		{Name: "sendA", Verb: "sends", Topic: "as.v1"},
		{Name: "askB", Verb: "asks", Topic: "bs.{id}"},
		{Name: "onA", Verb: "receives", Topic: "as.v1", DeadLetters: "dead.v1", Apart: "by its topic, which has no other"},
	} {
		have := got[0].Operations[i]
		if have.Name != want.Name || have.Verb != want.Verb || have.Topic != want.Topic || have.DeadLetters != want.DeadLetters || have.Apart != want.Apart {
			t.Errorf("got %+v, want %+v", have, want)
		}
	}
	a := explainedMessage{Name: "A", Type: "event.A", Framing: "confluent", Subject: "as.v1-value", Key: "Ref", KeyField: "ref"}
	if have := got[0].Operations[1]; len(have.Answers) != 1 || have.Answers[0] != a || have.Messages[0].Framing != "none" {
		t.Errorf("got %+v", have)
	}
	if topics := got[0].Topics; len(topics) != 2 || topics[0].Name != "as.v1" || topics[0].Partitions != 2 || topics[0].Configs[0] != (explainedSetting{"retention.ms", "-1"}) {
		t.Errorf("got %+v", topics)
	}
}

// TestReplicas sets the replicas of all topics. None requires more of them in sync.
func TestReplicas(t *testing.T) {
	said := []topics.Topic{
		{Name: "a", Replicas: 3, Configs: []topics.Config{{Name: "min.insync.replicas", Value: "2"}, {Name: "retention.ms", Value: "5"}}},
		{Name: "b"},
	}
	if got := replicated(slices.Clone(said), 0); !reflect.DeepEqual(got, said) {
		t.Errorf("got %v", got)
	}
	for n, insync := range map[int]string{1: "1", 2: "2", 5: "2"} {
		got := replicated(slices.Clone(said), n)
		if got[0].Replicas != int16(n) || got[1].Replicas != int16(n) || got[0].Configs[0].Value != insync || got[0].Configs[1].Value != "5" {
			t.Errorf("%d: got %v", n, got)
		}
	}
	if said[0].Configs[0].Value != "2" {
		t.Error("the declared topics were changed")
	}
	folder(t)
	if status, _, stderr := run("topics", "apply", "-brokers", "127.0.0.1:1", "-replicas", "-1", "specs/asyncapi.yaml"); status != usage || !strings.Contains(stderr, "-replicas is a number of brokers, not -1") {
		t.Errorf("status %d: %s", status, stderr)
	}
}
