package watch

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/deferpay/deferpay/tools/observer"
)

// Record is a record of a topic, as the page receives it.
type Record struct {
	Topic     string         `json:"topic"`
	Partition int32          `json:"partition"`
	Offset    int64          `json:"offset"`
	Key       string         `json:"key"`
	Type      string         `json:"type"` // "" for a tombstone
	At        time.Time      `json:"at"`
	Trace     string         `json:"trace,omitempty"`
	Value     map[string]any `json:"value,omitempty"`
	Fault     string         `json:"fault,omitempty"` // why it cannot be decoded

	// of a log record
	Log     bool          `json:"log,omitempty"`
	Attempt string        `json:"attempt,omitempty"`
	Writer  string        `json:"writer,omitempty"`
	Applied bool          `json:"applied,omitempty"`
	Expects []Expectation `json:"expects,omitempty"`

	// of a public message
	ID    string `json:"id,omitempty"`   // of the CloudEvent
	From  string `json:"from,omitempty"` // attempt of the record that it was derived from
	Again bool   `json:"again,omitempty"`
}

// Expectation is a record that a log record builds on.
type Expectation struct {
	Stream string `json:"stream"`
	Offset int64  `json:"offset"` // -1 for none
	Met    bool   `json:"met"`
	Last   int64  `json:"last"` // offset of the record that was the last of the stream; -1 for none
}

// fromObserved converts an observed record. Values that have no JSON form are left out.
func fromObserved(r observer.Record) Record {
	out := Record{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Key: strings.ToValidUTF8(r.Key, "?"), Type: r.Type, At: r.Time, Value: r.Value}
	if _, err := json.Marshal(r.Value); err != nil {
		out.Value = map[string]any{"value": fmt.Sprint(r.Value)}
	}
	if r.Err != nil {
		out.Fault = r.Err.Error()
	}
	if e := r.Envelope; e != nil {
		out.Log, out.Attempt, out.Writer, out.Applied, out.Trace = true, e.Attempt, e.Writer, e.Applied, TraceID(e.Traceparent)
		for _, x := range e.Expects {
			out.Expects = append(out.Expects, Expectation{Stream: x.Stream, Offset: x.Offset, Met: x.Met, Last: x.Last})
		}
		return out
	}
	out.ID, out.Trace = r.Headers["ce_id"], TraceID(r.Headers["traceparent"])
	if i := strings.LastIndexByte(out.ID, '-'); i > 0 {
		out.From = out.ID[:i]
	}
	return out
}
