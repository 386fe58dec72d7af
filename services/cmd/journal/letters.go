package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/gen/billinginternal"
	"github.com/deferpay/deferpay/gen/contractinternal"
	"github.com/deferpay/deferpay/services/internal/settings"
	"github.com/deferpay/deferpay/tools/eventgen/runtime/bus"
)

// roads are where the dead letters of a service lie, and the topic on which its handlers read them
// again.
var roads = []struct{ name, letters, redrive string }{
	{"contract", contractinternal.DeadLettersTopic, contractinternal.RedriveTopic},
	{"billing", billinginternal.DeadLettersTopic, billinginternal.RedriveTopic},
}

const maxBatch = 1_048_588 // bytes; what topics take by default

// letterHeader is a header of a message sent again: the letter, as topic@offset.
const letterHeader = "dl_letter"

// letter is a dead letter.
type letter struct {
	Offset    int64     `json:"offset"`
	Written   time.Time `json:"written"`
	Key       string    `json:"key"`
	Type      string    `json:"type,omitempty"` // of the event
	ID        string    `json:"id,omitempty"`
	Topic     string    `json:"topic"` // where the message was read
	Partition string    `json:"partition"`
	At        string    `json:"at"` // its offset there
	Error     string    `json:"error"`
	Attempts  string    `json:"attempts"`
	Size      int       `json:"size"`               // bytes
	LeftOut   bool      `json:"leftOut,omitempty"`  // the value was too large for a letter
	Redriven  []int64   `json:"redriven,omitempty"` // where on the topic of redriven letters

	record *kgo.Record
}

// letters reads the dead letters of a topic, with where they were sent again.
type letters struct {
	common
	topic, redrive string
}

func (l *letters) choose() error {
	for _, r := range roads {
		if l.topic == r.name || l.topic == r.letters {
			l.topic, l.redrive = r.letters, r.redrive
			return nil
		}
	}
	return fmt.Errorf("%q has no dead letters: give contract, billing, %s or %s", l.topic, roads[0].letters, roads[1].letters)
}

func (l *letters) read(ctx context.Context, p *progress) ([]*letter, error) {
	options, err := l.options()
	if err != nil {
		return nil, err
	}
	var all []*letter
	byName := map[string]*letter{}
	err = scan(ctx, options, l.topic, func(r *kgo.Record) {
		one := letterOf(r)
		all = append(all, one)
		byName[nameOf(r)] = one
		p.at(int64(len(all)), 0)
	})
	if err != nil {
		return nil, err
	}
	return all, scan(ctx, options, l.redrive, func(r *kgo.Record) {
		if one := byName[header(r, letterHeader)]; one != nil {
			one.Redriven = append(one.Redriven, r.Offset)
		}
	})
}

// nameOf returns the name of a letter, topic@offset. Such a topic has one partition.
func nameOf(r *kgo.Record) string { return r.Topic + "@" + strconv.FormatInt(r.Offset, 10) }

