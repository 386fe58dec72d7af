package registry_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/deferpay/deferpay/tools/devkafka/embedded"
	"github.com/deferpay/deferpay/tools/devkafka/registry"
)

func start(t *testing.T, dir string) (*embedded.Kafka, *sr.Client) {
	t.Helper()
	k, err := embedded.Start(t.Context(), embedded.Config{Broker: "127.0.0.1:0", Registry: "127.0.0.1:0", DataDir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	client, err := sr.NewClient(sr.URLs(k.Registry))
	if err != nil {
		t.Fatal(err)
	}
	return k, client
}

func schema(fields string, refs ...sr.SchemaReference) sr.Schema {
	return sr.Schema{Schema: `{"type":"record","name":"R","fields":[` + fields + `]}`, References: refs}
}

const x = `{"name":"x","type":"int"}`

func TestSameSchemaSameID(t *testing.T) {
	_, c := start(t, "")
	ctx := t.Context()
	first, err := c.CreateSchema(ctx, "topic-R", schema(x))
	if err != nil || first.ID != 1 || first.Version != 1 {
		t.Fatalf("first: %+v, %v", first, err)
	}
	again, err := c.CreateSchema(ctx, "topic-R", sr.Schema{Schema: `{ "name": "R", "type": "record", "fields": [{"type": "int", "name": "x"}] }`})
	if err != nil || again.ID != 1 || again.Version != 1 {
		t.Errorf("equal schema in another layout: %+v, %v", again, err)
	}
	elsewhere, err := c.CreateSchema(ctx, "other/topic R", schema(x))
	if err != nil || elsewhere.ID != 1 || elsewhere.Version != 1 {
		t.Errorf("equal schema under another subject: %+v, %v", elsewhere, err)
	}
	second, err := c.CreateSchema(ctx, "topic-R", schema(x+`,{"name":"y","type":"int","default":0}`))
	if err != nil || second.ID != 2 || second.Version != 2 {
		t.Errorf("second version: %+v, %v", second, err)
	}
	if got, err := c.SchemaByID(ctx, 1); err != nil || got.Schema != schema(x).Schema {
		t.Errorf("by id: %+v, %v", got, err)
	}
	if got, err := c.SchemaTextByID(ctx, 1); err != nil || got != schema(x).Schema {
		t.Errorf("text by id: %q, %v", got, err)
	}
	if got, err := c.SchemaByVersion(ctx, "topic-R", -1); err != nil || got.Version != 2 || got.ID != 2 {
		t.Errorf("latest: %+v, %v", got, err)
	}
	if got, err := c.LookupSchema(ctx, "topic-R", schema(x)); err != nil || got.Version != 1 || got.ID != 1 {
		t.Errorf("lookup: %+v, %v", got, err)
	}
	if got, err := c.Subjects(ctx); err != nil || fmt.Sprint(got) != "[other/topic R topic-R]" {
		t.Errorf("subjects: %v, %v", got, err)
	}
	if got, err := c.SubjectVersions(ctx, "topic-R"); err != nil || fmt.Sprint(got) != "[1 2]" {
		t.Errorf("versions: %v, %v", got, err)
	}
	if got, err := c.SubjectsByID(ctx, 1); err != nil || fmt.Sprint(got) != "[other/topic R topic-R]" {
		t.Errorf("subjects of id 1: %v, %v", got, err)
	}
	if got, err := c.AllSchemas(ctx); err != nil || len(got) != 3 {
		t.Errorf("all: %v, %v", got, err)
	}
}

func TestReferencesAreResolved(t *testing.T) {
	_, c := start(t, "")
	ctx := t.Context()
	money := sr.Schema{Schema: `{"type":"record","name":"Money","namespace":"a","fields":[{"name":"amount","type":"long"}]}`}
	if _, err := c.CreateSchema(ctx, "money", money); err != nil {
		t.Fatal(err)
	}
	uses := schema(`{"name":"price","type":"a.Money"}`, sr.SchemaReference{Name: "a.Money", Subject: "money", Version: 1})
	got, err := c.CreateSchema(ctx, "sale", uses)
	if err != nil || len(got.References) != 1 || got.References[0].Subject != "money" {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := c.CreateSchema(ctx, "sale2", schema(`{"name":"price","type":"a.Money"}`)); code(err) != 42201 {
		t.Errorf("schema without its reference: %v", err)
	}
	missing := schema(x, sr.SchemaReference{Name: "a.Money", Subject: "money", Version: 9})
	if _, err := c.CreateSchema(ctx, "sale3", missing); code(err) != 42201 || !strings.Contains(err.Error(), "version 9") {
		t.Errorf("reference without a target: %v", err)
	}
	if by, err := c.SchemaReferences(ctx, "money", 1); err != nil || len(by) != 1 || by[0].Subject != "sale" {
		t.Errorf("referenced by %+v, %v", by, err)
	}
}

func code(err error) int {
	var e *sr.ResponseError
	if errors.As(err, &e) {
		return e.ErrorCode
	}
	return 0
}

func TestErrors(t *testing.T) {
	k, c := start(t, "")
	ctx := t.Context()
	if _, err := c.CreateSchema(ctx, "s", schema(x)); err != nil {
		t.Fatal(err)
	}
	_, noSubject := c.SchemaByVersion(ctx, "none", 1)
	_, noVersions := c.SubjectVersions(ctx, "none")
	_, noVersion := c.SchemaByVersion(ctx, "s", 7)
	_, badVersion := c.SchemaByVersion(ctx, "s", 0)
	_, noID := c.SchemaByID(ctx, 99)
	_, notRegistered := c.LookupSchema(ctx, "s", schema(""))
	_, lookupNone := c.LookupSchema(ctx, "none", schema(x))
	_, invalid := c.CreateSchema(ctx, "s", sr.Schema{Schema: `{"type":"recrod"}`})
	_, noJSON := c.CreateSchema(ctx, "s", sr.Schema{Schema: `{`})
	_, protobuf := c.CreateSchema(ctx, "s", sr.Schema{Schema: `syntax = "proto3";`, Type: sr.TypeProtobuf})
	_, incompatible := c.CreateSchema(ctx, "s", schema(x+`,{"name":"y","type":["null","int"]}`))
	noLevel := c.Compatibility(ctx, "s")[0].Err
	noMode := c.Mode(ctx, "s")[0].Err
	for name, e := range map[string]struct {
		err  error
		code int
	}{
		"no subject": {noSubject, 40401}, "no subject's versions": {noVersions, 40401}, "lookup in no subject": {lookupNone, 40401},
		"no version": {noVersion, 40402}, "version 0": {badVersion, 42202}, "no id": {noID, 40403}, "not registered": {notRegistered, 40403},
		"invalid": {invalid, 42201}, "not JSON": {noJSON, 42201}, "Protobuf": {protobuf, 42201}, "incompatible": {incompatible, 409},
		"no level": {noLevel, 40408}, "no mode": {noMode, 40409},
	} {
		if got := code(e.err); got != e.code {
			t.Errorf("%s: code %d, want %d (%v)", name, got, e.code, e.err)
		}
	}
	resp, err := http.Get(k.Registry + "/nowhere")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 404 || !json.Valid(body) || resp.Header.Get("Content-Type") != "application/vnd.schemaregistry.v1+json" {
		t.Errorf("unknown path: %d %s", resp.StatusCode, body)
	}
}

func TestLevelsAndModes(t *testing.T) {
	_, c := start(t, "")
	ctx := t.Context()
	if got := c.Compatibility(ctx)[0]; got.Err != nil || got.Level != sr.CompatBackward {
		t.Errorf("default level %+v", got)
	}
	if got := c.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFullTransitive}, "s")[0]; got.Err != nil || got.Level != sr.CompatFullTransitive {
		t.Fatalf("set: %+v", got)
	}
	if got := c.Compatibility(ctx, "s")[0]; got.Err != nil || got.Level != sr.CompatFullTransitive {
		t.Errorf("level of s: %+v", got)
	}
	if got := c.Compatibility(sr.WithParams(ctx, sr.DefaultToGlobal), "other")[0]; got.Err != nil || got.Level != sr.CompatBackward {
		t.Errorf("level of a subject without its own %+v", got)
	}
	if _, err := c.CreateSchema(ctx, "s", schema(x)); err != nil {
		t.Fatal(err)
	}
	forwardOnly := schema(x + `,{"name":"y","type":"int"}`)
	got, err := c.CheckCompatibility(sr.WithParams(ctx, sr.Verbose), "s", -1, forwardOnly)
	if err != nil || got.Is || len(got.Messages) != 1 || !strings.Contains(got.Messages[0], "y") {
		t.Errorf("check against the latest: %+v, %v", got, err)
	}
	if got, err := c.CheckCompatibility(ctx, "s", -2, schema(x+`,{"name":"y","type":"int","default":1}`)); err != nil || !got.Is {
		t.Errorf("check against all: %+v, %v", got, err)
	}
	if got, err := c.CheckCompatibility(ctx, "new", -1, forwardOnly); err != nil || !got.Is {
		t.Errorf("check against a new subject: %+v, %v", got, err)
	}
	if _, err := c.CheckCompatibility(ctx, "s", 5, forwardOnly); code(err) != 40402 {
		t.Errorf("check against a missing version: %v", err)
	}
	if got := c.ResetCompatibility(ctx, "s")[0]; got.Err != nil {
		t.Errorf("reset: %+v", got)
	}
	if got := c.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatForward})[0]; got.Err != nil {
		t.Fatal(got.Err)
	}
	if _, err := c.CreateSchema(ctx, "s", forwardOnly); err != nil {
		t.Errorf("forward compatible schema at level FORWARD: %v", err)
	}
	if got := c.SetMode(ctx, sr.ModeReadOnly, "s")[0]; got.Err != nil {
		t.Fatal(got.Err)
	}
	if _, err := c.CreateSchema(ctx, "s", schema(x+`,{"name":"z","type":"int"}`)); code(err) != 42205 {
		t.Errorf("registering on a read-only subject: %v", err)
	}
	if got := c.Mode(ctx)[0]; got.Err != nil || got.Mode != sr.ModeReadWrite {
		t.Errorf("global mode %+v", got)
	}
}

