//go:build full

package foreign_test

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/demo/story"
	"github.com/deferpay/deferpay/tools/devkafka/embedded"
	"github.com/deferpay/deferpay/tools/foreign"
	"github.com/deferpay/deferpay/tools/process"
)

var fences = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// blockOf returns the first block of a language in a document that contains a text.
func blockOf(t *testing.T, document, language, with string) string {
	t.Helper()
	for _, m := range fences.FindAllStringSubmatch(document, -1) {
		if m[1] == language && strings.Contains(m[2], with) {
			return m[2]
		}
	}
	t.Fatalf("the guide has no block of %q with %q", language, with)
	return ""
}

// newcomer is somebody who follows the guide of eventgen in an empty folder.
type newcomer struct {
	t        *testing.T
	root     string // of the checkout
	folder   string
	commands *strings.Replacer
}

// do runs the commands of a block, one after the other. It returns the arguments of the one that
// runs the program, which it does not run.
func (n *newcomer) do(block string) (program []string) {
	n.t.Helper()
	for line := range strings.Lines(n.commands.Replace(block)) {
		if args, ok := strings.CutPrefix(strings.TrimSpace(line), "go run . "); ok {
			return strings.Fields(args)
		}
		began := time.Now()
		cmd := exec.CommandContext(n.t.Context(), "sh", "-c", line)
		cmd.Dir = n.folder
		cmd.Env = append(os.Environ(), "PATH="+filepath.Join(n.folder, "bin")+":"+os.Getenv("PATH"), "GOWORK=off", "GOFLAGS="+os.Getenv("GOFLAGS")+" -mod=mod")
		out, err := cmd.CombinedOutput()
		if err != nil {
			n.t.Fatalf("%s: %v\n%s", line, err, out)
		}
		n.t.Logf("%5.1f s  %s", time.Since(began).Seconds(), strings.TrimSpace(line))
	}
	return nil
}

// runs runs the program until it has printed each text, and interrupts it.
func (n *newcomer) runs(program []string, texts ...string) {
	n.t.Helper()
	n.do("go build -o bin/shop .")
	cmd := exec.CommandContext(n.t.Context(), filepath.Join(n.folder, "bin", "shop"), program...)
	cmd.Stderr = n.t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	watchdog := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer watchdog.Stop()
	for lines := bufio.NewScanner(out); len(texts) > 0 && lines.Scan(); {
		n.t.Log(lines.Text())
		texts = slices.DeleteFunc(texts, func(text string) bool { return strings.Contains(lines.Text(), text) })
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		n.t.Error(err)
	}
	if err := cmd.Wait(); err != nil || len(texts) > 0 {
		n.t.Errorf("the program ended with %v, and did not print %q", err, texts)
	}
}

// TestGuide follows the guide of eventgen on a broker, command by command, with a document that
// leaves out the framing: only its server says that the registry is Confluent's. Then confluent-
// kafka reads what the program wrote.
func TestGuide(t *testing.T) {
	if !*asked {
		t.Skip("run `make foreign-test`")
	}
	clients, err := foreign.Open()
	if err != nil {
		t.Fatal(err)
	}
	var o story.Options
	startEngines(t, &o)
	if len(o.Brokers) == 0 {
		k, err := embedded.Start(t.Context(), embedded.Config{Broker: "127.0.0.1:0", Registry: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		o.Brokers, o.Registry = []string{k.Broker}, k.Registry
	}
	n := arrive(t, o)
	text, err := os.ReadFile(filepath.Join(n.root, "docs", "eventgen.md"))
	if err != nil {
		t.Fatal(err)
	}
	guide := string(text)
	document := blockOf(t, guide, "yaml", "title: Shop")
	for _, said := range []string{"            schemaIdLocation: payload\n", "            schemaIdPayloadEncoding: confluent\n"} {
		if !strings.Contains(document, said) {
			t.Fatalf("the guide's document has no %q", said)
		}
		document = strings.Replace(document, said, "", 1)
	}
	document += "servers: {kafka: {host: 'localhost:9092', protocol: kafka, bindings: {kafka: {schemaRegistryVendor: confluent}}}}\n"
	for name, content := range map[string]string{"asyncapi.yaml": document, "OrderPlaced.avsc": blockOf(t, guide, "json", "OrderPlaced")} {
		if err := os.WriteFile(filepath.Join(n.folder, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	n.do(blockOf(t, guide, "", "go mod init"))
	program := n.do(blockOf(t, guide, "", "eventgen init asyncapi.yaml\ngo mod tidy\neventgen topics"))
	n.runs(program, "sent OrderPlaced", "received OrderPlaced on shop.orders.v1: {\"orderRef\":\"orderRef\"")
	t.Logf("the guide took %.0f s", time.Since(began).Seconds())

	python := available(t, clients)["python"]
	python.need(t)
	var got []map[string]any
	err = python.scripts.order(t.Context(), "read", map[string]any{"brokers": o.Brokers[0], "registry": o.Registry, "ends": endsOf(t, o.Brokers, "shop.orders.v1"), "decoder": "confluent"}, func(line []byte) error {
		var r struct{ Value map[string]any }
		err := json.Unmarshal(line, &r)
		got = append(got, r.Value)
		return err
	})
	if err != nil || len(got) != 1 || got[0]["orderRef"] != "orderRef" || got[0]["placedAt"] != "2026-01-31T12:00:00.000000+00:00" {
		t.Errorf("confluent-kafka read %v: %v", got, err)
	}
}

// arrive installs the command in an empty folder.
func arrive(t *testing.T, o story.Options) *newcomer {
	t.Helper()
	root, err := process.Root()
	if err != nil {
		t.Fatal(err)
	}
	n := &newcomer{t, root, t.TempDir(), strings.NewReplacer("CHECKOUT", root, "127.0.0.1:9092", o.Brokers[0], "http://127.0.0.1:8085", o.Registry)}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(n.folder, "bin", "eventgen"), "./tools/eventgen")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return n
}

// endsOf returns the ends of the partitions of a topic.
func endsOf(t *testing.T, brokers []string, topic string) map[string]map[string]int64 {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]int64{topic: {}}
	ends.Each(func(e kadm.ListedOffset) { out[topic][strconv.Itoa(int(e.Partition))] = e.Offset })
	return out
}
