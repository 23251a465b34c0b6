//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// contestant is one proxy under measurement. An empty address means that it
// does not take part in that measurement.
type contestant struct {
	*process
	title string
	near  string // plain HTTP for host
	far   string // plain HTTP for the host behind the delaying relay
	old   string // TLS 1.0 for host
	admin string // tlslift's operator side
}

// places are the addresses and files a configuration names.
type places struct {
	dir      string
	near     string // listens
	far      string
	old      string
	admin    string
	upstream string // leads there
	relay    string
	upCA     string // PEM files
	leaf     string // certificate and key of host for old callers
	oldCA    string // directory of tlslift's own CA
}

// fill puts the places into a configuration: $NAME each.
func (p places) fill(text string) string {
	return strings.NewReplacer(
		"$DIR", p.dir, "$NEAR", p.near, "$FAR", p.far, "$OLD", p.old, "$ADMIN", p.admin,
		"$UPSTREAM", p.upstream, "$RELAY", p.relay, "$UPCA", p.upCA, "$LEAF", p.leaf, "$CA", p.oldCA,
		"$HOST", host, "$FNAME", far,
		"$PORT", p.near[strings.LastIndexByte(p.near, ':')+1:],
		"$UPORT", p.upstream[strings.LastIndexByte(p.upstream, ':')+1:],
	).Replace(text)
}

// tlslift with its request log, metrics and a ledger on disk. The limits are
// raised for the thousands of connections that come from one address here.
const tlsliftConfig = `
listen:
  - address: $NEAR
admin: {address: "$ADMIN", pprof: true}
upstreams:
  - {host: $HOST, address: "$UPSTREAM", ca_file: $UPCA}
  - {host: $FNAME, address: "$RELAY", ca_file: $UPCA}
legacy_tls: {ca: {cert_file: $CA/ca.pem, key_file: $CA/ca-key.pem}}
state: {file: $DIR/ledger.json}
limits: {connections: 8000, connections_per_client: 8000}
`

// HAProxy with TLS 1.2+, verification, shared idle connections, no retries, and
// its line per request. 2.6 writes to a descriptor, which is a file here.
const haproxyConfig = `
global
  nbthread 1
  maxconn 8000
  log stdout format raw daemon
  ssl-server-verify required
defaults
  mode http
  log global
  option httplog
  retries 0
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 120s
  timeout server 90s
  timeout http-keep-alive 120s
frontend near
  bind $NEAR
  default_backend near
backend near
  server api $UPSTREAM ssl verify required ca-file $UPCA sni str($HOST) verifyhost $HOST ssl-min-ver TLSv1.2
frontend far
  bind $FAR
  default_backend far
backend far
  server api $RELAY ssl verify required ca-file $UPCA sni str($FNAME) verifyhost $FNAME ssl-min-ver TLSv1.2
frontend old
  bind $OLD ssl crt $LEAF ssl-min-ver TLSv1.0 ciphers ALL:@SECLEVEL=0
  default_backend near
`

const nginxConfig = `
daemon off;
master_process off;
worker_processes 1;
pid $DIR/nginx.pid;
error_log $DIR/nginx-error.log;
events { worker_connections 8000; }
http {
  access_log $DIR/nginx-access.log;
  client_body_temp_path $DIR/nginx-body;
  proxy_temp_path $DIR/nginx-proxy;
  fastcgi_temp_path $DIR/nginx-fastcgi;
  uwsgi_temp_path $DIR/nginx-uwsgi;
  scgi_temp_path $DIR/nginx-scgi;
  keepalive_requests 1000000000;
  keepalive_timeout 120s;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_next_upstream off;
  proxy_ssl_protocols TLSv1.2 TLSv1.3;
  proxy_ssl_verify on;
  proxy_ssl_trusted_certificate $UPCA;
  proxy_ssl_server_name on;
  upstream near { server $UPSTREAM; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 90s; }
  upstream far { server $RELAY; keepalive 256; keepalive_requests 1000000000; keepalive_timeout 90s; }
  server { listen $NEAR; location / { proxy_pass https://near; proxy_ssl_name $HOST; } }
  server { listen $FAR; location / { proxy_pass https://far; proxy_ssl_name $FNAME; } }
}
`

