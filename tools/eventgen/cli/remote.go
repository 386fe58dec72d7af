package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/deferpay/deferpay/tools/eventgen/generate"
)

// limits bound what is fetched, whatever the servers do.
type limits struct {
	each, all           time.Duration // for one answer, and for all of a call
	eachBytes, allBytes int64
}

var usual = limits{each: 30 * time.Second, all: 2 * time.Minute, eachBytes: 16 << 20, allBytes: 64 << 20}

// reading are the flags of all commands that read documents.
type reading struct{ remote, raw *bool }

func readingFlags(f *flag.FlagSet) reading {
	return reading{
		f.Bool("allow-remote", false, "fetch what URLs refer to, where there is no copy of it in the folder vendor beside the document (vendor/HOST/PATH)"),
		f.Bool("allow-raw", false, "payloads in formats that eventgen does not know are []byte instead of an error"),
	}
}

// config says how to read documents. What cancel belongs to has to be read before it is called.
func (r reading) config(docs []string, l limits) (c generate.Config, cancel func()) {
	c, cancel = generate.Config{Documents: docs, Raw: *r.raw}, func() {}
	if *r.remote {
		f := &fetcher{limits: l, left: l.allBytes}
		f.ctx, cancel = context.WithTimeoutCause(context.Background(), l.all, fmt.Errorf("what is remote took longer than %s in all", l.all))
		c.Fetch = f.fetch
	}
	return c, cancel
}

// fetcher gets what is behind URLs.
type fetcher struct {
	limits
	ctx  context.Context
	left int64 // bytes
}

// fetch gets what is at a URL, and where that was found in the end: what it refers to is relative
// to that place.
func (f *fetcher) fetch(place string) (data []byte, from string, err error) {
	ctx, cancel := context.WithTimeoutCause(f.ctx, f.each, fmt.Errorf("there is no whole answer within %s", f.each))
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, place, nil)
	if err != nil {
		return nil, "", err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, "", late(ctx, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("the server answers %s", answer.Status)
	}
	most := min(f.eachBytes, f.left)
	data, err = io.ReadAll(io.LimitReader(answer.Body, most+1))
	switch {
	case err != nil:
		return nil, "", late(ctx, err)
	case int64(len(data)) > f.eachBytes:
		return nil, "", fmt.Errorf("it is larger than %d bytes", f.eachBytes)
	case int64(len(data)) > f.left:
		return nil, "", fmt.Errorf("what is remote is larger than %d bytes in all", f.allBytes)
	}
	f.left -= int64(len(data))
	return data, answer.Request.URL.String(), nil
}

// late says which limit was reached, when one was, and what is wrong else.
func late(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if known, ok := errors.AsType[*url.Error](err); ok {
		return known.Err // the URL is told already
	}
	return err
}
