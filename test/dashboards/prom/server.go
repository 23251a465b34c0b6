// Package prom runs a real Prometheus and speaks to it: samples are written by
// remote write, so that a month can be written in seconds, and read by the API.
package prom

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// Server is a running Prometheus.
type Server struct {
	URL string

	command *exec.Cmd
	exited  chan struct{}
	output  bytes.Buffer
	client  http.Client
}

// Start runs Prometheus with its data and configuration in dir, on address
// (host:port; port 0 picks one), until ctx ends or Stop is called. It keeps
// some weeks in memory, so that the past can be written series after series.
func Start(ctx context.Context, dir, address, config string) (*Server, error) {
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, fmt.Errorf("write the configuration of Prometheus: %w", err)
	}
	address, err := free(address)
	if err != nil {
		return nil, fmt.Errorf("find a port for Prometheus: %w", err)
	}
	s := &Server{URL: "http://" + address, exited: make(chan struct{})}
	s.client.Timeout = 2 * time.Minute
	s.command = exec.CommandContext(ctx, "prometheus", "--config.file="+file, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--web.enable-remote-write-receiver", "--storage.tsdb.retention.time=10y",
		"--storage.tsdb.min-block-duration=40d", "--storage.tsdb.max-block-duration=40d", "--log.level=warn")
	s.command.Stdout, s.command.Stderr = &s.output, &s.output
	s.command.Cancel = func() error { return s.command.Process.Signal(os.Interrupt) }
	s.command.WaitDelay = 10 * time.Second
	if err := s.command.Start(); err != nil {
		return nil, fmt.Errorf("start Prometheus: %w", err)
	}
	go func() {
		_ = s.command.Wait()
		close(s.exited)
	}()
	if err := s.ready(ctx); err != nil {
		s.Stop()
		return nil, fmt.Errorf("start Prometheus: %w\n%s", err, s.output.String())
	}
	return s, nil
}

// free turns port 0 into one that nobody has right now.
func free(address string) (string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-s.exited:
			return errors.New("it ended")
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if _, err := s.do(ctx, http.MethodGet, "/-/ready", "", nil); err == nil {
				return nil
			}
		}
	}
}

// Stop ends it.
func (s *Server) Stop() {
	_ = s.command.Process.Signal(os.Interrupt)
	<-s.exited
}

// do makes one request and returns the body of a 2xx answer.
func (s *Server) do(ctx context.Context, method, path, contentType string, body io.Reader) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.URL+path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if contentType == protobuf {
		r.Header.Set("Content-Encoding", "snappy")
		r.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s", answer.Status, bytes.TrimSpace(text))
	}
	return text, err
}
