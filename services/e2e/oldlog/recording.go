// Package oldlog restores recordings of the system. A recording, below testdata, has everything
// that both services had written to their topics at one time and the answers that they gave then.
// The test of the package requires the same answers of the present services. The system tests and
// the command record, which makes recordings, import it.
package oldlog

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/deferpay/deferpay/gen/journalrecord"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/avrobin"
)

// Recording is the state of the system at one time.
type Recording struct {
	System
	Schemas  []Schema
	Topics   map[string][]Record // in the order of offsets, without empty topics
	Reads    []Exchange          // GET requests for every list and every reference
	Commands []Exchange          // writes that were repeated with their keys
}

// System is the part of a recording that concerns the system as a whole.
type System struct {
	RecordedAt time.Time `json:"recordedAt"` // time of the machine
	DomainTime time.Time `json:"domainTime"` // time of the domain clock at RecordedAt
	Commits    []Commit  `json:"commits"`
}

// Commit is a committed offset of a consumer group.
type Commit struct {
	Group     string `json:"group"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// Schema is a version of a subject of the registry.
type Schema struct {
	ID         int               `json:"id"`
	Subject    string            `json:"subject"`
	Version    int               `json:"version"`
	Schema     string            `json:"schema"`
	References []SchemaReference `json:"references,omitempty"`
}

// SchemaReference is a reference of a schema to another one.
type SchemaReference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// Record is a record of a topic. A nil value is a tombstone.
type Record struct {
	Partition int32       `json:"partition"`
	Offset    int64       `json:"offset"`
	Timestamp int64       `json:"timestamp"` // milliseconds
	Key       *string     `json:"key"`
	Headers   [][2]string `json:"headers"`
	Value     []byte      `json:"value"` // base64 in the file
}

// Exchange is a request and its answer.
type Exchange struct {
	Service string            `json:"service"` // ContractService or BillingService
	Method  string            `json:"method"`
	Path    string            `json:"path"` // with the query
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
	Answer  Answer            `json:"answer"`
}

// Names of the services.
const (
	ContractService = "contract"
	BillingService  = "billing"
)

func (e Exchange) String() string {
	if key := e.Headers["Idempotency-Key"]; key != "" {
		return fmt.Sprintf("%s: %s %s (Idempotency-Key %s)", e.Service, e.Method, e.Path, key)
	}
	return fmt.Sprintf("%s: %s %s", e.Service, e.Method, e.Path)
}

// Answer is the answer of a service.
type Answer struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

const (
	systemFile   = "system.json"
	schemasFile  = "schemas.jsonl"
	readsFile    = "reads.jsonl"
	commandsFile = "commands.jsonl"
	topicsDir    = "topics"
	linesSuffix  = ".jsonl"
)

// Load reads a recording from its directory.
func Load(dir string) (*Recording, error) {
	r := &Recording{Topics: map[string][]Record{}}
	data, err := os.ReadFile(filepath.Join(dir, systemFile))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &r.System); err != nil {
		return nil, fmt.Errorf("%s: %w", systemFile, err)
	}
	err = errors.Join(readLines(filepath.Join(dir, schemasFile), &r.Schemas),
		readLines(filepath.Join(dir, readsFile), &r.Reads), readLines(filepath.Join(dir, commandsFile), &r.Commands))
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, topicsDir, "*"+linesSuffix))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		var records []Record
		if err := readLines(file, &records); err != nil {
			return nil, err
		}
		r.Topics[strings.TrimSuffix(filepath.Base(file), linesSuffix)] = records
	}
	return r, nil
}

// Save writes a recording to a new directory. It never overwrites a recording.
func (r *Recording) Save(dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, topicsDir), 0o755); err != nil {
		return err
	}
	system, err := json.MarshalIndent(r.System, "", "  ")
	if err != nil {
		return err
	}
	err = errors.Join(os.WriteFile(filepath.Join(dir, systemFile), append(system, '\n'), 0o644),
		writeLines(filepath.Join(dir, schemasFile), r.Schemas),
		writeLines(filepath.Join(dir, readsFile), r.Reads), writeLines(filepath.Join(dir, commandsFile), r.Commands))
	for topic, records := range r.Topics {
		err = errors.Join(err, writeLines(filepath.Join(dir, topicsDir, topic+linesSuffix), records))
	}
	return err
}

// readLines reads a file with one JSON value per line.
func readLines[T any](file string, into *[]T) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		var v T
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s, value %d: %w", file, len(*into)+1, err)
		}
		*into = append(*into, v)
	}
}

func writeLines[T any](file string, values []T) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, v := range values {
		err = errors.Join(err, enc.Encode(v))
	}
	return errors.Join(err, w.Flush(), f.Close())
}

// The logs of the two services, and the topics that have the positions of their publications.
var (
	logs      = []string{"contract.log.v1", "billing.log.v1"}
	positions = []string{"contract.positions.v1", "billing.positions.v1"}
)

// Lag returns an error if a publication or a consumer group is behind the end of its topic.
func (r *Recording) Lag() error {
	var behind []string
	late := func(who, topic string, at int64) {
		if end := int64(len(r.Topics[topic])); at < end {
			behind = append(behind, fmt.Sprintf("%s is at %d of %d on %s", who, at, end, topic))
		}
	}
	for _, c := range r.Commits {
		late("group "+c.Group, c.Topic, c.Offset)
	}
	for i, topic := range positions {
		var last journalrecord.Position
		if records := r.Topics[topic]; len(records) > 0 {
			if err := decode(records[len(records)-1].Value, &last); err != nil {
				return fmt.Errorf("%s: %w", topic, err)
			}
		}
		late("publication", logs[i], last.Offset)
	}
	if len(behind) > 0 {
		return errors.New(strings.Join(behind, "; "))
	}
	return nil
}

// decode decodes a record in Avro single-object encoding.
func decode(data []byte, into avrobin.Value) error {
	_, body, err := avrobin.CutSingleObject(data)
	if err != nil {
		return err
	}
	return avrobin.Decode(body, into)
}
