package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// scrape is what an instance answered on /metrics.
type scrape struct {
	At       int64 // seconds
	Job      string
	Instance string
	Text     string // empty if it did not answer
}

func (s scrape) time() time.Time { return time.Unix(1_700_000_000+s.At, 0) }

// series is what Prometheus would have stored of scrapes.
type series struct {
	times  []time.Time
	all    []*samples
	byName map[string]*samples // by all of their labels
}

type samples struct {
	labels labels.Labels
	values []chunks.Sample
}

// seriesOf stores scrapes as Prometheus does: with the labels job and instance, with the series up,
// and with a stale marker where a series has ended.
func seriesOf(scrapes []scrape) (*series, error) {
	s := &series{byName: map[string]*samples{}}
	shown := map[string]map[*samples]bool{} // by instance
	for _, c := range scrapes {
		at := c.time()
		if n := len(s.times); n == 0 || s.times[n-1].Before(at) {
			s.times = append(s.times, at)
		} else if s.times[n-1].After(at) {
			return nil, fmt.Errorf("the scrape of %s at %d is not in the order of time", c.Instance, c.At)
		}
		now := map[*samples]bool{}
		if err := s.take(c, now); err != nil {
			return nil, fmt.Errorf("the scrape of %s at %d: %w", c.Instance, c.At, err)
		}
		for gone := range shown[c.Instance] {
			if !now[gone] {
				gone.addFloat(at, math.Float64frombits(value.StaleNaN))
			}
		}
		shown[c.Instance] = now
		up := 0.0
		if c.Text != "" {
			up = 1
		}
		s.of(labels.FromStrings(model.MetricNameLabel, "up", "job", c.Job, "instance", c.Instance)).addFloat(at, up)
	}
	return s, nil
}

// take stores the series of a scrape, and notes them in now.
func (s *series) take(c scrape, now map[*samples]bool) error {
	p := textparse.NewPromParser([]byte(c.Text), labels.NewSymbolTable(), false)
	for {
		entry, err := p.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if entry != textparse.EntrySeries {
			continue
		}
		_, _, v := p.Series()
		var l labels.Labels
		p.Labels(&l)
		of := s.of(labels.NewBuilder(l).Set("job", c.Job).Set("instance", c.Instance).Labels())
		of.addFloat(c.time(), v)
		now[of] = true
	}
}

func (s *series) of(l labels.Labels) *samples {
	name := l.String()
	if s.byName[name] == nil {
		s.byName[name] = &samples{labels: l}
		s.all = append(s.all, s.byName[name])
	}
	return s.byName[name]
}

func (s *samples) addFloat(at time.Time, v float64) {
	s.values = append(s.values, sample{at.UnixMilli(), v})
}

// Querier implements storage.Queryable. The engine leaves out what is out of its range.
func (s *series) Querier(int64, int64) (storage.Querier, error) { return querier{s}, nil }

type querier struct{ *series }

// Select implements storage.Querier.
func (q querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	set := &set{at: -1}
next:
	for _, s := range q.all {
		for _, m := range matchers {
			if !m.Matches(s.labels.Get(m.Name)) {
				continue next
			}
		}
		set.list = append(set.list, storage.NewListSeries(s.labels, s.values))
	}
	return set
}

// LabelValues implements storage.LabelQuerier. No expression needs it.
func (querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errors.ErrUnsupported
}

// LabelNames implements storage.LabelQuerier. No expression needs it.
func (querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errors.ErrUnsupported
}

// Close implements storage.LabelQuerier.
func (querier) Close() error { return nil }

// set is a storage.SeriesSet.
type set struct {
	list []storage.Series
	at   int
}

func (s *set) Next() bool                        { s.at++; return s.at < len(s.list) }
func (s *set) At() storage.Series                { return s.list[s.at] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

// sample is a chunks.Sample.
type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                      { return s.at }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }
