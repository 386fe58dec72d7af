package kafkabus

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
)

// NewLogger returns what Watermill logs to. Watermill and sarama tell of every step at info and
// repeat an error at every attempt; here their info is debug, and an error, which they all retry,
// is a warning once in ten seconds.
func NewLogger(to *slog.Logger) watermill.LoggerAdapter {
	return logger{to: to, seen: &repeats{last: map[string]time.Time{}}}
}

var _ watermill.LoggerAdapter = logger{}

type logger struct {
	to   *slog.Logger
	seen *repeats
}

const quietFor = 10 * time.Second

func (l logger) Error(msg string, err error, fields watermill.LogFields) {
	text := "unknown"
	if err != nil {
		text = err.Error()
	}
	if l.seen.lately(msg + "\x00" + text) {
		l.log(slog.LevelDebug, msg, fields.Add(watermill.LogFields{"error": text}))
		return
	}
	l.log(slog.LevelWarn, msg, fields.Add(watermill.LogFields{"error": text}))
}

func (l logger) Info(msg string, fields watermill.LogFields) { l.log(slog.LevelDebug, msg, fields) }
func (l logger) Debug(msg string, fields watermill.LogFields) {
	l.log(watermill.LevelTrace, msg, fields)
}
func (l logger) Trace(msg string, fields watermill.LogFields) {
	l.log(watermill.LevelTrace, msg, fields)
}

func (l logger) With(fields watermill.LogFields) watermill.LoggerAdapter {
	return logger{to: l.to.With(attributes(fields)...), seen: l.seen}
}

func (l logger) log(level slog.Level, msg string, fields watermill.LogFields) {
	if ctx := context.Background(); l.to.Enabled(ctx, level) {
		l.to.Log(ctx, level, msg, attributes(fields)...)
	}
}

func attributes(fields watermill.LogFields) []any {
	out := make([]any, 0, 2*len(fields))
	for name, value := range fields {
		out = append(out, name, value)
	}
	return out
}

// repeats remembers when a text was last let through.
type repeats struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (r *repeats) lately(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if last, ok := r.last[text]; ok && now.Sub(last) < quietFor {
		return true
	}
	if len(r.last) > 1000 { // texts hold ports and numbers: forget them all rather than grow
		clear(r.last)
	}
	r.last[text] = now
	return false
}
