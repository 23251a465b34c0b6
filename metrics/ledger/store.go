package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"go.etcd.io/bbolt"
	"go.uber.org/zap"
)

// formatVersion is the version of the file's format. A later one that cannot be
// read by this code has a higher number; an earlier one is migrated in begin.
const formatVersion = 1

// The buckets and keys of the file.
var (
	bucketMeta    = []byte("tlslift-ledger")
	bucketClients = []byte("clients") // name -> record
	bucketDays    = []byte("days")    // day and name -> counts
	keyVersion    = []byte("version")
	keySettings   = []byte("settings")
)

// settings is what a report needs of the configuration, kept with the ledger so
// that both tell the same states.
type settings struct {
	MigratedAfterSeconds int64        `json:"migrated_after_seconds"`
	Clients              []Configured `json:"clients,omitempty"`
}

// begin makes a new file's buckets, or reads those of an old one.
func (l *Ledger) begin(tx *bbolt.Tx) error {
	meta := tx.Bucket(bucketMeta)
	if meta != nil {
		return l.load(tx)
	}
	if k, _ := tx.Cursor().First(); k != nil {
		return errors.New("it belongs to another program")
	}
	for _, name := range [][]byte{bucketMeta, bucketClients, bucketDays} {
		if _, err := tx.CreateBucket(name); err != nil {
			return fmt.Errorf("preparing: %w", err)
		}
	}
	return tx.Bucket(bucketMeta).Put(keyVersion, []byte(strconv.Itoa(formatVersion)))
}