func TestManyRegisterAtOnce(t *testing.T) {
	_, c := start(t, "")
	var wg sync.WaitGroup
	ids := make([]int, 20)
	for i := range ids {
		wg.Go(func() {
			got, err := c.RegisterSchema(t.Context(), fmt.Sprintf("s%d", i%4), schema(fmt.Sprintf(`{"name":"f%d","type":"int","default":0}`, i%5)), -1, -1)
			if err != nil {
				t.Error(err)
			}
			ids[i] = got
		})
	}
	wg.Wait()
	for i, id := range ids {
		if id != ids[i%5] || id < 1 || id > 5 {
			t.Errorf("ids %v, want one id for each of five schemas", ids)
			break
		}
	}
}

func TestRecordsHaveConfluentFormat(t *testing.T) {
	dir := t.TempDir()
	k, c := start(t, dir)
	ctx := t.Context()
	if _, err := c.CreateSchema(ctx, "s", schema(x)); err != nil {
		t.Fatal(err)
	}
	if got := c.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFull}, "s")[0]; got.Err != nil {
		t.Fatal(got.Err)
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(k.Broker), kgo.ConsumeTopics(registry.Topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	var got []string
	for len(got) < 2 {
		f := reader.PollFetches(ctx)
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
		f.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Key)+" "+string(r.Value)) })
	}
	want := []string{
		`{"keytype":"SCHEMA","subject":"s","version":1,"magic":1} {"subject":"s","version":1,"id":1,"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]}","deleted":false}`,
		`{"keytype":"CONFIG","subject":"s","magic":0} {"compatibilityLevel":"FULL"}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("records\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	_, c = start(t, dir)
	if got, err := c.SchemaByVersion(ctx, "s", 1); err != nil || got.ID != 1 {
		t.Errorf("after a restart: %+v, %v", got, err)
	}
	if got := c.Compatibility(ctx, "s")[0]; got.Level != sr.CompatFull {
		t.Errorf("level after a restart: %+v", got)
	}
	if next, err := c.CreateSchema(ctx, "t", schema("")); err != nil || next.ID != 2 {
		t.Errorf("next id after a restart: %+v, %v", next, err)
	}
}