// Squid as an accelerator without a cache, which is its shortest way.
const squidConfig = `
http_port $NEAR accel defaultsite=$HOST no-vhost
cache_peer 127.0.0.1 parent $UPORT 0 no-query no-digest originserver name=api tls tls-min-version=1.2 tls-cafile=$UPCA ssldomain=$HOST
never_direct allow all
http_access allow all
cache deny all
cache_mem 0
memory_pools off
pinger_enable off
connect_retries 0
server_persistent_connections on
client_persistent_connections on
access_log stdio:$DIR/squid-access.log
cache_log $DIR/squid-cache.log
cache_store_log none
coredump_dir $DIR
pid_filename none
shutdown_lifetime 0 seconds
cache_effective_user $USER
`

// newPlaces reserves addresses for one contestant.
func (b *bench) newPlaces() (places, error) {
	p := places{dir: b.dir, upstream: b.upstreamAddress, relay: b.relay.Addr(), upCA: b.upCA, leaf: b.leaf, oldCA: b.oldCA}
	for _, address := range []*string{&p.near, &p.far, &p.old, &p.admin} {
		var err error
		if *address, err = freeAddress(); err != nil {
			return p, err
		}
	}
	return p, nil
}

// launch writes a configuration and starts its program. In the arguments
// $CONFIG is the configuration's path.
func (b *bench) launch(title, config string, environment []string, arguments ...string) (*contestant, places, error) {
	p, err := b.newPlaces()
	if err != nil {
		return nil, p, err
	}
	b.launched++
	name := fmt.Sprintf("%s-%d", strings.ToLower(title), b.launched)
	// A directory of its own: tlslift watches the configuration's, and logs are
	// not written to it in a real house either.
	path := filepath.Join(b.dir, name, "conf")
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		return nil, p, fmt.Errorf("configuring %s: %w", title, err)
	}
	if err := os.WriteFile(path, []byte(p.fill(config)), 0o644); err != nil {
		return nil, p, fmt.Errorf("configuring %s: %w", title, err)
	}
	for i, a := range arguments {
		arguments[i] = strings.ReplaceAll(a, "$CONFIG", path)
	}
	child, err := start(name, contestantCore, b.dir, environment, arguments...)
	if err != nil {
		return nil, p, err
	}
	b.children = append(b.children, child)
	return &contestant{process: child, title: title, near: p.near}, p, child.ready(p.near)
}

func (b *bench) startTlslift() (*contestant, error) { return b.startBinary("tlslift", b.binary) }

func (b *bench) startOther() (*contestant, error) { return b.startBinary("tlslift-other", b.against) }

func (b *bench) startBinary(title, binary string) (*contestant, error) {
	c, p, err := b.launch(title, tlsliftConfig, []string{"GOMAXPROCS=1"}, binary, "run", "--config", "$CONFIG")
	if err != nil {
		return nil, err
	}
	c.far, c.old, c.admin = p.near, p.near, p.admin
	return c, nil
}

func (b *bench) startHAProxy() (*contestant, error) {
	c, p, err := b.launch("HAProxy", haproxyConfig, nil, "haproxy", "-db", "-f", "$CONFIG")
	if err != nil {
		return nil, err
	}
	c.far, c.old = p.far, p.old
	return c, nil
}

func (b *bench) startNginx() (*contestant, error) {
	c, p, err := b.launch("nginx", nginxConfig, nil, "nginx", "-c", "$CONFIG")
	if err != nil {
		return nil, err
	}
	c.far = p.far
	return c, nil
}

func (b *bench) startSquid() (*contestant, error) {
	c, _, err := b.launch("Squid", strings.ReplaceAll(squidConfig, "$USER", squidUser()), nil, "squid", "-N", "-f", "$CONFIG")
	return c, err
}

// squidUser is whom Squid runs as: it refuses to stay root.
func squidUser() string {
	if os.Geteuid() == 0 {
		return "proxy"
	}
	return os.Getenv("USER")
}

// startLoaded starts those that the paired loads compare. HAProxy is the
// second: the others are measured by it.
func (b *bench) startLoaded() ([]*contestant, error) {
	starters := []func() (*contestant, error){b.startTlslift, b.startHAProxy, b.startNginx, b.startSquid}
	if b.against != "" {
		starters = append(starters, b.startOther)
	}
	return b.startAll(starters...)
}

// startAll starts one of each.
func (b *bench) startAll(starters ...func() (*contestant, error)) ([]*contestant, error) {
	var all []*contestant
	for _, starter := range starters {
		c, err := starter()
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}
