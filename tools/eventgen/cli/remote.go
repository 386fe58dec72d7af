package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/deferpay/deferpay/tools/eventgen/generate"
)

// limits are those of what is fetched.
type limits struct {
	each, all           time.Duration // for one answer, and for the whole call
	eachBytes, allBytes int64
}

var usual = limits{each: 30 * time.Second, all: 2 * time.Minute, eachBytes: 16 << 20, allBytes: 64 << 20}

// reading has the flags of all commands that read documents.
type reading struct {
	remote, raw      *bool
	settings, vendor *string
	overlays         *[]string
}

func readingFlags(f *flag.FlagSet) reading {
	var overlays []string
	f.Func("overlay", "`file` of actions of the OpenAPI Overlay Specification that change the documents before they are read; may be repeated", func(name string) error {
		overlays = append(overlays, name)
		return nil
	})
	return reading{
		f.Bool("allow-remote", false, "fetch what URLs refer to, unless there is a copy of it (see -vendor)"),
		f.Bool("allow-raw", false, "payloads in unknown formats are []byte instead of an error"),
		f.String("config", "", "`file` with what the documents leave out: the package, and the framing of messages"),
		f.String("vendor", "", "`folder` with copies of what URLs refer to, as HOST/PATH; by default vendor beside each document"),
		&overlays,
	}
}

// config returns how to read documents. They have to be read before cancel is called.
func (r reading) config(docs []string, l limits) (c generate.Config, cancel func()) {
	named := alike(append(slices.Clone(docs), *r.overlays...))
	c = generate.Config{Documents: named[:len(docs)], Overlays: named[len(docs):], Vendor: *r.vendor, Raw: *r.raw, Settings: *r.settings, Complete: complete}
	cancel = func() {}
	if *r.remote {
		f := &fetcher{limits: l, left: l.allBytes}
		f.ctx, cancel = context.WithTimeoutCause(context.Background(), l.all, fmt.Errorf("remote files took longer than %s in all", l.all))
		c.Fetch = f.fetch
	}
	return c, cancel
}

// complete returns the complete path of a file, with slashes.
func complete(name string) string {
	if at, err := filepath.Abs(name); err == nil {
		name = at
	}
	return filepath.ToSlash(name)
}

// alike makes all paths complete if one of them is, so that no file is read under two names.
func alike(docs []string) []string {
	if !slices.ContainsFunc(docs, filepath.IsAbs) {
		return docs
	}
	out := make([]string, len(docs))
	for i, d := range docs {
		out[i] = complete(d)
	}
	return out
}

// fetcher fetches URLs.
type fetcher struct {
	limits
	ctx  context.Context
	left int64 // bytes
}

// fetch returns what is at a URL, and the URL where it was found after redirects, to which its own
// references are relative.
func (f *fetcher) fetch(place string) (data []byte, from string, err error) {
	ctx, cancel := context.WithTimeoutCause(f.ctx, f.each, fmt.Errorf("there was no complete answer within %s", f.each))
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
		return nil, "", fmt.Errorf("remote files are larger than %d bytes in all", f.allBytes)
	}
	f.left -= int64(len(data))
	return data, answer.Request.URL.String(), nil
}

// late returns the limit that was exceeded, if one was, and otherwise the error itself.
func late(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if known, ok := errors.AsType[*url.Error](err); ok {
		return known.Err // the URL is in the diagnostic already
	}
	return err
}
