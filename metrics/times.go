package metrics

import (
	"sync/atomic"
	"time"
)

// clientTime names one of a client's timestamp gauges.
type clientTime uint8

const (
	firstSeen clientTime = iota
	lastInsecure
	lastSecure
	sunset
	waiver
	declared
	numClientTimes
)

var clientTimes = [numClientTimes]struct{ name, help string }{
	firstSeen: {
		"client_first_seen_timestamp_seconds",
		"When the client was first seen; 0 is never.",
	},
	lastInsecure: {
		"client_last_insecure_timestamp_seconds",
		"When the client last came in clear or with TLS below 1.2; 0 is never.",
	},
	lastSecure: {
		"client_last_secure_timestamp_seconds",
		"When the client last came with TLS 1.2 or newer; 0 is never.",
	},
	sunset: {
		"client_sunset_timestamp_seconds",
		"When the client is to be refused, from the configuration; 0 is never.",
	},
	waiver: {
		"client_waiver_expiry_timestamp_seconds",
		"When the client's waiver expires, from the configuration; 0 is no waiver.",
	},
	declared: {
		"client_declared_migrated_timestamp_seconds",
		"When its owner declared the client migrated, from the configuration; 0 is not declared.",
	},
}

// times are a client's timestamps in Unix seconds; 0 is never.
type times [numClientTimes]atomic.Int64

// now is the clock in Unix seconds.
func (m *Metrics) now() int64 { return m.clock().Unix() }

// advance moves one timestamp forward to now. Within the same second it costs
// one load.
func (c *Client) advance(t clientTime, now int64) {
	if c.times[t].Load() >= now {
		return
	}
	c.series.mu.Lock()
	defer c.series.mu.Unlock()
	if c.times[t].Load() < now {
		c.storeTime(t, now)
	}
}

// setTime sets one timestamp and its gauge, forward or back.
func (c *Client) setTime(t clientTime, unix int64) {
	c.series.mu.Lock()
	defer c.series.mu.Unlock()
	c.storeTime(t, unix)
}

// storeTime is setTime for a caller that holds c.series.mu. A client freed
// meanwhile gets no gauge.
func (c *Client) storeTime(t clientTime, unix int64) {
	c.times[t].Store(unix)
	if !c.freed.Load() {
		c.m.times[t].WithLabelValues(c.name).Set(float64(unix))
	}
}

// seen records that the client was there for one of our upstreams.
func (c *Client) seen(now int64) {
	if c.times[firstSeen].Load() == 0 && !c.overflow {
		c.setTime(firstSeen, now)
	}
}

// seenAs records the client's presence and whether it was insecure.
func (c *Client) seenAs(insecure bool, now int64) {
	c.seen(now)
	if insecure {
		c.advance(lastInsecure, now)
	} else {
		c.advance(lastSecure, now)
	}
}

// FirstSeen says when the client was first seen, for what was known before
// this process started. A later time than the known one changes nothing, nor
// does the zero time.
func (c *Client) FirstSeen(t time.Time) {
	c = c.current()
	known := c.times[firstSeen].Load()
	if t.IsZero() || c.overflow || known != 0 && known <= t.Unix() {
		return
	}
	c.setTime(firstSeen, t.Unix())
}

// LastInsecure says that the client was insecure at t: for what was known
// before this process started, and for what no request or connection shows. An
// earlier time than the known one changes nothing.
func (c *Client) LastInsecure(t time.Time) { c.last(lastInsecure, t) }

// LastSecure says that the client was secure at t, as LastInsecure does.
func (c *Client) LastSecure(t time.Time) { c.last(lastSecure, t) }

func (c *Client) last(which clientTime, t time.Time) {
	if t.IsZero() {
		return
	}
	c.current().advance(which, t.Unix())
}

// Sunset says when the client is to be refused; the zero time is never.
func (c *Client) Sunset(t time.Time) { c.configure(sunset, t) }

// Waiver says when the client's waiver expires; the zero time is none.
func (c *Client) Waiver(t time.Time) { c.configure(waiver, t) }

// Declared says when the client's owner declared it migrated; the zero time is
// not declared.
func (c *Client) Declared(t time.Time) { c.configure(declared, t) }

// configure sets a timestamp of the configuration. Clients that only share
// the label _overflow have none.
func (c *Client) configure(which clientTime, t time.Time) {
	c = c.current()
	var unix int64
	if !t.IsZero() {
		unix = t.Unix()
	}
	if c.overflow || c.times[which].Load() == unix {
		return
	}
	c.setTime(which, unix)
}
