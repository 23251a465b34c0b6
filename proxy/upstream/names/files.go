package names

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tlslift/proxy/host"
)

// fileCheck is how often a file is read again.
const fileCheck = 5 * time.Second

// file is a parsed file.
type file[T any] struct {
	mu    sync.Mutex
	value T
	read  time.Time
	empty bool // or missing, at the last read
}

// get returns the contents of the file at path, at most fileCheck old. If the file
// cannot be read, the previous contents stay. They also stay if the file is empty or
// missing, which probably means that it is being written, unless it was so at the
// last read too.
func (f *file[T]) get(path string, parse func([]byte) T, now time.Time) T {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.read.IsZero() || now.Sub(f.read) >= fileCheck {
		b, err := os.ReadFile(path)
		empty := err == nil && len(b) == 0 || errors.Is(err, fs.ErrNotExist)
		if empty && f.empty || err == nil && !empty {
			f.value = parse(b)
		}
		f.read, f.empty = now, empty
	}
	return f.value
}

// parseHosts parses a hosts file (hosts(5)). It ignores invalid lines.
func parseHosts(b []byte) map[host.Name][]netip.Addr {
	table := make(map[host.Name][]netip.Addr)
	eachLine(b, func(fields []string) {
		addr, err := netip.ParseAddr(fields[0])
		if err != nil {
			return
		}
		for _, f := range fields[1:] {
			if name, err := host.Parse(f); err == nil {
				table[name] = sorted(append(table[name], addr.Unmap().WithZone("")))
			}
		}
	})
	return table
}

// resolvConf is the contents of a resolv.conf (resolv.conf(5)).
type resolvConf struct {
	servers []string
	search  []string // domains
	ndots   int      // a name with at least this many dots is tried as it is first
}

func parseResolvConf(b []byte) resolvConf {
	c := resolvConf{ndots: 1}
	eachLine(b, func(fields []string) {
		values := fields[1:]
		switch fields[0] {
		case "nameserver":
			if len(values) == 0 {
				return
			}
			if s, err := ParseServer(values[0]); err == nil {
				c.servers = append(c.servers, s.String())
			}
		case "search", "domain": // the last one counts
			c.search = values
		case "options":
			for _, v := range values {
				if text, ok := strings.CutPrefix(v, "ndots:"); ok {
					c.ndots, _ = strconv.Atoi(text)
				}
			}
		}
	})
	return c
}

// candidates returns the absolute names that a name may mean, in the order to try.
func (c resolvConf) candidates(name host.Name) []host.Name {
	var all []host.Name
	for _, domain := range c.search {
		if n, err := host.Parse(name.String() + "." + domain); err == nil {
			all = append(all, n)
		}
	}
	if strings.Count(name.String(), ".") >= c.ndots {
		return slices.Insert(all, 0, name)
	}
	return append(all, name)
}

func eachLine(b []byte, f func(fields []string)) {
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		line, _, _ := strings.Cut(lines.Text(), "#")
		line, _, _ = strings.Cut(line, ";")
		if fields := strings.Fields(line); len(fields) > 0 {
			f(fields)
		}
	}
}

// ParseServer parses a DNS server: an IP address or address:port. The default port is
// 53.
func ParseServer(s string) (netip.AddrPort, error) {
	ap, err := netip.ParseAddrPort(s)
	if a, plain := netip.ParseAddr(s); plain == nil {
		ap, err = netip.AddrPortFrom(a, 53), nil
	}
	if err != nil || ap.Port() == 0 {
		return ap, errors.New("neither an IP address nor address:port")
	}
	if strings.ContainsAny(ap.Addr().Zone(), "[]") { // netip allows them, but net gives them its own meaning
		return ap, errors.New("a bracket in the zone of an IPv6 address")
	}
	return ap, nil
}

func systemHostsFile() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("SystemRoot"), "System32", "drivers", "etc", "hosts")
	}
	return "/etc/hosts"
}
