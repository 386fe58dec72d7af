package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/deferpay/deferpay/services/internal/settings"
	"github.com/deferpay/deferpay/services/journal/admin"
	"github.com/deferpay/deferpay/services/journal/backup"
)

// reading is where a log is read, and how much of it.
type reading struct {
	common
	log  string
	file string
	from int64 // the first record to show
	to   int64 // after the last one to read, or to show if whole is set; -1: to the end
	// whole means that what is behind to is read too.
	whole bool
}

func (r *reading) declareIn(set *settings.Set) {
	set.String(&r.log, "log", "", "", nameUsage)
	set.String(&r.file, "file", "", "", "read this `dump` of the log instead of the log")
	from := "the log must have this `offset` or end there; it is read from its start"
	if r.whole {
		from = "show records from this `offset` on; what is before is read too, because it decides what becomes of the others"
	}
	set.Flags().Int64Var(&r.from, "from", 0, from)
	up := "read"
	if r.whole {
		up = "show records"
	}
	set.Flags().Int64Var(&r.to, "to", -1, up+" up to the one before this `offset`; -1: to the end")
}

func (r *reading) check() error {
	switch {
	case r.from < 0 || r.to < -1:
		return errors.New("-from is not negative, and -to only if it is -1")
	case r.to >= 0 && r.file != "":
		return errors.New("-to goes without -file")
	case r.to >= 0 && r.from > r.to:
		return fmt.Errorf("-from %d is behind -to %d", r.from, r.to)
	}
	return knownLog(r.log)
}

// on returns the topic that is read, "" if it is a file.
func (r *reading) on() string {
	if r.file != "" {
		return ""
	}
	return topicOf(r.log)
}

// read calls each with the records from r.from on.
func (r *reading) read(ctx context.Context, what *progress, each func(admin.Reading) error) (admin.Summary, error) {
	log, err := r.openLog(r.log)
	if err != nil {
		return admin.Summary{}, err
	}
	records, done, err := r.records(ctx, log)
	if err != nil {
		return admin.Summary{}, err
	}
	defer done()
	counted := func(ctx context.Context, fn func(admin.Record) error) error {
		return records(ctx, func(record admin.Record) error {
			what.at(record.Offset+1, 0)
			return fn(record)
		})
	}
	summary, err := log.Read(ctx, counted, func(reading admin.Reading) error {
		if reading.Offset < r.from || r.to >= 0 && reading.Offset >= r.to {
			return nil
		}
		return each(reading)
	})
	if err != nil {
		return summary, r.named(err)
	}
	if r.from > summary.Records {
		return summary, r.named(fmt.Errorf("%s ends at %d: it has no record @%d", log.Topic(), summary.Records, r.from))
	}
	return summary, nil
}

// named adds the name of the file to an error, if one is read.
func (r *reading) named(err error) error {
	if r.file == "" {
		return err
	}
	return fmt.Errorf("%s: %w", r.file, err)
}

func (r *reading) records(ctx context.Context, log *admin.Log) (records admin.Records, done func() error, err error) {
	if r.file == "" {
		records, err = log.On(ctx, r.to)
		if err == nil && r.whole {
			records, err = log.On(ctx, -1)
		}
		return records, func() error { return nil }, err
	}
	f, err := os.Open(r.file)
	if err != nil {
		return nil, nil, err
	}
	info, err := backup.ReadHeader(f)
	if err == nil && info.Topic != log.Topic() {
		err = fmt.Errorf("it is a dump of %s, not of %s", info.Topic, log.Topic())
	}
	if err == nil && info.From > 0 {
		err = fmt.Errorf("it begins at %d, and what became of its records depends on those before: restore them all, and read the log", info.From)
	}
	if err != nil {
		return nil, nil, errors.Join(r.named(err), f.Close())
	}
	return backup.Records(f), f.Close, nil
}

const catAbout = `Prints each record of a log as a JSON object on a line of its own, with what became of it:

  applied         it has its effect
  void            something came in between, so it has none
  declared-void   an operator declared it void
  barrier         it marks a point of the log and changes nothing
  operator        an operator wrote it: journal.void or journal.release
  impossible      the rules refused it, and its contract was parked
  unreadable      no instance can read it, and none reads on

Personal data is sealed, and stays so.

  journal cat -log billing -from 40                              the records from @40 on
  journal cat -log billing | jq 'select(.outcome == "unreadable")'     what stops the instances
  journal cat -log billing | jq 'select(.expects[]?.stream == "contract/CTR-7")'   one contract
  journal cat -log contract -file contract.dump                  the records of a dump`

func cat(c call) int {
	r := &reading{whole: true} // a record behind the others may declare one of them void
	set := settings.New("journal cat", catAbout)
	r.declareIn(set)
	return c.main(set, &r.common, r.check, r.on, func(ctx context.Context) error {
		out := bufio.NewWriter(c.stdout)
		_, err := r.read(ctx, newProgress(c.stderr, "read"), func(reading admin.Reading) error { return print(out, reading) })
		if flushed := out.Flush(); err == nil {
			err = flushed
		}
		return err
	})
}

const verifyAbout = `Reads a log as an instance does, and prints a JSON object: how many records it has, what became
of them, who wrote them, which streams are parked, and the hash of the states that it leads to. Two
logs that lead to the same states have the same hash, as printed by one version of this command.

The exit status is 1 if the log holds a record that no instance can read.

  journal verify -log billing                        the log on the broker
  journal verify -log billing -to 120000             its state when it ended there, to compare it with a dump of that time
  journal verify -log billing -file billing.dump     a dump, without restoring it`

func verify(c call) int {
	r := &reading{}
	set := settings.New("journal verify", verifyAbout)
	r.declareIn(set)
	return c.main(set, &r.common, r.check, r.on, func(ctx context.Context) error {
		summary, err := r.read(ctx, newProgress(c.stderr, "read"), func(admin.Reading) error { return nil })
		if err != nil {
			return err
		}
		if err := print(c.stdout, summary); err != nil {
			return err
		}
		if n := summary.Outcomes[admin.Unreadable]; n > 0 {
			return fmt.Errorf("%d records cannot be read, the first one @%d: no instance is ready. journal cat shows them, journal void declares one void", n, summary.Unreadable[0])
		}
		return nil
	})
}
