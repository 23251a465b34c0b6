package configs

import "crypto/tls"

type (
	// Way is a way in.
	Way string
	// Others is what happens to traffic that is for no upstream.
	Others string
	// TLSVersion is a TLS version as the configuration writes it.
	TLSVersion string
	// ProxyUserMode says whether the user part of the proxy URL names the client.
	ProxyUserMode string
	// AccountMode says whether the API account identifies the client.
	AccountMode string
	// LogLevel is the least severe level that is logged.
	LogLevel string
	// LogFormat is the form of a log line.
	LogFormat string
)

// The words of each closed set. Which of them a key takes is in its tags.
const (
	WayForward     Way = "forward"     // absolute-form requests: HTTP_PROXY
	WayConnect     Way = "connect"     // CONNECT
	WayGateway     Way = "gateway"     // origin-form requests: hosts file, DNS
	WayTLS         Way = "tls"         // a ClientHello straight away
	WayTransparent Way = "transparent" // redirected by the kernel; of Listen.Unauthenticated alone

	OthersAuto   Others = "auto"   // pass for callers on this host, else refuse
	OthersRefuse Others = "refuse" // 403
	OthersTunnel Others = "tunnel" // CONNECT only
	OthersPass   Others = "pass"   // CONNECT, and plain HTTP forwarded unchanged

	TLS10 TLSVersion = "1.0"
	TLS11 TLSVersion = "1.1"
	TLS12 TLSVersion = "1.2"
	TLS13 TLSVersion = "1.3"

	ProxyUserOff  ProxyUserMode = "off"
	ProxyUserName ProxyUserMode = "name" // taken as a name, unchecked

	AccountOff   AccountMode = "off"
	AccountPlain AccountMode = "plain"
	AccountHash  AccountMode = "hash"

	LevelDebug LogLevel = "debug"
	LevelInfo  LogLevel = "info"
	LevelWarn  LogLevel = "warn"
	LevelError LogLevel = "error"

	FormatJSON    LogFormat = "json"
	FormatConsole LogFormat = "console"
)

// Wire returns the number of the version in the TLS wire format, as
// crypto/tls uses it, or 0 for a version that is none of the constants.
func (v TLSVersion) Wire() uint16 {
	return map[TLSVersion]uint16{
		TLS10: tls.VersionTLS10, TLS11: tls.VersionTLS11, TLS12: tls.VersionTLS12, TLS13: tls.VersionTLS13,
	}[v]
}
