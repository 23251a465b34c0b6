// Package smsportal is a pretend SMSPortal: the REST API, the legacy HTTP API and
// its web service. It counts the messages that it was asked to send, so that a
// message sent twice is noticed. `tlslift demo` and the containers of docker
// compose run its server. The integration tests have one of their own, which
// records each byte and can misbehave, around the same API.
package smsportal

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Hosts are the names that the real API answers to. The certificate has all of them.
var Hosts = []string{
	"smsportal.com", "*.smsportal.com", "api.smsportal.com", "rest.smsportal.com",
	"mymobileapi.com", "*.mymobileapi.com", "www.mymobileapi.com", "rest.mymobileapi.com", "legacy.mymobileapi.com",
}

const (
	maxBody  = 64 << 20 // bytes of a request's body
	maxKept  = 1000     // the newest requests that are remembered
	maxSends = 1 << 16  // messages that are counted, because a demo may run for days
)

// Server is a running pretend SMSPortal for TLS 1.2 and 1.3.
type Server struct {
	api      API
	delay    time.Duration
	listener net.Listener
	http     http.Server
	ca       []byte // PEM

	mu       sync.Mutex
	requests []Received
	total    int
	sends    map[Message]int
}

// Received is what the server remembers of a request.
type Received struct {
	Method, Target, UserAgent string
	TLSVersion                uint16
	ServerName                string // SNI
}

// Start starts a server on address (host:port), with a new certificate. It waits
// for delay between a request and its answer; a message counts as sent before.
// Close stops it.
func Start(address string, delay time.Duration) (*Server, error) {
	certificate, err := newCertificate()
	if err != nil {
		return nil, fmt.Errorf("pretend SMSPortal: %w", err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("pretend SMSPortal: %w", err)
	}
	s := &Server{
		delay: delay, listener: listener, sends: map[Message]int{},
		ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}),
	}
	s.http = http.Server{
		Handler: s, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		Protocols: new(http.Protocols),
	}
	s.http.Protocols.SetHTTP1(true)
	go func() { _ = s.http.ServeTLS(listener, "", "") }()
	return s, nil
}

// newCertificate makes a certificate that signs itself, so that it is also the root
// to trust. It is valid for 30 days.
func newCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "Pretend SMSPortal"}, DNSNames: Hosts,
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, 30),
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// Addr returns the host:port that the server listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// CAPEM returns the certificate to trust, in the form of a ca_file.
func (s *Server) CAPEM() []byte { return s.ca }

// Close stops listening and closes all connections.
func (s *Server) Close() error { return s.http.Close() }

// ServeHTTP records a request and answers it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	request := &Request{Method: r.Method, Target: r.RequestURI, Host: r.Host, Header: r.Header, Body: body}
	s.record(Received{r.Method, r.RequestURI, r.UserAgent(), r.TLS.Version, r.TLS.ServerName}, Messages(request))
	select {
	case <-time.After(s.delay):
	case <-r.Context().Done():
		return
	}
	response := s.api.Answer(request)
	maps.Copy(w.Header(), response.Header)
	if response.Status != 0 {
		w.WriteHeader(response.Status)
	}
	_, _ = w.Write(response.Body)
}

func (s *Server) record(request Received, messages []Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total++
	if len(s.requests) == maxKept {
		s.requests = s.requests[1:]
	}
	s.requests = append(s.requests, request)
	if len(s.sends) > maxSends {
		clear(s.sends)
	}
	for _, m := range messages {
		s.sends[m]++
	}
}

// Requests returns the newest requests, at most 1000, oldest first.
func (s *Server) Requests() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// Counts returns how many requests arrived, how many messages they asked to send,
// and how many of the messages were sent more than once.
func (s *Server) Counts() (requests, messages, doubles int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.sends {
		messages += n
		if n > 1 {
			doubles++
		}
	}
	return s.total, messages, doubles
}