func letterOf(r *kgo.Record) *letter {
	size, err := strconv.Atoi(header(r, bus.DeadLetterSize))
	leftOut := err == nil
	if !leftOut {
		size = len(r.Value)
	}
	return &letter{
		Offset: r.Offset, Written: r.Timestamp.UTC(), Key: string(r.Key), Type: header(r, "ce_type"), ID: header(r, "ce_id"),
		Topic: header(r, bus.DeadLetterTopic), Partition: header(r, bus.DeadLetterPartition), At: header(r, bus.DeadLetterOffset),
		Error: header(r, bus.DeadLetterError), Attempts: header(r, bus.DeadLetterAttempts), Size: size, LeftOut: leftOut, record: r,
	}
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

const listAbout = `Prints each dead letter as a JSON object on a line of its own: where the message was read, why it
could not be handled, and where it was sent again.

  journal dlq list billing
  journal dlq list billing | jq 'select(.redriven | not) | {offset, type, key, error}'`

func listLetters(c call) int {
	l := &letters{}
	set := settings.New("journal dlq list", listAbout)
	set.Argument(&l.topic, "TOPIC")
	return c.main(set, &l.common, l.choose, func() string { return l.topic }, func(ctx context.Context) error {
		all, err := l.read(ctx, newProgress(c.stderr, "read"))
		if err != nil {
			return err
		}
		out := bufio.NewWriter(c.stdout)
		for _, one := range all {
			if err := print(out, one); err != nil {
				return err
			}
		}
		return out.Flush()
	})
}

const redriveAbout = `Sends dead letters to the handlers of their service again, once what was wrong is mended. They go
to a topic that these handlers alone read, never to a topic of facts: no other consumer sees them
again. A message that fails again becomes a new dead letter. Without -offset, every letter is sent
that was not sent before.

A letter without its value, which was too large, is sent with the value that lies where it was read.

  journal dlq redrive billing                 all that were not sent yet
  journal dlq redrive -offset 3,7 billing     two of them, also if they were sent before`

// sent is printed for a letter that was sent again.
type sent struct {
	Letter int64  `json:"letter"`
	Topic  string `json:"topic"`
	Offset int64  `json:"offset"`
}

func redrive(c call) int {
	l := &letters{}
	var only offsets
	set := settings.New("journal dlq redrive", redriveAbout)
	set.Flags().Var(&only, "offset", "the `offsets` of the letters to send, comma-separated")
	set.Argument(&l.topic, "TOPIC")
	return c.main(set, &l.common, l.choose, func() string { return l.topic }, func(ctx context.Context) error {
		all, err := l.read(ctx, newProgress(c.stderr, "read"))
		if err != nil {
			return err
		}
		chosen, err := choose(all, only)
		if err != nil {
			return err
		}
		return l.send(ctx, c, chosen)
	})
}

// offsets are the offsets that a flag names, each once. A flag that names none is an error: without
// the flag, everything is meant.
type offsets []int64

func (o *offsets) String() string { return "" }

func (o *offsets) Set(text string) error {
	for item := range strings.SplitSeq(text, ",") {
		offset, err := strconv.ParseUint(strings.TrimSpace(item), 10, 63)
		if err != nil {
			return fmt.Errorf("%q is no offset", item)
		}
		if slices.Contains(*o, int64(offset)) {
			return fmt.Errorf("%d is there twice", offset)
		}
		*o = append(*o, int64(offset))
	}
	return nil
}

// choose returns the letters of the offsets given, or those that were not sent yet.
func choose(all []*letter, offsets offsets) (chosen []*letter, err error) {
	byOffset := map[int64]*letter{}
	for _, one := range all {
		byOffset[one.Offset] = one
		if len(offsets) == 0 && len(one.Redriven) == 0 {
			chosen = append(chosen, one)
		}
	}
	for _, offset := range offsets {
		one := byOffset[offset]
		if one == nil {
			return nil, fmt.Errorf("there is no dead letter @%d", offset)
		}
		chosen = append(chosen, one)
	}
	return chosen, nil
}

// send sends letters, one after the other, and prints where each is.
func (l *letters) send(ctx context.Context, c call, chosen []*letter) error {
	options, err := l.options()
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(append(options, kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerBatchMaxBytes(maxBatch),
		kgo.ProducerBatchCompression(kgo.NoCompression()))...)
	if err != nil {
		return err
	}
	defer client.Close()
	p := newProgress(c.stderr, "redrive")
	for i, one := range chosen {
		out, err := l.message(ctx, options, one)
		if err != nil {
			return fmt.Errorf("dead letter @%d: %w", one.Offset, err)
		}
		r, err := client.ProduceSync(ctx, out).First()
		if err != nil {
			return fmt.Errorf("dead letter @%d: write to %s: %w", one.Offset, l.redrive, err)
		}
		if err := print(c.stdout, sent{one.Offset, l.redrive, r.Offset}); err != nil {
			return err
		}
		p.at(int64(i+1), int64(len(chosen)))
	}
	return nil
}

// message returns the message of a letter, as it is sent again: with the headers of both.
func (l *letters) message(ctx context.Context, options []kgo.Opt, one *letter) (*kgo.Record, error) {
	from := one.record
	if one.LeftOut {
		var err error
		if from, err = original(ctx, options, one); err != nil {
			return nil, err
		}
	}
	out := &kgo.Record{Topic: l.redrive, Key: from.Key, Value: from.Value}
	for _, h := range from.Headers {
		if !strings.HasPrefix(h.Key, "dl_") {
			out.Headers = append(out.Headers, h)
		}
	}
	for _, name := range []string{bus.DeadLetterTopic, bus.DeadLetterPartition, bus.DeadLetterOffset, bus.DeadLetterError, bus.DeadLetterAttempts, bus.DeadLetterTime} {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: name, Value: []byte(header(one.record, name))})
	}
	out.Headers = append(out.Headers, kgo.RecordHeader{Key: letterHeader, Value: []byte(nameOf(one.record))})
	return out, nil
}

// original returns a message where it was read.
func original(ctx context.Context, options []kgo.Opt, l *letter) (*kgo.Record, error) {
	partition, err := strconv.ParseInt(l.Partition, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("its partition is %q", l.Partition)
	}
	offset, err := strconv.ParseInt(l.At, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("its offset is %q", l.At)
	}
	r, err := recordAt(ctx, options, l.Topic, int32(partition), offset)
	if err != nil {
		return nil, err
	}
	keyless := header(l.record, bus.DeadLetterKeySize) != ""
	if r == nil || len(r.Value) != l.Size || string(r.Key) != l.Key && !keyless {
		return nil, errors.New("its value was left out, and the message is not at " + strings.Join([]string{l.Topic, l.Partition, l.At}, "/") + " any more")
	}
	return r, nil
}
