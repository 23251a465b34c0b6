package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// sound looks through a bbolt file before bbolt maps it for writing. bbolt
// trusts its pages: one that points to itself recurses without end, which no
// recover can stop. Every page that can be reached must lie within the file, be
// reached once, and hold its elements within itself; the free pages must not be
// among them. A missing or empty file is sound.
func sound(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	// Opened for reading, bbolt takes the lock that keeps writers away and
	// looks at the two meta pages alone.
	var db *bbolt.DB
	err = guarded(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: lockWait})
		return err
	})
	if errors.Is(err, bolterrors.ErrTimeout) {
		return errLocked
	}
	if err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	defer func() { _ = guarded(db.Close) }()
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening: %w", err)
	}
	defer f.Close()
	w := walker{file: f, size: info.Size(), seen: make(map[uint64]struct{})}
	return w.walk(db.Info().PageSize)
}

// The format's constants (go.etcd.io/bbolt/internal/common); numbers are in the
// machine's byte order.
const (
	pageHeader    = 16
	elementBranch = 16
	elementLeaf   = 16
	bucketHeader  = 16
	metaSize      = 64
	flagBranch    = 0x01
	flagLeaf      = 0x02
	flagFreelist  = 0x10
	flagBucket    = 0x01
	noFreelist    = ^uint64(0)
	maxDepth      = 24
	maxPageBytes  = 64 << 20
)

var order = binary.NativeEndian

type walker struct {
	file     io.ReaderAt
	size     int64
	pageSize uint64
	pages    uint64 // high-water mark
	seen     map[uint64]struct{}
}

type page struct {
	flags, count uint16
	data         []byte // header included
}

func (w *walker) walk(pageSize int) error {
	if pageSize < 512 || pageSize > 1<<20 {
		return fmt.Errorf("damaged: pages of %d bytes", pageSize)
	}
	w.pageSize = uint64(pageSize)
	root, free, err := w.meta()
	if err != nil {
		return err
	}
	if err := w.tree(root, 0); err != nil {
		return err
	}
	return w.freelist(free)
}

// meta reads the newer of the two meta pages whose checksum bbolt accepted.
func (w *walker) meta() (root, free uint64, err error) {
	var newest uint64
	found := false
	for i := range int64(2) {
		b := make([]byte, metaSize)
		if _, err := w.file.ReadAt(b, i*int64(w.pageSize)+pageHeader); err != nil {
			return 0, 0, fmt.Errorf("damaged: meta page %d: %w", i, err)
		}
		txid := order.Uint64(b[48:])
		if !validMeta(b) || found && txid < newest {
			continue
		}
		found, newest = true, txid
		root, free, w.pages = order.Uint64(b[16:]), order.Uint64(b[32:]), order.Uint64(b[40:])
	}
	if !found {
		return 0, 0, errors.New("damaged: no valid meta page")
	}
	return root, free, nil
}

// validMeta checks the FNV-1a sum over everything before it.
func validMeta(b []byte) bool {
	sum := uint64(14695981039346656037)
	for _, c := range b[:metaSize-8] {
		sum = (sum ^ uint64(c)) * 1099511628211
	}
	return sum == order.Uint64(b[metaSize-8:])
}

// page reads a page with its overflow and claims it.
func (w *walker) page(id uint64) (page, error) {
	if id < 2 || id >= w.pages || (id+1)*w.pageSize > uint64(w.size) {
		return page{}, fmt.Errorf("damaged: page %d is outside of the file", id)
	}
	head := make([]byte, pageHeader)
	if _, err := w.file.ReadAt(head, int64(id*w.pageSize)); err != nil {
		return page{}, fmt.Errorf("damaged: page %d: %w", id, err)
	}
	overflow := uint64(order.Uint32(head[12:]))
	length := (overflow + 1) * w.pageSize
	if order.Uint64(head) != id || length > maxPageBytes || id+overflow >= w.pages || id*w.pageSize+length > uint64(w.size) {
		return page{}, fmt.Errorf("damaged: page %d has a wrong head", id)
	}
	for i := range overflow + 1 {
		if _, twice := w.seen[id+i]; twice {
			return page{}, fmt.Errorf("damaged: page %d is used twice", id+i)
		}
		w.seen[id+i] = struct{}{}
	}
	p := page{flags: order.Uint16(head[8:]), count: order.Uint16(head[10:]), data: make([]byte, length)}
	if _, err := w.file.ReadAt(p.data, int64(id*w.pageSize)); err != nil {
		return page{}, fmt.Errorf("damaged: page %d: %w", id, err)
	}
	return p, nil
}

