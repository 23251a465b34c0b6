//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// contestantCore is where the measured process runs, everything else on the
// other one.
const contestantCore, callerCore = "0", "1"

// process is a child of this program.
type process struct {
	name    string
	command *exec.Cmd
	output  string        // file with what it printed; for some that is the access log
	ended   chan struct{} // closed when it has ended
	exit    error         // how, once it has
}

// start runs a program on one core with its output in a file of dir. The child
// dies with this program.
func start(name, core, dir string, environment []string, arguments ...string) (*process, error) {
	p := &process{name: name, output: filepath.Join(dir, name+".out"), ended: make(chan struct{})}
	out, err := os.Create(p.output)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	defer out.Close()
	p.command = exec.Command("taskset", append([]string{"-c", core}, arguments...)...)
	p.command.Stdout, p.command.Stderr = out, out
	p.command.Dir = dir
	p.command.Env = append(os.Environ(), environment...)
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	go func() {
		p.exit = p.command.Wait()
		close(p.ended)
	}()
	return p, nil
}

// ready waits until the process accepts connections on all addresses.
func (p *process) ready(addresses ...string) error {
	deadline := time.Now().Add(20 * time.Second)
	for _, address := range addresses {
		for {
			conn, err := net.DialTimeout("tcp", address, time.Second)
			if err == nil {
				conn.Close()
				break
			}
			select {
			case <-p.ended:
				return fmt.Errorf("%s ended at its start: %w\n%s", p.name, errors.Join(p.exit), p.tail())
			case <-time.After(50 * time.Millisecond):
			}
			if time.Now().After(deadline) {
				return fmt.Errorf("%s does not listen on %s: %w\n%s", p.name, address, err, p.tail())
			}
		}
	}
	return nil
}

// tail is the end of what the process printed, without the lines of requests
// that went well.
func (p *process) tail() string {
	text, _ := os.ReadFile(p.output)
	var kept [][]byte
	for line := range bytes.Lines(text) {
		if !bytes.Contains(line, []byte(`"error":""`)) {
			kept = append(kept, line)
		}
	}
	return string(bytes.Join(kept[max(0, len(kept)-8):], nil))
}

// stop ends the process, gently at first.
func (p *process) stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(3 * time.Second):
		_ = p.command.Process.Kill()
		<-p.ended
	}
}

// cpu is the processor time all threads of the process used so far, user and
// system. schedstat counts nanoseconds; where the kernel lacks it, stat's
// hundredths of a second must do.
func (p *process) cpu() (time.Duration, error) {
	if total, ok := p.schedstat(); ok {
		return total, nil
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the processor time of %s: %w", p.name, err)
	}
	// The command's name may hold spaces; what follows its bracket does not.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const utime, stime, perSecond = 11, 12, 100
	if len(fields) <= stime {
		return 0, fmt.Errorf("reading the processor time of %s: short stat line", p.name)
	}
	user, err1 := strconv.ParseInt(fields[utime], 10, 64)
	system, err2 := strconv.ParseInt(fields[stime], 10, 64)
	return time.Duration(user+system) * time.Second / perSecond, errors.Join(err1, err2)
}

func (p *process) schedstat() (time.Duration, bool) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.command.Process.Pid))
	if err != nil || len(files) == 0 {
		return 0, false
	}
	var total time.Duration
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has just ended
		}
		running, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(running, 10, 64)
		if err != nil {
			return 0, false
		}
		total += time.Duration(n)
	}
	return total, total > 0
}

// resident is the memory of the process that is in RAM, in bytes.
func (p *process) resident() (int64, error) {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the memory of %s: %w", p.name, err)
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), "VmRSS:"); found {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(value, "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("reading the memory of %s: no VmRSS", p.name)
}

// freeAddress is a loopback address nobody listens on right now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("looking for a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
