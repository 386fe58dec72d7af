package topic

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/deferpay/deferpay/services/journal/record"
)

// Scan calls fn with the records of a log, from an offset on, until fn reports that it has enough,
// returns an error, or ctx ends. At the end of the log it waits for more, unless upTo is reached:
// upTo is the offset after the last record to read, and negative if there is none. The records are
// not decoded, and valid during the call.
func Scan(ctx context.Context, log string, from, upTo int64, options []kgo.Opt, fn func(*record.Record) (enough bool, err error)) error {
	if upTo >= 0 && from >= upTo {
		return nil
	}
	client, err := NewClientFrom(log, from, 1, options)
	if err != nil {
		return err
	}
	defer client.Close()
	for r := NewReader(client, from); ; {
		records, err := r.Poll(ctx)
		if err != nil {
			return err
		}
		for i := range records {
			enough, err := fn(&records[i])
			if enough || err != nil || records[i].Offset+1 == upTo {
				return err
			}
		}
	}
}

// FindVoiding looks for the record that declares the record at an offset void. It reads up to upTo,
// or waits for such a record if upTo is negative. It returns nil if there is none.
func FindVoiding(ctx context.Context, log string, at, upTo int64, options []kgo.Opt) (found *record.Voiding, err error) {
	var meant record.Digest
	err = Scan(ctx, log, at, upTo, options, func(r *record.Record) (bool, error) {
		if r.Offset == at {
			meant = record.DigestOf(r.Value)
			return false, nil
		}
		if r.Decode(); r.Kind != record.Void {
			return false, nil
		}
		if v, err := r.Voiding(); err == nil && v.Offset == at && v.Digest == meant {
			found = &v
		}
		return found != nil, nil
	})
	return found, err
}
