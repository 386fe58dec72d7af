//go:build full

package foreign_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/tools/observer"
)

// script is a foreign program. Its argument is the order, its standard input the parameters as
// JSON, and its standard output the answers, one JSON value a line.
type script struct {
	command []string
	env     string
}

func (s *script) order(ctx context.Context, name string, parameters map[string]any, line func([]byte) error) error {
	in, err := json.Marshal(parameters)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.command[0], append(s.command[1:], name)...)
	var out, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &stderr
	cmd.Env = append(os.Environ(), s.env)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, stderr.String())
	}
	for l := range bytes.Lines(out.Bytes()) {
		if err := line(l); err != nil {
			return fmt.Errorf("%s answered %s: %w", name, l, err)
		}
	}
	return nil
}

// place is where a record is.
type place struct {
	topic     string
	partition int32
	offset    int64
}

// foreignRecord is a record as a foreign client read it.
type foreignRecord struct {
	Topic     string
	Partition int32
	Offset    int64
	Key       string
	Headers   map[string]string
	Time      int64 // milliseconds
	Raw       []byte
	Value     map[string]any
}

// instants is how a client represents a timestamp-micros.
type instants func(time.Time) any

func asText(t time.Time) any { return t.UTC().Format("2006-01-02T15:04:05.000000+00:00") }

func asNumber(t time.Time) any { return json.Number(strconv.FormatInt(t.UnixMicro(), 10)) }

