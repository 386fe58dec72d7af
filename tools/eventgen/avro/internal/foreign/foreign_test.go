// Package foreign tests generated codecs against implementations of Avro in other languages. It has
// no code.
package foreign

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"

	oracle "github.com/twmb/avro"

	"github.com/deferpay/deferpay/tools/devkafka/embedded/embeddedtest"
	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/draw"
	"github.com/deferpay/deferpay/tools/eventgen/avro/internal/golden"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/resolve"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin/schema"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/registry"
	clients "github.com/deferpay/deferpay/tools/foreign"
)

var withForeign = flag.Bool("foreign", false, "compare with fastavro, confluent-kafka and Apache Avro for Java, which are fetched the first time")

// other is a program in another language that answers requests.
type other struct {
	name string
	in   io.Writer
	out  *bufio.Scanner
}

type request struct {
	Op       string   `json:"op"`
	Schema   string   `json:"schema"`
	Writer   string   `json:"writer,omitempty"`
	Data     []string `json:"data"`
	Registry string   `json:"registry,omitempty"`
	Topic    string   `json:"topic,omitempty"`
}

type answer struct {
	Error string
	Items []struct {
		Value, Again   any
		Written, Error string
	}
}

// eachGolden runs f as a subtest for every golden payload.
func eachGolden(t *testing.T, f func(t *testing.T, value func() avrobin.Value, own *schema.Type)) {
	for _, name := range slices.Sorted(maps.Keys(golden.Values)) {
		t.Run(name, func(t *testing.T) {
			own, err := schema.Parse(golden.Values[name]().AvroType().Schema)
			if err != nil {
				t.Fatal(err)
			}
			f(t, golden.Values[name], own)
		})
	}
}

func wantForeign(t *testing.T) clients.Clients {
	t.Helper()
	if !*withForeign {
		t.Skip("it fetches foreign clients: make foreign-avro")
	}
	c, err := clients.Open()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func startPython(t *testing.T) *other {
	t.Helper()
	path, err := wantForeign(t).InstallPython(t.Context())
	if err != nil {
		t.Skipf("no Python with the packages: %v", err)
	}
	return start(t, exec.CommandContext(t.Context(), path, "foreign.py"))
}

func startJava(t *testing.T) *other {
	t.Helper()
	cmd, err := wantForeign(t).Java(t.Context(), "Resolve.java")
	if err != nil {
		t.Skipf("no Java with Apache Avro: %v", err)
	}
	return start(t, cmd)
}

func start(t *testing.T, cmd *exec.Cmd) *other {
	t.Helper()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, 64<<20)
	return &other{cmd.Args[len(cmd.Args)-1], in, scanner}
}

func (p *other) ask(t *testing.T, r request) answer {
	t.Helper()
	line, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	if !p.out.Scan() {
		t.Fatalf("%s ended: %v", p.name, p.out.Err())
	}
	var a answer
	dec := json.NewDecoder(bytes.NewReader(p.out.Bytes()))
	dec.UseNumber()
	if err := dec.Decode(&a); err != nil {
		t.Fatal(err)
	}
	if a.Error != "" {
		t.Fatalf("%s: %s\n%s", p.name, a.Error, r.Schema)
	}
	if len(a.Items) != len(r.Data) {
		t.Fatalf("%d answers to %d values", len(a.Items), len(r.Data))
	}
	return a
}

// plainly returns a value in the form that foreign.py uses.
func plainly(t *testing.T, v avrobin.Value, own *schema.Type) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		t.Fatal(err)
	}
	if own.Kind != schema.Record {
		out = out.(map[string]any)["value"]
	}
	return out
}

