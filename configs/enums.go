package configs

import "crypto/tls"

// Way is a way in.
type Way string

// The ways in.
const (
	WayForward Way = "forward" // absolute-form requests: HTTP_PROXY
	WayConnect Way = "connect" // CONNECT
	WayGateway Way = "gateway" // origin-form requests: hosts file, DNS
	WayTLS     Way = "tls"     // a ClientHello straight away

	WayTransparent Way = "transparent" // redirected by the kernel; of Listen.Unauthenticated alone
)

// Others is what happens to traffic that is for no upstream.
type Others string

// The treatments of foreign traffic.
const (
	OthersAuto   Others = "auto"   // pass for callers on this host, else refuse
	OthersRefuse Others = "refuse" // 403
	OthersTunnel Others = "tunnel" // CONNECT only
	OthersPass   Others = "pass"   // CONNECT, and plain HTTP forwarded unchanged
)

// TLSVersion is a TLS version as the configuration writes it.
type TLSVersion string

// The versions that keys can take; which ones depends on the key.
const (
	TLS10 TLSVersion = "1.0"
	TLS11 TLSVersion = "1.1"
	TLS12 TLSVersion = "1.2"
	TLS13 TLSVersion = "1.3"
)

// Wire returns the number of the version in the TLS wire format, as
// crypto/tls uses it, or 0 for a version that is none of the constants.
func (v TLSVersion) Wire() uint16 {
	switch v {
	case TLS10:
		return tls.VersionTLS10
	case TLS11:
		return tls.VersionTLS11
	case TLS12:
		return tls.VersionTLS12
	case TLS13:
		return tls.VersionTLS13
	default:
		return 0
	}
}

// ProxyUserMode says whether the user part of the proxy URL names the client.
type ProxyUserMode string

// The uses of the proxy user.
const (
	ProxyUserOff  ProxyUserMode = "off"
	ProxyUserName ProxyUserMode = "name" // taken as a name, unchecked
)

// AccountMode says whether the API account identifies the client.
type AccountMode string

// The uses of the API account.
const (
	AccountOff   AccountMode = "off"
	AccountPlain AccountMode = "plain"
	AccountHash  AccountMode = "hash"
)

// LogLevel is the least severe level that is logged.
type LogLevel string

// The levels.
const (
	LevelDebug LogLevel = "debug"
	LevelInfo  LogLevel = "info"
	LevelWarn  LogLevel = "warn"
	LevelError LogLevel = "error"
)

// LogFormat is the form of a log line.
type LogFormat string

// The formats.
const (
	FormatJSON    LogFormat = "json"
	FormatConsole LogFormat = "console"
)