// readers lets every client read the public topics, and compares what they read.
func (s *system) readers(t *testing.T, all map[string]client) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := s.seen.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	var ours []observer.Record
	ends := map[string]map[string]int64{}
	for _, r := range s.seen.Since(0) {
		if !slices.Contains(public, r.Topic) {
			continue
		}
		if r.Err != nil {
			t.Fatalf("we cannot read %s/%d @%d: %v", r.Topic, r.Partition, r.Offset, r.Err)
		}
		ours = append(ours, r)
		if ends[r.Topic] == nil {
			ends[r.Topic] = map[string]int64{}
		}
		ends[r.Topic][strconv.Itoa(int(r.Partition))] = r.Offset + 1
	}
	if err := complete(ours); err != nil {
		t.Fatal(err)
	}
	raw, err := rawValues(ctx, s.Brokers, ends)
	if err != nil {
		t.Fatal(err)
	}
	for _, reader := range []struct {
		name, client, decoder string
		form                  instants
	}{{"confluent-kafka", "python", "confluent", asText}, {"fastavro", "python", "fastavro", asText}, {"kafkajs", "node", "", asNumber}} {
		t.Run(reader.name, func(t *testing.T) {
			c := all[reader.client]
			c.need(t)
			order := map[string]any{"brokers": strings.Join(s.Brokers, ","), "registry": s.Registry, "ends": ends}
			if reader.decoder != "" {
				order["decoder"] = reader.decoder
			}
			began, theirs := time.Now(), []foreignRecord{}
			err := c.scripts.order(t.Context(), "read", order, func(l []byte) error {
				d := json.NewDecoder(bytes.NewReader(l))
				d.UseNumber()
				var r foreignRecord
				err := d.Decode(&r)
				theirs = append(theirs, r)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			report(t, compare(ours, theirs, raw, reader.form), "%s: %d records, every field the same, in %.1f s", reader.name, len(theirs), time.Since(began).Seconds())
		})
	}
	t.Run("kcat", func(t *testing.T) {
		all["kcat"].need(t)
		began := time.Now()
		theirs, err := kcatRead(t.Context(), all["kcat"].scripts.command[0], s.Brokers)
		if err != nil {
			t.Fatal(err)
		}
		report(t, compare(ours, theirs, raw, nil), "kcat: %d records, keys, headers, times and bytes the same, in %.1f s", len(theirs), time.Since(began).Seconds())
	})
}

func report(t *testing.T, differences []string, format string, args ...any) {
	t.Helper()
	for _, d := range differences {
		t.Error(d)
	}
	if len(differences) == 0 {
		t.Logf(format, args...)
	}
}

// rawValues reads the bytes of every record up to the ends.
func rawValues(ctx context.Context, brokers []string, ends map[string]map[string]int64) (map[place][]byte, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(slices.Collect(maps.Keys(ends))...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	listed, err := kadm.NewClient(client).ListEndOffsets(ctx, slices.Collect(maps.Keys(ends))...)
	if err != nil {
		return nil, err
	}
	var more int64
	listed.Each(func(o kadm.ListedOffset) { more += o.Offset })
	out := map[place][]byte{}
	for int64(len(out)) < more {
		fetches := client.PollFetches(ctx)
		if err := errors.Join(fetches.Err0(), ctx.Err()); err != nil {
			return nil, fmt.Errorf("%d of %d records: %w", len(out), more, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { out[place{r.Topic, r.Partition, r.Offset}] = r.Value })
	}
	return out, nil
}

// compare returns every difference between what we read and what another client read. If form is
// nil, the client decodes no values.
func compare(ours []observer.Record, theirs []foreignRecord, raw map[place][]byte, form instants) []string {
	var out []string
	read := map[place]foreignRecord{}
	for _, r := range theirs {
		at := place{r.Topic, r.Partition, r.Offset}
		if _, twice := read[at]; twice {
			out = append(out, fmt.Sprintf("%v was read twice", at))
		}
		read[at] = r
	}
	for _, r := range ours {
		at := place{r.Topic, r.Partition, r.Offset}
		them, ok := read[at]
		if !ok {
			out = append(out, fmt.Sprintf("%v %s was not read", at, r.Type))
			continue
		}
		delete(read, at)
		differ := func(what string, ours, theirs any) {
			out = append(out, fmt.Sprintf("%v %s: %s: ours %v, theirs %v", at, r.Type, what, ours, theirs))
		}
		if r.Key != them.Key {
			differ("key", r.Key, them.Key)
		}
		if !maps.Equal(r.Headers, them.Headers) {
			differ("headers", r.Headers, them.Headers)
		}
		if r.Time.UnixMilli() != them.Time {
			differ("time", r.Time.UnixMilli(), them.Time)
		}
		if !bytes.Equal(raw[at], them.Raw) {
			differ("bytes", base64.StdEncoding.EncodeToString(raw[at]), base64.StdEncoding.EncodeToString(them.Raw))
		}
		if form != nil {
			fields(form, "", r.Value, them.Value, differ)
		}
	}
	for at := range read {
		out = append(out, fmt.Sprintf("%v was read by them only", at))
	}
	return out
}

// fields compares two values, member by member.
func fields(form instants, path string, ours, theirs any, differ func(what string, ours, theirs any)) {
	switch ours := ours.(type) {
	case map[string]any:
		them, ok := theirs.(map[string]any)
		if !ok {
			differ(path, ours, theirs)
			return
		}
		for name, v := range ours {
			if _, has := them[name]; !has {
				differ(path+"."+name, v, "nothing")
				continue
			}
			fields(form, path+"."+name, v, them[name], differ)
		}
		for name, v := range them {
			if _, has := ours[name]; !has {
				differ(path+"."+name, "nothing", v)
			}
		}
	case []any:
		them, ok := theirs.([]any)
		if !ok || len(them) != len(ours) {
			differ(path, ours, theirs)
			return
		}
		for i, v := range ours {
			fields(form, fmt.Sprintf("%s[%d]", path, i), v, them[i], differ)
		}
	default:
		if want := scalar(ours, form); want != theirs {
			differ(path, fmt.Sprintf("%#v", want), fmt.Sprintf("%#v", theirs))
		}
	}
}

// scalar returns one of our values as it looks when it comes from theirs by JSON.
func scalar(v any, form instants) any {
	switch v := v.(type) {
	case time.Time:
		return form(v)
	case int32, int64:
		return json.Number(fmt.Sprint(v))
	case []byte:
		return hex.EncodeToString(v)
	case nil, string, bool:
		return v
	}
	return fmt.Sprintf("no JSON form for %T", v)
}

// kcatFormat has the sizes first, so that keys and values of any bytes can be cut out. kcat prints
// headers as name=value,name=value.
const kcatFormat = `%t %p %o %T %K %S\n%h\n%k%s\n`

// kcatRead reads the public topics with kcat.
func kcatRead(ctx context.Context, kcat string, brokers []string) ([]foreignRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var out []foreignRecord
	for _, topic := range public {
		cmd := exec.CommandContext(ctx, kcat, "-b", strings.Join(brokers, ","), "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", kcatFormat)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		text, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("kcat: %w\n%s", err, stderr.String())
		}
		for len(text) > 0 {
			var r foreignRecord
			if r, text, err = kcatRecord(text); err != nil {
				return nil, err
			}
			out = append(out, r)
		}
	}
	return out, nil
}

// kcatRecord cuts one record off what kcat printed.
func kcatRecord(text []byte) (r foreignRecord, rest []byte, err error) {
	head, text, ok := bytes.Cut(text, []byte("\n"))
	headers, text, more := bytes.Cut(text, []byte("\n"))
	var key, value int
	if _, err := fmt.Sscan(string(head), &r.Topic, &r.Partition, &r.Offset, &r.Time, &key, &value); err != nil || !ok || !more {
		return r, nil, fmt.Errorf("kcat printed %q: %w", head, err)
	}
	if key < 0 || value < 0 || len(text) < key+value+1 {
		return r, nil, fmt.Errorf("kcat printed %q before %d bytes", head, len(text))
	}
	r.Key, r.Raw, r.Headers = string(text[:key]), text[key:key+value], map[string]string{}
	for pair := range strings.SplitSeq(string(headers), ",") {
		name, value, _ := strings.Cut(pair, "=")
		r.Headers[name] = value
	}
	return r, text[key+value+1:], nil
}