// agree compares two values in JSON. The struct of a branch equals its content, and empty equals
// null.
func agree(ours, theirs any) error {
	if m, ok := ours.(map[string]any); ok && len(m) == 1 {
		if v, ok := m["Value"]; ok {
			return agree(v, theirs)
		}
	}
	switch want := theirs.(type) {
	case map[string]any:
		got, _ := ours.(map[string]any)
		if len(got) != len(want) {
			return fmt.Errorf("%v, not %v", ours, theirs)
		}
		for k, v := range want {
			if err := agree(got[k], v); err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
		}
		return nil
	case []any:
		got, _ := ours.([]any)
		if len(got) != len(want) {
			return fmt.Errorf("%v, not %v", ours, theirs)
		}
		for i, v := range want {
			if err := agree(got[i], v); err != nil {
				return fmt.Errorf("%d: %w", i, err)
			}
		}
		return nil
	case json.Number:
		got, ok := ours.(json.Number)
		a, _ := got.Float64()
		b, _ := want.Float64()
		if ok && (got == want || strings.ContainsAny(got.String()+want.String(), ".e") && (a == b || float32(a) == float32(b))) {
			return nil
		}
	case string:
		if ours == nil && want == "" || ours == want {
			return nil
		}
		if text, _ := ours.(string); trimmedZeros(text) == trimmedZeros(want) {
			return nil
		}
	default:
		if reflect.DeepEqual(ours, theirs) {
			return nil
		}
	}
	return fmt.Errorf("%v, not %v", ours, theirs)
}

// trimmedZeros removes the zeros at the end of a fraction, and the sign of zero.
func trimmedZeros(text string) string {
	zone := strings.HasSuffix(text, "Z")
	text = strings.TrimSuffix(text, "Z")
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return fmt.Sprint(strings.TrimPrefix(text, "-0"), zone)
}

