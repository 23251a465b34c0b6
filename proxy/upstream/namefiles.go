package upstream

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	// fileCheck is how often a file is looked at for changes.
	fileCheck = 5 * time.Second
	// maxNameFile bounds what is read of a hosts file or resolv.conf.
	maxNameFile = 4 << 20
)

// watchedFile is a parsed file, read again when it has changed.
type watchedFile[T any] struct {
	path  string
	parse func([]byte) T

	mu      sync.Mutex
	value   T
	checked time.Time
	modTime time.Time
	size    int64
}

func newWatchedFile[T any](path string, parse func([]byte) T) *watchedFile[T] {
	return &watchedFile[T]{path: path, parse: parse}
}

// get returns the value of the file as it was at most fileCheck ago. A file
// that cannot be read is an empty one.
func (f *watchedFile[T]) get(now time.Time) T {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.checked.IsZero() && now.Sub(f.checked) < fileCheck {
		return f.value
	}
	f.checked = now
	info, err := os.Stat(f.path)
	if err != nil {
		var none T
		f.value, f.modTime, f.size = none, time.Time{}, 0
		return f.value
	}
	if info.ModTime().Equal(f.modTime) && info.Size() == f.size {
		return f.value
	}
	b, err := readUpTo(f.path, maxNameFile)
	if err == nil {
		f.value, f.modTime, f.size = f.parse(b), info.ModTime(), info.Size()
	}
	return f.value
}

func readUpTo(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	return io.ReadAll(io.LimitReader(file, limit))
}

// hostsTable maps normalised names to addresses, in the file's order.
type hostsTable map[string][]netip.Addr

// parseHosts reads a hosts file (hosts(5)); what is not understood is left out.
func parseHosts(b []byte) hostsTable {
	table := make(hostsTable)
	eachLine(b, func(fields []string) {
		addr, err := netip.ParseAddr(fields[0])
		if err != nil {
			return
		}
		for _, f := range fields[1:] {
			if name, ok := normalise(f); ok {
				table[name] = append(table[name], addr.Unmap().WithZone(""))
			}
		}
	})
	return table
}

// parseResolvConf returns the servers of a resolv.conf (resolv.conf(5)), as
// address:port. Search lists and options do not matter: names are absolute.
func parseResolvConf(b []byte) []string {
	var servers []string
	eachLine(b, func(fields []string) {
		if len(fields) < 2 || fields[0] != "nameserver" {
			return
		}
		if s, err := parseServer(fields[1]); err == nil {
			servers = append(servers, s)
		}
	})
	return servers
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

// parseServer returns a DNS server as address:port.
func parseServer(s string) (string, error) {
	ap, err := netip.ParseAddrPort(s)
	if a, plain := netip.ParseAddr(s); plain == nil {
		ap, err = netip.AddrPortFrom(a, 53), nil
	}
	if err != nil || ap.Port() == 0 {
		return "", errors.New("neither an IP address nor address:port")
	}
	if strings.ContainsAny(ap.Addr().Zone(), "[]") { // netip allows them, and net would take them for its own
		return "", errors.New("a bracket in the zone of an IPv6 address")
	}
	return ap.String(), nil
}

func systemHostsFile() string {
	if runtime.GOOS == "windows" {
		return filepath.Join(os.Getenv("SystemRoot"), "System32", "drivers", "etc", "hosts")
	}
	return "/etc/hosts"
}
