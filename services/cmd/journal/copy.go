package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/deferpay/deferpay/services/internal/settings"
	"github.com/deferpay/deferpay/services/journal/backup"
)

const dumpAbout = `Writes the records that are in a log now to a file. Instances may go on meanwhile. The file ends
with the number of its records and a SHA-256, so that one that is cut short is noticed.

Besides the logs, contract.keys.v1 can be dumped, and the topics of dead letters. The log of contract
is of little use without the keys: they open the accounts in it. A dump of the keys keeps those that
an erasure destroys later, so it may not be kept longer than an erasure may take.

  journal dump -log billing -out billing.dump
  journal dump -log contract.keys.v1 -out keys.dump
  journal dump -log billing -from 120000 -out more.dump    what was added since a dump that ended at 120000
  journal dump -log billing | gpg -e -r backup > billing.dump.gpg    to standard output`

func dump(c call) int {
	var common common
	var name, file string
	var from int64
	set := settings.New("journal dump", dumpAbout)
	set.Flags().Int64Var(&from, "from", 0, "write the records from this `offset` on; such a dump is restored after the one that it continues")
	set.String(&name, "log", "", "", nameUsage+"; or another topic that can be dumped")
	set.String(&file, "out", "", "", "write to this `file`; without it, to standard output")
	return c.main(set, &common, func() error { return copied(name) }, func() string { return topicOf(name) }, func(ctx context.Context) error {
		topic, err := common.topic(name)
		if err != nil {
			return err
		}
		topic.Progress = newProgress(c.stderr, "").doing
		if file == "" {
			_, err := topic.Dump(ctx, c.stdout, from)
			return err
		}
		info, err := dumpTo(ctx, topic, from, file)
		if err != nil {
			return err
		}
		return print(c.stdout, info)
	})
}

// dumpTo writes a dump to a file that has its name once it is whole. Until then the file has a name
// that no other dump has, so that two at once do not disturb each other.
func dumpTo(ctx context.Context, topic backup.Topic, from int64, file string) (backup.Info, error) {
	if there, err := os.Lstat(file); err == nil && !there.Mode().IsRegular() {
		return backup.Info{}, fmt.Errorf("%s is there already and is no regular file; without -out, a dump goes to standard output", file)
	}
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".part")
	if err != nil {
		return backup.Info{}, err
	}
	info, err := topic.Dump(ctx, f, from)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return info, errors.Join(err, os.Remove(f.Name()))
	}
	return info, nil
}

const restoreAbout = `Writes the records of a dump to a topic that was just created: the first record at offset 0, and
so on. Every instance of the service must be stopped. Nothing is written if the dump is not whole,
if it is of another topic, if the topic is not configured as the contracts declare it, or if it is
not empty. A dump that begins at an offset continues a topic that ends there. A restore that was
interrupted leaves a part of the records: delete and create the topic, and restore again.

The dump is read twice, so it has to be a file and no pipe.

  eventgen topics apply -brokers HOST:PORT specs/billing/internal.asyncapi.yaml
  journal restore -log billing billing.dump
  journal verify -log billing                  prints the hash that the original had`

func restore(c call) int {
	var common common
	var name, file string
	set := settings.New("journal restore", restoreAbout)
	set.String(&name, "log", "", "", nameUsage+"; or another topic that can be dumped")
	set.Argument(&file, "FILE")
	return c.main(set, &common, func() error { return copied(name) }, func() string { return topicOf(name) }, func(ctx context.Context) error {
		topic, err := common.topic(name)
		if err != nil {
			return err
		}
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		topic.Progress = newProgress(c.stderr, "").doing
		info, err := topic.Restore(ctx, f)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		return print(c.stdout, info)
	})
}
