package kafkabus

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill"
)

// NewLogger returns a logger for Watermill. Watermill and sarama log every step at level info, and
// an error at every attempt. This logger uses level debug for their info, and logs an error, which
// they always retry, as a warning once in ten seconds.
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

// repeats has the time when each text was last logged.
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
	if len(r.last) > 1000 { // texts contain ports and numbers, so all are dropped rather than kept
		clear(r.last)
	}
	r.last[text] = now
	return false
}