// drawn returns n random values of a schema, in hexadecimal.
func drawn(own *schema.Type, n uint64) []string {
	var out []string
	for seed := range n {
		out = append(out, hex.EncodeToString(draw.New(seed).Append(nil, own)))
	}
	return out
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkForeign checks that generated code decodes data to the same value as foreign.py, and encodes
// it to the same bytes.
func checkForeign(t *testing.T, v avrobin.Value, own *schema.Type, data []byte, theirs any) {
	t.Helper()
	if err := avrobin.Decode(data, v); err != nil {
		t.Fatalf("% x: %v", data, err)
	}
	if err := agree(plainly(t, v, own), theirs); err != nil {
		t.Fatalf("%v\n got %v\nwant %v", err, plainly(t, v, own), theirs)
	}
	if again, err := avrobin.Encode(v); err != nil || !bytes.Equal(again, data) {
		t.Fatalf("written again\n got % x, %v\nwant % x", again, err, data)
	}
}

// TestForeignValues exchanges values of every golden schema with fastavro, in both directions.
func TestForeignValues(t *testing.T) {
	p := startPython(t)
	eachGolden(t, func(t *testing.T, value func() avrobin.Value, own *schema.Type) {
		r := request{Op: "cross", Schema: value().AvroType().Schema, Data: drawn(own, 40)}
		for i, item := range p.ask(t, r).Items {
			checkForeign(t, value(), own, unhex(t, r.Data[i]), item.Value)
			checkForeign(t, value(), own, unhex(t, item.Written), item.Again)
		}
	})
}

// TestForeignFrames exchanges frames with an id of the registry with confluent-kafka, in both
// directions.
func TestForeignFrames(t *testing.T) {
	p := startPython(t)
	kafka := embeddedtest.Start(t)
	client, err := registry.NewClient(kafka.Registry)
	if err != nil {
		t.Fatal(err)
	}
	eachGolden(t, func(t *testing.T, value func() avrobin.Value, own *schema.Type) {
		if own.Kind == schema.Bytes || own.Kind == schema.Null || own.HasNull() >= 0 {
			t.Skip("Confluent's clients write bytes at the root without their length, and null as no value at all")
		}
		text, topic := value().AvroType().Schema, strings.ReplaceAll(t.Name(), "/", ".")
		registered, err := client.Register(t.Context(), []registry.Subject{{Name: topic + "-value", Schema: text}}, "NONE")
		if err != nil {
			t.Fatal(err)
		}
		id := uint32(registered[0].ID)
		r := request{Op: "framed", Schema: text, Registry: kafka.Registry, Topic: topic}
		for _, body := range drawn(own, 5) {
			r.Data = append(r.Data, hex.EncodeToString(avrobin.AppendConfluentHeader(nil, id))+body)
		}
		for i, item := range p.ask(t, r).Items {
			checkForeign(t, value(), own, unhex(t, r.Data[i])[5:], item.Value)
			theirs, body, err := avrobin.CutConfluent(unhex(t, item.Written))
			if err != nil {
				t.Fatal(err)
			}
			checkForeign(t, value(), own, body, item.Again)
			writer, err := client.Schema(t.Context(), int(theirs))
			if err != nil {
				t.Fatal(err)
			}
			plan, err := resolve.NewPlan(writer, value().AvroType())
			if err != nil {
				t.Fatal(err)
			}
			if err := plan.Decode(body, value()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestForeignResolution compares plans with the schema resolution of Apache Avro for Java.
func TestForeignResolution(t *testing.T) {
	p := startJava(t)
	compared := 0
	for _, c := range draw.Resolutions {
		t.Run(c.Name, func(t *testing.T) { compared += resolveInJava(t, p, c.Writer, c.Reader) })
	}
	for _, name := range slices.Sorted(maps.Keys(golden.Values)) {
		t.Run(name, func(t *testing.T) {
			text := golden.Values[name]().AvroType().Schema
			for seed := range uint64(20) {
				evolved, err := draw.Evolved(text, seed)
				if err != nil {
					t.Fatal(err)
				}
				// otherwise a name is used before its definition
				if _, err := oracle.Parse(evolved); err == nil {
					compared += resolveInJava(t, p, text, evolved)
					compared += resolveInJava(t, p, evolved, text)
				}
			}
		})
	}
	t.Logf("%d values compared", compared)
	if compared < 1000 {
		t.Error("too few values were compared")
	}
}

// resolveInJava compares random values of the writer's schema and returns the number of them that
// both sides resolved.
func resolveInJava(t *testing.T, p *other, writer, reader string) (compared int) {
	t.Helper()
	own, err := schema.Parse(writer)
	if err != nil {
		t.Fatal(err)
	}
	result, err := oracle.Parse(reader)
	if err != nil {
		t.Fatal(err)
	}
	plan, planErr := resolve.NewPlan(writer, &avrobin.Type{Schema: reader})
	r := request{Writer: writer, Schema: reader, Data: drawn(own, 10)}
	for i, item := range p.ask(t, r).Items {
		out, err := []byte(nil), planErr
		if err == nil {
			out, err = plan.Transcode(nil, unhex(t, r.Data[i]))
		}
		if err != nil && item.Error == "" && (planErr != nil || strings.Contains(err.Error(), "the writer's branch")) {
			// the schemas are refused here; Java accepts some values, such as an empty array
			continue
		}
		if strings.Contains(item.Error, "Invalid default for field") {
			// Java applies the reader's aliases to the writer's fields, but not to their defaults
			continue
		}
		if (err == nil) != (item.Error == "") {
			t.Fatalf("here: %v\nin Java: %v\nwriter %s\nreader %s\n%s", err, item.Error, writer, reader, r.Data[i])
		}
		if err != nil {
			continue
		}
		var ours, theirs any
		if _, err := result.Decode(out, &ours, oracle.TaggedUnions()); err != nil {
			t.Fatal(err)
		}
		if _, err := result.Decode(unhex(t, item.Written), &theirs, oracle.TaggedUnions()); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(ours, theirs) {
			t.Fatalf("\n got %v\nwant %v\nwriter %s\nreader %s", ours, theirs, writer, reader)
		}
		compared++
	}
	return compared
}
