package fixes

// Runtime is a program or a TLS library that a client may use.
type Runtime struct {
	Key      string   // in Fix.Key
	Names    []string // as call.Family or package hello names it
	Page     string   // without ".md"
	Change   string   // one sentence: what to change; "" = the page says so
	Hopeless bool     // no setting gives it TLS 1.2, whatever program uses it
	HasTLS12 bool     // a library: all versions have TLS 1.2, so a setting limits it
	Presumes []string // a program: the Keys, up to a dash, of the libraries that Change applies to; nil = any
	Limits   string   // a program that uses another's TLS: what limits that; replaces Change if the library has TLS 1.2
}

// programs are identified by the User-Agent, with the names of call.Family.
var programs = []Runtime{
	{Key: "java-6", Names: []string{"Java 6 or older"}, Page: "java", Change: "Java 6 has TLS 1.2 only with paid updates: move to Java 8 or later."},
	{Key: "java-7", Names: []string{"Java 7"}, Page: "java", Change: "Java 7 has TLS 1.2, off by default: start it with -Dhttps.protocols=TLSv1.2."},
	{Key: "java-8", Names: []string{"Java 8"}, Page: "java", Change: "Java 8 has TLS 1.2 on by default. If the program limits the TLS version, remove that limit."},
	{Key: "java", Names: []string{"Java"}, Page: "java", Change: "Java 8 and later have TLS 1.2 on by default. If the program limits the TLS version, remove that limit."},
	{Key: "axis", Names: []string{"Axis 1", "Axis2", "JAX-WS", "Apache CXF"}, Page: "java", Change: "It uses the TLS of the Java it runs on: that has to be Java 8 or later, or Java 7 with TLS 1.2 switched on.", Limits: "It uses the TLS of the Java it runs on."},
	{Key: "httpclient", Names: []string{"Commons HttpClient 3", "Apache HttpClient"}, Page: "java", Change: "On Java 8 or later, it has TLS 1.2: if its code names protocols, add TLSv1.2. On an older Java, move it to Java 8 or later.", Limits: "It does not read https.protocols: look for the protocols that its code names."},
	{Key: "coldfusion", Names: []string{"ColdFusion"}, Page: "coldfusion", Change: "ColdFusion uses the Java it runs on: that has to be Java 8 or later.", Limits: "For ColdFusion, look in jvm.config."},
	{Key: "dotnet-1", Names: []string{".NET 1"}, Page: "dotnet", Change: ".NET 1 has no TLS 1.2: move to 4.7.2 or later."},
	{Key: "dotnet-2", Names: []string{".NET 2-3.5"}, Page: "dotnet", Change: "Install KB3154517 to KB3154520 (TLS 1.2), and set SystemDefaultTlsVersions."},
	{Key: "dotnet", Names: []string{".NET 4", ".NET"}, Page: "dotnet", Change: "Set SchUseStrongCrypto and SystemDefaultTlsVersions, or target 4.7.2."},
	{Key: "powershell", Names: []string{"PowerShell"}, Page: "powershell", Change: "Put [Net.ServicePointManager]::SecurityProtocol = 'Tls12' at the top of the script."},
	{Key: "winhttp", Names: []string{"WinHTTP", "MSXML"}, Page: "winhttp", Change: "Windows 7 to Server 2012 need KB3140245 and DefaultSecureProtocols; later ones need nothing.", Limits: "For WinHTTP, look for DefaultSecureProtocols, and Option(9) in code."},
	{Key: "wininet", Names: []string{"WinINet"}, Page: "access-vba", Change: "Windows XP, Vista and Server 2003 have no TLS 1.2: move the program. On others, switch Use TLS 1.2 on in Internet Options.", Limits: "For WinINet, look at Use TLS 1.2 in Internet Options."},
	{Key: "php", Names: []string{"PHP", "PHP SOAP"}, Page: "php", Presumes: []string{"openssl"}, Change: "PHP uses OpenSSL: that has to be 1.0.1 or later, and nothing in the program may name TLS 1.0.", Limits: "For PHP, look for CURLOPT_SSLVERSION, crypto_method, ssl_method and tls://."},
	{Key: "python", Names: []string{"Python", "Python urllib", "Python requests"}, Page: "python", Presumes: []string{"openssl"}, Change: "Python uses OpenSSL: that has to be 1.0.1 or later, and nothing in the program may name TLS 1.0.", Limits: "For Python, look for ssl.PROTOCOL_TLSv1; for PycURL, SSLVERSION."},
	{Key: "perl", Names: []string{"Perl LWP", "Perl SOAP::Lite", "Perl"}, Page: "perl", Presumes: []string{"openssl"}, Change: "Perl needs IO::Socket::SSL on OpenSSL 1.0.1 or later.", Limits: "For Perl, look for SSL_version."},
	{Key: "ruby", Names: []string{"Ruby"}, Page: "ruby", Presumes: []string{"openssl"}, Change: "Ruby needs 2.0 or later, and OpenSSL 1.0.1 or later.", Limits: "For Ruby, look for ssl_version and max_version."},
	{Key: "node", Names: []string{"Node.js"}, Page: "node", Change: "Node.js 0.10 and later have TLS 1.2 on by default. If the program limits the TLS version, remove that limit.", Limits: "For Node.js, look for secureProtocol and maxVersion."},
	{Key: "curl-old", Names: []string{"curl before 7.34"}, Page: "curl-openssl", Presumes: []string{"openssl"}, Change: "curl needs OpenSSL 1.0.1 or NSS 3.15.1, or later; remove -1, --tlsv1.0 and -3.", Limits: "For curl, look for -1, --tlsv1.0 and -3."},
	{Key: "curl", Names: []string{"curl", "Wget"}, Page: "curl-openssl", Presumes: []string{"openssl", "gnutls"}, Change: "It needs OpenSSL 1.0.1, NSS 3.15.1 or a current GnuTLS; remove options that name TLS 1.0.", Limits: "For curl, look for --tls-max, --tlsv1.0 and --tlsv1.1; for Wget, --secure-protocol."},
	{Key: "synapse", Names: []string{"Synapse"}, Page: "delphi", Presumes: []string{"openssl"}, Change: "Synapse needs current OpenSSL DLLs.", Limits: "For Synapse, look for SSLType."},
	{Key: "indy", Names: []string{"Indy"}, Page: "delphi", Presumes: []string{"openssl"}, Change: "Indy needs OpenSSL 1.0.2 DLLs, sslvTLSv1_2, and a VerifyMode.", Limits: "For Indy, look for SSLOptions."},
	{Key: "delphi", Names: []string{"Delphi"}, Page: "delphi", Change: "Delphi's own client uses WinHTTP: Windows has to have TLS 1.2, or SecureProtocols in code.", Limits: "For Delphi, look for SecureProtocols."},
	{Key: "sap", Names: []string{"SAP NetWeaver"}, Page: "sap", Change: "SAP needs CommonCryptoLib 8.4 or later, and TLS 1.2 in ssl/client_ciphersuites.", Limits: "For SAP, look at ssl/client_ciphersuites."},
	{Key: "oracle", Names: []string{"Oracle UTL_HTTP"}, Page: "oracle-utl-http", Change: "UTL_HTTP has the TLS of the database and needs a wallet: move to 12.2 or later.", Limits: "UTL_HTTP uses the TLS of the database."},
	{Key: "notes", Names: []string{"Lotus Notes"}, Page: "domino", Change: "Notes and Domino need 9.0.1 FP3 IF2 or later; Java agents need https.protocols=TLSv1.2.", Limits: "For Java agents, look at https.protocols."},
	{Key: "ibm-i", Names: []string{"IBM i HTTPAPI"}, Page: "ibm-i", Change: "IBM i has TLS 1.2 from 7.1 TR6 on: on 7.1, add it to QSSLPCL; on an older release, move to 7.2 or later.", Limits: "For IBM i, look at QSSLPCL."},
	{Key: "go", Names: []string{"Go"}, Page: "libraries", Change: "Go has TLS 1.2 since 1.2. If the program sets MaxVersion in its tls.Config, remove it."},
	{Key: "android", Names: []string{"Android"}, Page: "libraries", Change: "Android has TLS 1.2 on by default from 5.0, and from 4.1 where the program enables it."},
	{Key: "nameless", Names: []string{"none"}, Page: "no-user-agent"},
}

