package call

// Setting is the setting in a client that leads its calls here. Its owner removes it
// when the client no longer needs tlslift.
type Setting uint8

// The settings.
const (
	SettingUnknown  Setting = iota
	SettingURL              // tlslift's own address in its URL
	SettingProxy            // a proxy setting
	SettingName             // a hosts-file or DNS entry for the API's name, or a proxy setting of a client that sends origin form to its proxy
	SettingRedirect         // kernel redirect rules
)

// Settings lists the known settings.
var Settings = [...]Setting{SettingURL, SettingProxy, SettingName, SettingRedirect}

func (s Setting) String() string {
	return [...]string{SettingUnknown: "", SettingURL: "url", SettingProxy: "proxy", SettingName: "name", SettingRedirect: "redirect"}[s]
}

// SettingOf returns the setting that a way in shows. named reports whether the caller
// names the host: one that does not may have tlslift's address in its URL. PHP
// streams without request_fulluri name the host with a hosts-file entry and with a
// proxy setting alike.
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