// tree walks a page and everything below it.
func (w *walker) tree(id uint64, depth int) error {
	if depth > maxDepth {
		return errors.New("damaged: its pages nest too deep")
	}
	p, err := w.page(id)
	if err != nil {
		return err
	}
	switch p.flags {
	case flagBranch:
		return w.branch(p, id, depth)
	case flagLeaf:
		return w.leaf(p, id, depth)
	}
	return fmt.Errorf("damaged: page %d is of no kind that belongs there", id)
}

func (w *walker) branch(p page, id uint64, depth int) error {
	if p.count == 0 {
		return fmt.Errorf("damaged: page %d is empty", id)
	}
	for i := range uint64(p.count) {
		at := pageHeader + i*elementBranch
		if at+elementBranch > uint64(len(p.data)) {
			return fmt.Errorf("damaged: page %d counts too far", id)
		}
		e := p.data[at:]
		if at+uint64(order.Uint32(e))+uint64(order.Uint32(e[4:])) > uint64(len(p.data)) {
			return fmt.Errorf("damaged: page %d points outside of itself", id)
		}
		if err := w.tree(order.Uint64(e[8:]), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) leaf(p page, id uint64, depth int) error {
	for i := range uint64(p.count) {
		at := pageHeader + i*elementLeaf
		if at+elementLeaf > uint64(len(p.data)) {
			return fmt.Errorf("damaged: page %d counts too far", id)
		}
		e := p.data[at:]
		value := at + uint64(order.Uint32(e[4:])) + uint64(order.Uint32(e[8:]))
		end := value + uint64(order.Uint32(e[12:]))
		if end > uint64(len(p.data)) {
			return fmt.Errorf("damaged: page %d points outside of itself", id)
		}
		if order.Uint32(e)&flagBucket == 0 {
			continue
		}
		if err := w.bucket(p.data[value:end], id, depth); err != nil {
			return err
		}
	}
	return nil
}

// bucket walks a bucket, which is either a page of its own or a leaf page
// within its parent's value.
func (w *walker) bucket(value []byte, id uint64, depth int) error {
	if len(value) < bucketHeader {
		return fmt.Errorf("damaged: page %d has a bucket without a head", id)
	}
	if root := order.Uint64(value); root != 0 {
		return w.tree(root, depth+1)
	}
	inline := value[bucketHeader:]
	if len(inline) < pageHeader || order.Uint16(inline[8:]) != flagLeaf || depth > maxDepth {
		return fmt.Errorf("damaged: page %d has a broken bucket", id)
	}
	return w.leaf(page{flags: flagLeaf, count: order.Uint16(inline[10:]), data: inline}, id, depth+1)
}

// freelist checks the list of free pages.
func (w *walker) freelist(id uint64) error {
	if id == noFreelist {
		return nil
	}
	p, err := w.page(id)
	if err != nil {
		return err
	}
	if p.flags != flagFreelist {
		return fmt.Errorf("damaged: page %d is no list of free pages", id)
	}
	ids, count := p.data[pageHeader:], uint64(p.count)
	if p.count == 0xFFFF {
		count, ids = order.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return fmt.Errorf("damaged: page %d counts too far", id)
	}
	for i := range count {
		free := order.Uint64(ids[8*i:])
		if _, used := w.seen[free]; used || free < 2 || free >= w.pages {
			return fmt.Errorf("damaged: page %d is listed as free", free)
		}
		w.seen[free] = struct{}{}
	}
	return nil
}
