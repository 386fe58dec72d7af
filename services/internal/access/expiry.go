package access

import (
	"crypto/sha256"
	"sync"
	"time"
)

// expiring are the API keys that were logged because they expire soon, or have expired.
type expiring struct {
	mu     sync.Mutex
	logged map[[sha256.Size]byte]notice
}

// notice is what was logged of a key.
type notice struct {
	expires time.Time
	expired bool
}

// warn logs each API key that expires within cfg.Warn, and each that has expired. A key is logged
// once for each of the two, and again if another date was set.
func (c *Control) warn() {
	e, now := &c.expiring, c.cfg.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	logged := map[[sha256.Size]byte]notice{} // without keys that were removed
	for i, k := range c.keys.Value() {
		if k.expires == nil || now.Add(c.cfg.Warn).Before(*k.expires) {
			continue
		}
		n := notice{*k.expires, !now.Before(*k.expires)}
		logged[k.hash] = n
		about := []any{"subject", k.caller.Subject, "entry", i, "expires", k.expires.UTC().Format(time.RFC3339)}
		switch {
		case e.logged[k.hash] == n:
		case n.expired:
			c.cfg.Logger.Warn("an API key has expired and is refused", about...)
		default:
			c.cfg.Logger.Warn("an API key expires soon", about...)
		}
	}
	e.logged = logged
}