// load reads a file into an empty ledger.
func (l *Ledger) load(tx *bbolt.Tx) error {
	meta, clients, days := tx.Bucket(bucketMeta), tx.Bucket(bucketClients), tx.Bucket(bucketDays)
	if meta == nil || clients == nil || days == nil {
		return errors.New("it is not a ledger")
	}
	if v, err := strconv.Atoi(string(meta.Get(keyVersion))); err != nil || v != formatVersion {
		return fmt.Errorf("its format version is %.20q, this program's is %d", meta.Get(keyVersion), formatVersion)
	}
	now := l.clock().Unix()
	latest := now + int64(24*time.Hour/time.Second)
	unreadable, unplaced := 0, 0
	err := clients.ForEach(func(k, v []byte) error {
		r, err := decode(string(k), v, latest)
		switch {
		case err != nil:
			unreadable++
		case !l.place(r):
			unplaced++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading clients: %w", err)
	}
	if err := l.loadDays(days, dayOf(latest)); err != nil {
		return err
	}
	if unreadable+unplaced > 0 {
		l.logger.Warn("some clients of the state file were not taken over",
			zap.Int("unreadable", unreadable), zap.Int("beyond_the_limit", unplaced))
	}
	return nil
}

func (l *Ledger) loadDays(days *bbolt.Bucket, latest int32) error {
	err := days.ForEach(func(k, v []byte) error {
		number, name, ok := parseDayKey(k)
		counts, sane := decodeDay(v)
		if !ok || !sane || number > latest || number <= latest-1-historyDays {
			return nil
		}
		if r := l.shard(name).rows[name]; r != nil {
			r.days = append(r.days, day{number, counts}) // the keys are in order of days
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading days: %w", err)
	}
	return nil
}

// place puts a row that was read into the ledger if there is room. Nobody else
// uses the ledger yet.
func (l *Ledger) place(r *row) bool {
	_, r.configured = l.policy.Load().clients[r.name]
	if !r.configured {
		if l.discovered >= l.track && (r.evictable() || !l.evict()) {
			return false
		}
		l.discovered++
		l.queue.add(r)
	}
	l.shard(r.name).rows[r.name] = r
	l.tracked.Add(1)
	return true
}

// empty undoes a load that failed half-way.
func (l *Ledger) empty() {
	for i := range l.shards {
		clear(l.shards[i].rows)
	}
	l.discovered, l.queue, l.removed = 0, nil, nil
	l.tracked.Store(0)
}

// writing is one write of what changed, and what it takes to undo it.
type writing struct {
	ledger  *Ledger
	now     time.Time
	policy  *policy
	removed []removedRow
	written []written
}

type written struct {
	name string
	from int32
}

// write puts everything that changed since the last write into one transaction.
func (k *keeper) write(tx *bbolt.Tx, w *writing) error {
	clients, days := tx.Bucket(bucketClients), tx.Bucket(bucketDays)
	if clients == nil || days == nil {
		return errors.New("its buckets are gone")
	}
	if err := k.writeSettings(tx.Bucket(bucketMeta), w); err != nil {
		return err
	}
	if today := dayOf(w.now.Unix()); k.pruned != today {
		if err := deleteDays(days, today-historyDays); err != nil {
			return err
		}
	}
	if err := w.remove(clients, days); err != nil {
		return err
	}
	var batch []row
	for i := range w.ledger.shards {
		batch = w.collect(&w.ledger.shards[i], batch[:0])
		for j := range batch {
			if err := writeRow(clients, days, &batch[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (k *keeper) writeSettings(meta *bbolt.Bucket, w *writing) error {
	w.policy = w.ledger.policy.Load()
	if w.policy == k.written {
		return nil
	}
	s := settings{MigratedAfterSeconds: int64(w.policy.migratedAfter / time.Second)}
	for _, c := range w.policy.clients {
		s.Clients = append(s.Clients, c)
	}
	data, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encoding settings: %w", err)
	}
	return meta.Put(keySettings, data)
}

// remove deletes evicted rows. One whose client has come back meanwhile is
// written anew in the same transaction.
func (w *writing) remove(clients, days *bbolt.Bucket) error {
	l := w.ledger
	l.admission.Lock()
	w.removed, l.removed = l.removed, nil
	l.admission.Unlock()
	for _, gone := range w.removed {
		if err := clients.Delete([]byte(gone.name)); err != nil {
			return fmt.Errorf("deleting a client: %w", err)
		}
		for _, number := range gone.days {
			if err := days.Delete(dayKey(number, gone.name)); err != nil {
				return fmt.Errorf("deleting a day: %w", err)
			}
		}
		l.redirty(gone.name, 0)
	}
	return nil
}

// collect copies a shard's changed rows, each with its changed days alone.
func (w *writing) collect(s *shard, batch []row) []row {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		if !r.dirty {
			continue
		}
		c := *r
		c.hosts, c.tallies = slices.Clone(r.hosts), slices.Clone(r.tallies)
		i := len(r.days)
		for i > 0 && r.days[i-1].number >= r.dirtyFrom {
			i--
		}
		c.days = slices.Clone(r.days[i:])
		batch = append(batch, c)
		w.written = append(w.written, written{r.name, r.dirtyFrom})
		r.dirty, r.stored = false, true
	}
	return batch
}

func writeRow(clients, days *bbolt.Bucket, r *row) error {
	data, err := encode(r)
	if err != nil {
		return fmt.Errorf("encoding a client: %w", err)
	}
	if err := clients.Put([]byte(r.name), data); err != nil {
		return fmt.Errorf("writing a client: %w", err)
	}
	for i := range r.days {
		if err := days.Put(dayKey(r.days[i].number, r.name), encodeDay(r.days[i].DayCounts)); err != nil {
			return fmt.Errorf("writing a day: %w", err)
		}
	}
	return nil
}

// undo marks what was not written after all.
func (w *writing) undo() {
	l := w.ledger
	l.admission.Lock()
	l.removed = append(w.removed, l.removed...)
	l.admission.Unlock()
	for _, c := range w.written {
		l.redirty(c.name, c.from)
	}
}

// redirty has a row, if it is there, written again with its days since from.
func (l *Ledger) redirty(name string, from int32) {
	s := l.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rows[name]; r != nil && r.first != 0 {
		if !r.dirty {
			r.dirty, r.dirtyFrom = true, from
		}
		r.dirtyFrom = min(r.dirtyFrom, from)
	}
}

// deleteDays drops every day up to and including the given one.
func deleteDays(days *bbolt.Bucket, upTo int32) error {
	c := days.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.First() {
		if number, _, ok := parseDayKey(k); ok && number > upTo {
			return nil
		}
		if err := days.Delete(k); err != nil {
			return fmt.Errorf("deleting old days: %w", err)
		}
	}
	return nil
}
