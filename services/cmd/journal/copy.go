package main

import (
	"errors"
	"fmt"
	"os"

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
	return c.main(set, &common, func() error { return copied(name) }, func() error {
		topic, err := common.topic(name)
		if err != nil {
			return err
		}
		topic.Progress = newProgress(c.stderr, "dump").at
		if file == "" {
			_, err := topic.Dump(c.ctx, c.stdout, from)
			return err
		}
		info, err := dumpTo(c, topic, from, file)
		if err != nil {
			return err
		}
		return print(c.stdout, info)
	})
}

// dumpTo writes a dump to a file that has its name once it is whole.
func dumpTo(c call, topic backup.Topic, from int64, file string) (backup.Info, error) {
	part := file + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return backup.Info{}, err
	}
	info, err := topic.Dump(c.ctx, f, from)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return info, errors.Join(err, os.Remove(part))
	}
	return info, os.Rename(part, file)
}

const restoreAbout = `Writes the records of a dump to a topic that was just created: the first record at offset 0, and
so on. Every instance of the service must be stopped. Nothing is written if the dump is not whole,
if it is of another topic, if the topic is not configured as the contracts declare it, or if it is
not empty. A dump that begins at an offset continues a topic that ends there.

  eventgen topics apply -brokers HOST:PORT specs/billing/internal.asyncapi.yaml
  journal restore -log billing billing.dump
  journal verify -log billing                  prints the hash that the original had`

func restore(c call) int {
	var common common
	var name, file string
	set := settings.New("journal restore", restoreAbout)
	set.String(&name, "log", "", "", nameUsage+"; or another topic that can be dumped")
	set.Argument(&file, "FILE")
	return c.main(set, &common, func() error { return copied(name) }, func() error {
		topic, err := common.topic(name)
		if err != nil {
			return err
		}
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		topic.Progress = newProgress(c.stderr, "restore").at
		info, err := topic.Restore(c.ctx, f)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		return print(c.stdout, info)
	})
}
