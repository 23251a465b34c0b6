//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the flags of one run.
type options struct {
	binary   string        // of tlslift
	against  string        // another tlslift, measured beside it; "" = none
	only     string        // sections, comma-separated; "" = all
	rounds   int           // of each paired measurement
	turn     time.Duration // how long a contestant is loaded in one round
	rate     int           // requests per second of the fixed schedule
	callers  int           // keep-alive connections
	long     bool          // an idle minute instead of idle seconds
	document string        // file whose results are replaced; "" = none
	profile  string        // file for a CPU profile of tlslift under load, instead of measuring
	load     string        // for the profile: keepalive, schedule or mixed
}

func main() { os.Exit(run()) }

func run() int {
	// Children get a parent-death signal, which the kernel ties to the thread
	// that started them.
	runtime.LockOSThread()
	if len(os.Args) > 1 && os.Args[1] == "upstream" {
		return fail(serveUpstream(os.Args[2:]))
	}
	o := options{}
	flag.StringVar(&o.binary, "tlslift", "bin/tlslift", "the `binary` to measure")
	flag.StringVar(&o.against, "against", "", "a second `binary` of tlslift, such as the one before a change, for the paired loads")
	flag.StringVar(&o.only, "only", "", "`sections` to run: "+strings.Join(sectionNames(), ",")+"; empty = all")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of each paired measurement")
	flag.DurationVar(&o.turn, "turn", 2*time.Second, "how long each contestant is loaded in a round, in whole seconds")
	flag.IntVar(&o.rate, "rate", 8000, "requests per second of the fixed schedule")
	flag.IntVar(&o.callers, "callers", 32, "keep-alive connections of the callers")
	flag.BoolVar(&o.long, "long", os.Getenv("BENCH_LONG") == "1", "wait a whole minute before the requests that follow idleness (BENCH_LONG=1)")
	flag.StringVar(&o.document, "write", "", "replace the results in this Markdown `file`")
	flag.StringVar(&o.profile, "profile", "", "load tlslift and keep a CPU profile in `file` instead of measuring")
	flag.StringVar(&o.load, "load", "keepalive", "the load of -profile: keepalive, schedule or mixed")
	flag.Parse()
	if o.turn < time.Second || o.turn%time.Second != 0 {
		return fail(errors.New("-turn takes whole seconds, as wrk does"))
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return fail(measure(ctx, o))
}

func fail(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "bench:", err)
	return 1
}

// section is one part of the report.
type section struct {
	name string
	run  func(context.Context, *bench) (table, error)
}

func sections() []section {
	return []section{
		{"keepalive", measureKeepAlive},
		{"schedule", measureSchedule},
		{"traffic", measureTraffic},
		{"reconnect", measureReconnect},
		{"memory", measureMemory},
		{"handshake", measureHandshakes},
	}
}

func sectionNames() []string {
	var names []string
	for _, s := range sections() {
		names = append(names, s.name)
	}
	return names
}

// measure runs the wanted sections and prints what they found.
func measure(ctx context.Context, o options) error {
	if runtime.NumCPU() > 1 {
		return errors.New("start it through run.sh: it belongs on core 1 alone")
	}
	b, err := newBench(o)
	if err != nil {
		return err
	}
	defer b.close()
	if o.profile != "" {
		return b.keepProfile(ctx)
	}
	report := report{cores: b.cores, versions: b.versions}
	for _, s := range sections() {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), s.name) {
			continue
		}
		started := time.Now()
		t, err := s.run(ctx, b)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		fmt.Fprintf(os.Stderr, "%s: %.0f s\n", s.name, time.Since(started).Seconds())
		report.tables = append(report.tables, t)
	}
	fmt.Print(report.markdown())
	if o.document != "" {
		return report.write(o.document)
	}
	return nil
}