// libraries are identified by the hello, with the names of package hello.
var libraries = []Runtime{
	{Key: "schannel-xp", Names: []string{"SChannel Windows XP, Server 2003"}, Page: "windows", Hopeless: true, Change: "Windows XP and Server 2003 support nothing above TLS 1.0, and no setting changes that: move the program to a later Windows."},
	{Key: "schannel-7", Names: []string{"SChannel Windows Vista, 7, Server 2008"}, Page: "windows", Change: "Windows 7, Server 2008 R2 and 2008 SP2 have TLS 1.2 once it is switched on; Vista does not."},
	{Key: "schannel", Names: []string{"SChannel"}, Page: "windows", Change: "On Windows, TLS 1.2 has to be in the system and switched on for the program."},
	{Key: "schannel-12", Names: []string{"SChannel Windows 7 to 11 with TLS 1.2"}, Page: "windows", HasTLS12: true, Change: "Its Windows has TLS 1.2 switched on: remove the protocol versions that the program fixes."},
	{Key: "java-6-tls", Names: []string{"Java 6 or older"}, Page: "java", Hopeless: true, Change: "Java 6 has TLS 1.2 only with paid updates: move to Java 8 or later."},
	{Key: "java-7-tls", Names: []string{"Java 7"}, Page: "java", Change: "Java 7 has TLS 1.2, off by default: switch it on, or move to Java 8 or later."},
	{Key: "java-8-tls", Names: []string{"Java 8 before 8u261"}, Page: "java", HasTLS12: true, Change: "Java 8 has TLS 1.2 on by default: remove https.protocols and jdk.tls.client.protocols that limit it."},
	{Key: "java-tls", Names: []string{"Java"}, Page: "java", Change: "Java 8 and later have TLS 1.2 on by default: move there, and remove what limits the program."},
	{Key: "java-9-tls", Names: []string{"Java 8u261, 9 or later"}, Page: "java", HasTLS12: true, Change: "Its Java has TLS 1.2 and 1.3: remove https.protocols, jdk.tls.client.protocols or setEnabledProtocols that limit it."},
	{Key: "openssl-098", Names: []string{"OpenSSL 0.9.8 or older"}, Page: "curl-openssl", Hopeless: true, Change: "OpenSSL 0.9.8 has no TLS 1.2, and nothing switches it on: update OpenSSL with the program or system that it comes with."},
	{Key: "openssl-10", Names: []string{"OpenSSL 1.0.x"}, Page: "curl-openssl", Change: "If it is OpenSSL 1.0.0, update it. If it is 1.0.1 or 1.0.2, remove the setting that limits the program to TLS 1.0 or 1.1."},
	{Key: "openssl-11", Names: []string{"OpenSSL 1.1.0 or later"}, Page: "curl-openssl", HasTLS12: true, Change: "Its OpenSSL has TLS 1.2: remove the limit (a fixed protocol version in the program, or MaxProtocol in openssl.cnf)."},
	{Key: "libressl", Names: []string{"LibreSSL 2.x"}, Page: "libraries", HasTLS12: true, Change: "LibreSSL has TLS 1.2: remove the protocol version that the program fixes."},
	{Key: "gnutls", Names: []string{"GnuTLS 3.x"}, Page: "libraries", HasTLS12: true, Change: "GnuTLS 3 has TLS 1.2: remove -VERS- and %NO_EXTENSIONS from the priority string of the program or the system."},
	{Key: "nss-old", Names: []string{"NSS 3.x before TLS 1.2 (Firefox 26 and older)"}, Page: "libraries", Change: "NSS has TLS 1.2 from 3.15.1 on: update it, and the program or system that it comes with."},
	{Key: "nss", Names: []string{"NSS 3.15.1 or later"}, Page: "libraries", HasTLS12: true, Change: "Its NSS has TLS 1.2: raise the highest version in the program or in the system's policy."},
	{Key: "android-2", Names: []string{"Android 2.x"}, Page: "libraries", Hopeless: true, Change: "Android 2 has no TLS 1.2: update it, or give the application its own TLS library."},
	{Key: "android-4", Names: []string{"Android 4.x"}, Page: "libraries", Change: "Android 4.1 and later have TLS 1.2 once the application enables it on its sockets."},
	{Key: "android-5", Names: []string{"Android 5 or later"}, Page: "libraries", HasTLS12: true, Change: "Its Android has TLS 1.2: remove the protocol versions that the app sets on its sockets."},
	{Key: "apple-old", Names: []string{"Secure Transport OS X 10.6 to 10.8"}, Page: "libraries", Hopeless: true, Change: "OS X has TLS 1.2 from 10.9 on: update it."},
	{Key: "apple", Names: []string{"Secure Transport OS X 10.9, iOS 5 or later"}, Page: "libraries", HasTLS12: true, Change: "Its system has TLS 1.2: remove the highest version that the program sets."},
	{Key: "presto", Names: []string{"Presto Opera 12"}, Page: "libraries", Change: "Enable TLS 1.2 in its settings, or replace it."},
	{Key: "mono", Names: []string{"Mono 5 or later (BoringSSL)"}, Page: "dotnet", HasTLS12: true, Change: "Mono has TLS 1.2 since 4.8: remove the SecurityProtocol line from the program, or add SecurityProtocolType.Tls12."},
	{Key: "boringssl", Names: []string{"BoringSSL Chromium and its kin"}, Page: "libraries", HasTLS12: true, Change: "BoringSSL has TLS 1.2: remove the highest version that the program or its policy sets."},
	{Key: "go-tls", Names: []string{"Go crypto/tls"}, Page: "libraries", HasTLS12: true, Change: "Go has TLS 1.2: remove MaxVersion from the program's tls.Config."},
}
