package main

import (
	"context"
	"errors"
	"strings"

	"github.com/deferpay/deferpay/services/internal/settings"
	"github.com/deferpay/deferpay/services/journal"
	"github.com/deferpay/deferpay/services/journal/admin"
)

// appended is printed for a record that was appended.
type appended struct {
	Log    string         `json:"log"`
	Offset int64          `json:"offset"` // of the operator's record
	Kind   string         `json:"kind"`
	Void   *int64         `json:"void,omitempty"`   // the record that is void now
	Stream journal.Stream `json:"stream,omitempty"` // the stream that is released
}

const voidAbout = `Declares a record void that no instance can read: garbage that something else wrote to the log.
It appends a record that names the other one by its offset and its SHA-256. Every instance that has
stopped there goes on by itself, and so do those that start later. The record stays in the log.

A record that can be read is never declared void. One whose kind this version does not know may be
from a newer version; run that version instead. Only if no version that ever ran can read it, add
-unknown-kind: an instance that has applied the record takes its effect back.

  journal cat -log billing | jq 'select(.outcome == "unreadable")'
  journal void -log billing -offset 41 -reason "a load test took the log for another topic"
  journal verify -log billing`

func void(c call) int {
	var common common
	var name string
	v := admin.Voiding{Offset: -1}
	set := settings.New("journal void", voidAbout)
	set.String(&name, "log", "", "", nameUsage)
	set.Flags().Int64Var(&v.Offset, "offset", -1, "`offset` of the record")
	set.String(&v.Reason, "reason", "", "", "why, in `words`; they are kept in the log")
	set.Bool(&v.UnknownKind, "unknown-kind", "", false, "also if its kind is unknown: no version that ever ran can read it")
	check := func() error {
		if v.Offset < 0 {
			return errors.New("-offset is required")
		}
		return errors.Join(knownLog(name), required("-reason", v.Reason))
	}
	return c.main(set, &common, check, func() string { return topicOf(name) }, func(ctx context.Context) error {
		log, err := common.openLog(name)
		if err != nil {
			return err
		}
		at, err := log.DeclareVoid(ctx, v)
		if err != nil {
			return err
		}
		return print(c.stdout, appended{Log: log.Topic(), Offset: at, Kind: "journal.void", Void: &v.Offset})
	})
}

const correctAbout = `Releases a contract, or another stream, that an impossible record has parked. It appends a record
that names the stream and the impossible record. Decisions go on from the state before that record,
which stays without effect: what it was to do has to be done again by a request.

An impossible record is a mistake in a program. Release the contract once the mistake is found.

  journal verify -log billing | jq .parked
  journal correct -log billing -stream contract/CTR-7 -reason "mended in v1.4.2"`

func correct(c call) int {
	var common common
	var name, stream, reason string
	set := settings.New("journal correct", correctAbout)
	set.String(&name, "log", "", "", nameUsage)
	set.String(&stream, "stream", "", "", "the stream, or the `reference` of a contract, which is contract/REF")
	set.String(&reason, "reason", "", "", "why, in `words`; they are kept in the log")
	check := func() error {
		return errors.Join(knownLog(name), required("-stream", stream), required("-reason", reason))
	}
	return c.main(set, &common, check, func() string { return topicOf(name) }, func(ctx context.Context) error {
		log, err := common.openLog(name)
		if err != nil {
			return err
		}
		if !strings.Contains(stream, "/") {
			stream = "contract/" + stream
		}
		at, err := log.Release(ctx, journal.Stream(stream), reason)
		if err != nil {
			return err
		}
		return print(c.stdout, appended{Log: log.Topic(), Offset: at, Kind: "journal.release", Stream: journal.Stream(stream)})
	})
}
