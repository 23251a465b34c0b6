package call

// Setting is what in a client leads its calls here: what its owner removes when
// it no longer needs tlslift.
type Setting uint8

// The settings.
const (
	SettingUnknown  Setting = iota
	SettingURL              // tlslift's own address in its URL
	SettingProxy            // a proxy setting
	SettingName             // a hosts-file or DNS entry for the API's name, or a proxy setting of a client that sends its proxy origin form
	SettingRedirect         // rules of the kernel
)

// Settings lists those that are known.
var Settings = [...]Setting{SettingURL, SettingProxy, SettingName, SettingRedirect}

func (s Setting) String() string {
	switch s {
	case SettingURL:
		return "url"
	case SettingProxy:
		return "proxy"
	case SettingName:
		return "name"
	case SettingRedirect:
		return "redirect"
	default:
		return ""
	}
}

// SettingOf is what a way in shows of its client. named says that the caller names
// the host: one that does not may have tlslift's address in its URL. PHP streams
// without request_fulluri name it with a hosts-file entry and with a proxy setting.
func SettingOf(i Ingress, named bool) Setting {
	switch i {
	case Forward, Connect:
		return SettingProxy
	case Transparent:
		return SettingRedirect
	case Gateway, TLS:
		if named {
			return SettingName
		}
	}
	return SettingUnknown
}
