package identity

import (
	"encoding/base64"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"tlslift/proxy/call"
	"tlslift/proxy/form"
)

// from is a connection from an address to a listener that takes everything.
func from(address string) *call.Conn {
	return &call.Conn{
		Listener: &call.Listener{Accept: call.Ways(call.Forward, call.Connect, call.Gateway, call.TLS)},
		Client:   netip.AddrPortFrom(netip.MustParseAddr(address), 4711),
		Ingress:  call.Forward,
	}
}

func prefixes(texts ...string) (out []netip.Prefix) {
	for _, t := range texts {
		out = append(out, netip.MustParsePrefix(t))
	}
	return out
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// users is an htpasswd file with one user; the lowest cost keeps tests quick.
func users(t testing.TB, user, password string) Users {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return Users{user: hash}
}

func mustNew(t testing.TB, o Options) *Resolver {
	t.Helper()
	l, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

var named = []Name{
	{"net-ten", prefixes("10.0.0.0/8")},
	{"billing", prefixes("10.1.2.0/24", "10.9.9.9/32", "2001:db8:1::/48")},
	{"mapped", prefixes("192.0.2.0/24")},
	{"everything-6", prefixes("::/0")},
}

func TestOrderOfSources(t *testing.T) {
	t.Parallel()
	key := []byte("0123456789abcdef")
	const legacy = "Type=credits&UserName=acme%20corp&Password=hunter2"
	for _, c := range []struct {
		name    string
		options Options
		arrival func(*call.Conn)
		address string
		proxy   string
		auth    string
		query   string
		form    string
		want    call.Identity
	}{
		{name: "source address", address: "10.1.2.3", want: ident("10.1.2.3", call.SourceAddress, false)},
		{name: "IPv4-mapped source", address: "::ffff:10.1.2.3", want: ident("10.1.2.3", call.SourceAddress, false)},
		{name: "IPv6 source", address: "2001:db8::1", want: ident("2001:db8::/64", call.SourceAddress, false)},
		{name: "another address of the /64", address: "2001:db8::a:b:c:d", want: ident("2001:db8::/64", call.SourceAddress, false)},
		{name: "IPv6 loopback", address: "::1", want: ident("::1", call.SourceAddress, false)},
		{name: "IPv6 with a zone", address: "fe80::1%eth0", want: ident("fe80::1", call.SourceAddress, false)},
		{name: "the longest prefix", options: Options{Names: named}, address: "10.1.2.3", want: ident("billing", call.SourceName, true)},
		{name: "a shorter prefix", options: Options{Names: named}, address: "10.1.3.3", want: ident("net-ten", call.SourceName, true)},
		{name: "a single address", options: Options{Names: named}, address: "10.9.9.9", want: ident("billing", call.SourceName, true)},
		{name: "an IPv6 range", options: Options{Names: named}, address: "2001:db8:1::5", want: ident("billing", call.SourceName, true)},
		{name: "a mapped range, plain address", options: Options{Names: named}, address: "192.0.2.7", want: ident("mapped", call.SourceName, true)},
		{name: "a mapped address in a plain range", options: Options{Names: named}, address: "::ffff:10.1.2.3", want: ident("billing", call.SourceName, true)},
		{name: "::/0 holds no IPv4", options: Options{Names: named}, address: "203.0.113.1", want: ident("203.0.113.1", call.SourceAddress, false)},
		{name: "workload before names", options: Options{Names: named, Workload: "pay/bill"}, address: "10.1.2.3", want: ident("pay/bill", call.SourceWorkload, true)},
		{
			name: "the listener before all", options: Options{Workload: "w", ProxyUser: true}, address: "10.1.2.3", proxy: basic("app", ""),
			arrival: func(a *call.Conn) { a.Listener.Client = "erp" }, want: ident("erp", call.SourceListener, true),
		},
		{name: "proxy user", options: Options{ProxyUser: true, Workload: "w"}, address: "10.1.2.3", proxy: basic("app", "x"), want: ident("app", call.SourceProxyUser, false)},
		{name: "proxy user that is configured", options: Options{ProxyUser: true, Known: []string{"app"}}, address: "10.1.2.3", proxy: basic("app", ""), want: ident("app", call.SourceProxyUser, true)},
		{name: "proxy user in tlslift's name space", options: Options{ProxyUser: true}, address: "10.1.2.3", proxy: basic("_overflow", ""), want: ident("-overflow", call.SourceProxyUser, false)},
		{name: "proxy user made safe", options: Options{ProxyUser: true}, address: "10.1.2.3", proxy: basic("a\nb\u202ec", ""), want: ident("a?b?c", call.SourceProxyUser, false)},
		{name: "no proxy user given", options: Options{ProxyUser: true}, address: "10.1.2.3", want: ident("10.1.2.3", call.SourceAddress, false)},
		{
			name: "proxy user on a way in that cannot carry it", options: Options{ProxyUser: true}, address: "10.1.2.3", proxy: basic("app", ""),
			arrival: func(a *call.Conn) { a.Ingress = call.Gateway }, want: ident("10.1.2.3", call.SourceAddress, false),
		},
		{name: "account off", address: "10.1.2.3", query: legacy, want: ident("10.1.2.3", call.SourceAddress, false)},
		{name: "account in the query", options: Options{Account: AccountPlain}, address: "10.1.2.3", query: legacy, want: ident("acme corp", call.SourceAccount, false)},
		{name: "account in Basic", options: Options{Account: AccountPlain}, address: "10.1.2.3", auth: basic("client-id", "secret"), query: legacy, want: ident("client-id", call.SourceAccount, false)},
		{name: "account in shouted BASIC", options: Options{Account: AccountPlain}, address: "10.1.2.3", auth: strings.Replace(basic("id", "s"), "Basic", "BASIC ", 1), want: ident("id", call.SourceAccount, false)},
		{name: "account without a scheme word", options: Options{Account: AccountPlain}, address: "10.1.2.3", auth: strings.TrimPrefix(basic("id", "s"), "Basic "), want: ident("id", call.SourceAccount, false)},
		{name: "a bearer token names nobody", options: Options{Account: AccountPlain}, address: "10.1.2.3", auth: "Bearer " + base64.StdEncoding.EncodeToString([]byte("id:s")), want: ident("10.1.2.3", call.SourceAddress, false)},
		{name: "account in a form", options: Options{Account: AccountPlain}, address: "10.1.2.3", form: "type=send&USERNAME=joe&x=1", want: ident("joe", call.SourceAccount, false)},
		{name: "the query before the form", options: Options{Account: AccountPlain}, address: "10.1.2.3", query: "username=q", form: "username=f", want: ident("q", call.SourceAccount, false)},
		{name: "a password behind a semicolon", options: Options{Account: AccountPlain}, address: "10.1.2.3", query: "Username=bob;Password=HUNTER2", want: ident("10.1.2.3", call.SourceAddress, false)},
		{name: "a password, escaped once too often", options: Options{Account: AccountPlain}, address: "10.1.2.3", query: "Username=bob%26Password=HUNTER2", want: ident("10.1.2.3", call.SourceAddress, false)},
		{name: "a password, escaped twice too often", options: Options{Account: AccountPlain}, address: "10.1.2.3", query: "Username=bob%2526Password%253dHUNTER2", want: ident("10.1.2.3", call.SourceAddress, false)},
		{name: "a password behind a space", options: Options{Account: AccountPlain}, address: "10.1.2.3", query: "Username=bob Password=HUNTER2", want: ident("10.1.2.3", call.SourceAddress, false)},
		{name: "a password on the next line", options: Options{Account: AccountPlain}, address: "10.1.2.3", form: "Username=bob%0d%0aPassword=HUNTER2", want: ident("10.1.2.3", call.SourceAddress, false)},
		{name: "an account with marks", options: Options{Account: AccountPlain}, address: "10.1.2.3", query: "Username=j.o%27neil_2@acme-corp.co.za", want: ident("j.o'neil_2@acme-corp.co.za", call.SourceAccount, false)},
		{name: "an empty account", options: Options{Account: AccountPlain}, address: "10.1.2.3", query: "username=&Username=second", want: ident("second", call.SourceAccount, false)},
		{name: "a bad escape and a semicolon", options: Options{Account: AccountPlain}, address: "10.1.2.3", query: "data1=100%;x&username=a+c", want: ident("a c", call.SourceAccount, false)},
		{name: "a message text with a semicolon", options: Options{Account: AccountPlain}, address: "10.1.2.3", query: "data1=hello;username=bob", want: ident("10.1.2.3", call.SourceAddress, false)},
		{name: "an escaped name", options: Options{Account: AccountPlain}, address: "10.1.2.3", query: "%55sername=bob", want: ident("bob", call.SourceAccount, false)},
		{name: "a form that is cut", options: Options{Account: AccountPlain}, address: "10.1.2.3", form: strings.Repeat("x", form.Prefix-len("&username=bo")) + "&username=bo", want: ident("10.1.2.3", call.SourceAddress, false)},
		{name: "a SOAP envelope", options: Options{Account: AccountPlain}, address: "10.1.2.3", form: "<?xml version=\"1.0\"?>\r\n<soap:Envelope><soap:Body><Send xmlns=\"x\"><tns:UserName xsi:type=\"a\"> a&amp;b </tns:UserName><password>p</password>", want: ident("a&b", call.SourceAccount, false)},
		{name: "an empty element of a SOAP envelope", options: Options{Account: AccountPlain}, address: "10.1.2.3", form: "<a><username/><Username></Username><username>second</username></a>", want: ident("second", call.SourceAccount, false)},
		{name: "a SOAP envelope that is cut", options: Options{Account: AccountPlain}, address: "10.1.2.3", form: "<a><username>half", want: ident("10.1.2.3", call.SourceAddress, false)},
		{name: "a multipart form", options: Options{Account: AccountPlain}, address: "10.1.2.3", form: "--x\r\nContent-Disposition: form-data; name=\"data1\"\r\n\r\nusername=no\r\n--x\r\nContent-Disposition: form-data; name=\"Username\"\r\nContent-Type: text/plain\r\n\r\nacme\r\n--x--\r\n", want: ident("acme", call.SourceAccount, false)},
		{name: "a multipart form that is cut", options: Options{Account: AccountPlain}, address: "10.1.2.3", form: "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nhal", want: ident("10.1.2.3", call.SourceAddress, false)},
		{name: "a file of that name", options: Options{Account: AccountPlain}, address: "10.1.2.3", form: "--x\nContent-Disposition: form-data; filename=\"username\"\n\nx\n", want: ident("10.1.2.3", call.SourceAddress, false)},
		{name: "not a parameter of that name", options: Options{Account: AccountPlain}, address: "10.1.2.3", query: "data1=username=x&xusername=y", want: ident("10.1.2.3", call.SourceAddress, false)},
		{
			name: "names before accounts", options: Options{Account: AccountPlain, Names: named}, address: "10.1.2.3", query: legacy,
			want: call.Identity{Name: "billing", Source: call.SourceName, Configured: true, Account: "acme corp"},
		},
		{name: "hashed account", options: Options{Account: AccountHash, AccountKey: key}, address: "10.1.2.3", query: "username=acme", want: ident(hashed(key, "acme"), call.SourceAccount, false)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := from(c.address)
			if c.arrival != nil {
				c.arrival(a)
			}
			l := mustNew(t, c.options)
			got, err := l.Request(a, c.proxy, c.auth, c.query, func() []byte { return []byte(c.form) })
			want := c.want
			base := l.base(a)
			if want.Address = base.Address; want.Source == call.SourceProxyUser || want.Source == call.SourceAccount {
				want.Unnamed = base.Name
			}
			if err != nil || got != want {
				t.Errorf("%+v, %v; want %+v", got, err, want)
			}
			if id, final := l.Connection(a); final && id != got {
				t.Errorf("Connection says %+v for good, Request %+v", id, got)
			}
		})
	}
}

func TestHashedAccounts(t *testing.T) {
	t.Parallel()
	key := []byte("0123456789abcdef")
	one := hashed(key, "acme")
	if len(one) != len("account-")+12 || one == hashed(key, "acmf") || one == hashed([]byte("another key 1234"), "acme") {
		t.Errorf("hashed: %s", one)
	}
	if one != hashed(key, "acme") {
		t.Error("the same account has two names")
	}
}

func TestConnectionIsFinal(t *testing.T) {
	t.Parallel()
	withUsers := users(t, "app", "pw")
	for _, c := range []struct {
		name    string
		options Options
		change  func(*call.Listener)
		final   bool
	}{
		{"nothing configured", Options{}, nil, true},
		{"account", Options{Account: AccountPlain}, nil, false},
		{"account, though a workload", Options{Account: AccountPlain, Workload: "w"}, nil, false},
		{"proxy user", Options{ProxyUser: true, Workload: "w"}, nil, false},
		{"proxy user, but a listener's client", Options{ProxyUser: true}, func(l *call.Listener) { l.Client = "c" }, true},
		{"users, and a listener's client", Options{Users: withUsers}, func(l *call.Listener) { l.Client = "c" }, false},
		{"users, where nobody can send them", Options{Users: withUsers}, func(l *call.Listener) { l.Accept = call.Ways(call.Gateway, call.TLS) }, true},
	} {
		a := from("10.0.0.1")
		if c.change != nil {
			c.change(a.Listener)
		}
		if _, final := mustNew(t, c.options).Connection(a); final != c.final {
			t.Errorf("%s: final is %t", c.name, final)
		}
	}
}

func TestProxyAuthentication(t *testing.T) {
	t.Parallel()
	l := mustNew(t, Options{Users: users(t, "app", "right"), Names: named, Account: AccountPlain})
	for _, c := range []struct {
		name    string
		ingress call.Ingress
		header  string
		err     error
		want    string
	}{
		{"right", call.Forward, basic("app", "right"), nil, "app"},
		{"right, CONNECT", call.Connect, basic("app", "right"), nil, "app"},
		{"again, from memory", call.Forward, basic("app", "right"), nil, "app"},
		{"wrong password", call.Forward, basic("app", "wrong"), errWrongCredentials, ""},
		{"wrong user", call.Connect, basic("root", "right"), errWrongCredentials, ""},
		{"none", call.Forward, "", errNoCredentials, ""},
		{"not Basic", call.Forward, "Bearer x", errNotBasic, ""},
		{"not base64", call.Forward, "Basic %%%", errNotBasic, ""},
		{"no colon", call.Forward, "Basic YXBw", errNotBasic, ""},
		{"gateway asks for none", call.Gateway, "", nil, "billing"},
		{"TLS asks for none", call.TLS, "", nil, "billing"},
		{"transparent asks for none", call.Transparent, basic("app", "wrong"), nil, "billing"},
	} {
		a := from("10.1.2.3")
		a.Ingress = c.ingress
		id, err := l.Request(a, c.header, "", "username=account", nil)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.err == nil && id.Name != c.want {
			t.Errorf("%s: %+v, want %s", c.name, id, c.want)
		}
	}
	if id := l.Within(ident("app", call.SourceProxyAuth, true), "", "username=account", nil); id.Name != "app" {
		t.Errorf("inside the tunnel: %+v", id)
	}
	if id := l.Within(ident("10.0.0.1", call.SourceAddress, false), "", "username=account", nil); id.Name != "account" {
		t.Errorf("inside a tunnel of nobody known: %+v", id)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options Options
		want    string
	}{
		"a short key":         {Options{Account: AccountHash, AccountKey: []byte("short")}, "account key: 5 bytes"},
		"a name of ours":      {Options{Workload: "_overflow"}, "tlslift's own"},
		"an empty name":       {Options{Names: []Name{{"", nil}}}, "it is empty"},
		"an unprintable name": {Options{Known: []string{"a\x1b[31m"}}, "printable"},
		"a long name":         {Options{Workload: strings.Repeat("x", MaxName+1)}, "at most 128 bytes"},
		"a range twice":       {Options{Names: []Name{{"a", prefixes("10.0.0.0/8")}, {"b", prefixes("10.0.0.0/8")}}}, `already belongs to "a"`},
	} {
		if _, err := New(c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(Options{Names: []Name{{"a", prefixes("10.0.0.0/8", "10.0.0.0/8")}}}); err != nil {
		t.Errorf("the same range twice for one name: %v", err)
	}
}

func TestConfigured(t *testing.T) {
	t.Parallel()
	l := mustNew(t, Options{Names: named[:1], Workload: "w", Known: []string{"k"}, Users: users(t, "u", "p")})
	if got := len(l.Configured()); got != 4 {
		t.Errorf("%v", l.Configured())
	}
}

func TestSafe(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "plain": "plain", " spaced ": "spaced", "_overflow": "-overflow", "*": "-", " * ": "-", "*" + strings.Repeat(" ", 200) + "x": "-", "*x": "*x", "__x": "-_x", "a_b": "a_b",
		"tab\tnul\x00": "tab?nul?", "\xff\xfe": "??", "Zürich": "Zürich", "\u202egnp": "?gnp", "a\u200bb": "a?b",
		strings.Repeat("x", 200):  strings.Repeat("x", 128),
		strings.Repeat("é", 70):   strings.Repeat("é", 64),
		strings.Repeat(" ", 1000): "",
	} {
		if got := Safe(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzSafe(f *testing.F) {
	f.Add("_overflow")
	f.Add(" \u202e\xff_")
	f.Fuzz(func(t *testing.T, s string) {
		got := Safe(s)
		if got != "" && CheckName(got) != nil {
			t.Fatalf("%q became %q: %v", s, got, CheckName(got))
		}
	})
}

// Whatever a caller sends, its name is a safe one and never a password.
func FuzzRequest(f *testing.F) {
	f.Add("Basic YTpi", "Basic YzpodW50ZXIy", "username=a&password=hunter2", []byte("Username=b"))
	f.Add("", "YTpodW50ZXIy", "data=%zz;&USERNAME=%41+b", []byte(nil))
	l, err := New(Options{ProxyUser: true, Account: AccountPlain})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, proxy, auth, query string, form []byte) {
		id, err := l.Request(from("10.0.0.1"), proxy, auth, query, func() []byte { return form })
		if err != nil || CheckName(id.Name) != nil {
			t.Fatalf("%+v: %v, %v", id, err, CheckName(id.Name))
		}
	})
}

func BenchmarkRequest(b *testing.B) {
	key := []byte("0123456789abcdef")
	for _, c := range []struct {
		name    string
		options Options
		proxy   string
	}{
		{"address", Options{}, ""},
		{"name", Options{Names: named}, ""},
		{"account, hashed", Options{Account: AccountHash, AccountKey: key}, ""},
		{"proxy auth, remembered", Options{Users: users(b, "app", "right")}, basic("app", "right")},
	} {
		b.Run(c.name, func(b *testing.B) {
			l, a := mustNew(b, c.options), from("10.1.2.3")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := l.Request(a, c.proxy, "", "Type=sendparam&username=acme&password=x&numto=27", nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func ident(name string, source call.Source, configured bool) call.Identity {
	return call.Identity{Name: name, Source: source, Configured: configured}
}
