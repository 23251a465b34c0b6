package authority

import (
	"container/list"
	"crypto/tls"
	"sync"
	"time"
)

// leafCache keeps the leaves used last. Names that clients invent push out
// each other's leaves and those not in use, at a signature each.
type leafCache struct {
	mu    sync.Mutex
	size  int
	byKey map[string]*list.Element
	order *list.List // of *cachedLeaf, used last first
}

type cachedLeaf struct {
	key   string
	cert  *tls.Certificate
	renew time.Time
}

func newLeafCache(size int) *leafCache {
	return &leafCache{size: size, byKey: make(map[string]*list.Element), order: list.New()}
}

// get is the leaf, or nil when there is none or it is due for renewal.
func (c *leafCache) get(key string, now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return nil
	}
	leaf := e.Value.(*cachedLeaf)
	if !now.Before(leaf.renew) {
		return nil
	}
	c.order.MoveToFront(e)
	return leaf.cert
}

func (c *leafCache) put(key string, cert *tls.Certificate, renew time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	leaf := &cachedLeaf{key: key, cert: cert, renew: renew}
	if e, ok := c.byKey[key]; ok {
		e.Value = leaf
		c.order.MoveToFront(e)
		return
	}
	c.byKey[key] = c.order.PushFront(leaf)
	if c.order.Len() > c.size {
		oldest := c.order.Back()
		c.order.Remove(oldest)
		delete(c.byKey, oldest.Value.(*cachedLeaf).key)
	}
}
