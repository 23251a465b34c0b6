package smsportal

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

// start starts a server whose API accepts what is wanted.
func start(t *testing.T, wanted API) *Server {
	t.Helper()
	s, err := Start("127.0.0.1:0", 0)
	if err != nil {
		t.Fatal(err)
	}
	s.api = wanted
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// client speaks verified TLS to the server under any of its names.
func client(s *Server) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.CAPEM())
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.Addr())
		},
	}}
}

func do(t *testing.T, s *Server, method, target, contentType, body string, header ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequest(method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	c := client(s)
	defer c.CloseIdleConnections()
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

func multipartBody(t *testing.T, pairs url.Values) (contentType, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name := range pairs {
		if err := w.WriteField(name, pairs.Get(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.String()
}

func TestLegacyAPI(t *testing.T) {
	t.Parallel()
	const (
		form     = "application/x-www-form-urlencoded"
		endpoint = "https://www.mymobileapi.com/api5/http5.aspx"
		login    = "Username=user&Password=secret"
	)
	multi, parts := multipartBody(t, url.Values{"Type": {"sendparam"}, "Username": {"user"}, "Password": {"secret"}, "numto": {"0820000001"}, "data1": {"text"}})
	xmlData := url.QueryEscape("<senddata><settings><default_data1>text</default_data1></settings><entries><numto>0820000001</numto></entries><entries><numto>0820000002</numto><data1>other</data1><customerid>c</customerid></entries></senddata>")
	tests := map[string]struct {
		method, target, contentType, body string
		result, contains                  string
		sends                             int
	}{
		"get sendparam":          {method: "GET", target: endpoint + "?Type=sendparam&" + login + "&numto=0820000001,0820000002&data1=text", result: "True", contains: "<eventid>", sends: 2},
		"names in any case":      {method: "GET", target: endpoint + "?TYPE=sendparam&uSERNAME=u&password=p&Numto=0820000001&DATA1=text", result: "True", sends: 1},
		"path in any case":       {method: "GET", target: "https://api.smsportal.com/API5/HTTP5.ASPX?Type=credits&" + login, result: "True", contains: "<credits>1000</credits>"},
		"post with query":        {method: "POST", target: endpoint + "?Type=sendparam&" + login + "&numto=0820000001&data1=text", result: "True", sends: 1},
		"post form":              {method: "POST", target: endpoint, contentType: form, body: "Type=sendparam&" + login + "&numto=0820000001&data1=a%26b", result: "True", sends: 1},
		"post multipart":         {method: "POST", target: endpoint, contentType: multi, body: parts, result: "True", sends: 1},
		"send xml":               {method: "POST", target: endpoint, contentType: form, body: "Type=send&" + login + "&XMLData=" + xmlData, result: "True", contains: "<msgs_success>2<", sends: 2},
		"send xml with entities": {method: "GET", target: endpoint + "?Type=send&" + login + "&XMLData=<senddata><entries><numto>1</numto><data1>a%26amp;b</data1></entries></senddata>", result: "True", sends: 1},
		"live false":             {method: "GET", target: endpoint + "?Type=sendparam&" + login + "&numto=1&data1=text&live=False", result: "True", contains: "<msgs_success>1<"},
		"nothing to send":        {method: "GET", target: endpoint + "?Type=sendparam&" + login + "&numto=1", result: "False", contains: "No data to send"},
		"no password":            {method: "GET", target: endpoint + "?Type=credits&Username=user", result: "False", contains: "<error>Auth"},
		"unknown type":           {method: "GET", target: endpoint + "?Type=dance&" + login, result: "False"},
		"sent":                   {method: "GET", target: endpoint + "?Type=sent&" + login, result: "True", contains: "<changeid>"},
		"replies":                {method: "GET", target: endpoint + "?Type=replies&" + login, result: "True", contains: "<replyid>"},
		"bad escape is kept":     {method: "GET", target: endpoint + "?Type=sendparam&" + login + "&numto=1&data1=100%", result: "True", sends: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, API{})
			status, body := do(t, s, tt.method, tt.target, tt.contentType, tt.body)
			var answer struct {
				XMLName xml.Name
				Result  string `xml:"call_result>result"`
			}
			if err := xml.Unmarshal([]byte(body), &answer); err != nil {
				t.Fatalf("%v in %s", err, body)
			}
			if status != 200 || answer.XMLName.Local != "api_result" || answer.Result != tt.result || !strings.Contains(body, tt.contains) {
				t.Errorf("%d, result %q in %s", status, answer.Result, body)
			}
			if _, got, _ := s.Counts(); got != tt.sends {
				t.Errorf("%d messages sent, want %d", got, tt.sends)
			}
		})
	}
}

func TestREST(t *testing.T) {
	t.Parallel()
	const host = "https://rest.smsportal.com"
	basic := []string{"Authorization", "Basic dXNlcjpzZWNyZXQ="}
	bulk := `{"Messages":[{"Content":"text","Destination":"0820000001","CustomerId":"c"}]}`
	tests := map[string]struct {
		method, path, body string
		header             []string
		status             int
		contains           string
		sends              int
	}{
		"authentication":      {method: "GET", path: "/Authentication", header: basic, status: 200, contains: `"schema":"JWT"`},
		"versioned":           {method: "GET", path: "/v1/authentication", header: basic, status: 200, contains: `"token":"`},
		"bare base64":         {method: "GET", path: "/v3/Authentication", header: []string{"Authorization", "dXNlcjpzZWNyZXQ="}, status: 200},
		"no header":           {method: "GET", path: "/Balance", status: 401, contains: "AuthenticationHeader.Missing"},
		"bad token":           {method: "GET", path: "/Balance", header: []string{"Authorization", "Bearer x.y.z"}, status: 401, contains: "AuthenticationToken.Invalid"},
		"wrong password":      {method: "GET", path: "/Balance", header: []string{"Authorization", "Basic dXNlcjpvdGhlcg=="}, status: 401, contains: "InvalidCredentials"},
		"balance":             {method: "GET", path: "/v2/balance", header: basic, status: 200, contains: `"balance":`},
		"bulk":                {method: "POST", path: "/BulkMessages", header: basic, body: bulk, status: 200, contains: `"eventId":`, sends: 1},
		"camel case":          {method: "POST", path: "/v3/bulkmessages", header: basic, body: `{"messages":[{"content":"t","destination":"1"},{"content":"t","destination":"2"}]}`, status: 200, sends: 2},
		"group":               {method: "POST", path: "/GroupMessages", header: basic, body: `{"Message":"hello","Groups":["a","b"]}`, status: 200, sends: 2},
		"test mode":           {method: "POST", path: "/BulkMessages", header: basic, body: `{"SendOptions":{"TestMode":true},` + bulk[1:], status: 200},
		"not JSON":            {method: "POST", path: "/BulkMessages", header: basic, body: `{`, status: 400, contains: `"statusCode":400`},
		"empty":               {method: "POST", path: "/BulkMessages", header: basic, body: `{}`, status: 400, contains: "RequiredParameter.Missing"},
		"not found":           {method: "GET", path: "/nothing", header: basic, status: 404, contains: "EntityNotFound"},
		"wrong method":        {method: "DELETE", path: "/Balance", header: basic, status: 405},
		"version only prefix": {method: "GET", path: "/v1balance", header: basic, status: 404},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, API{Username: "user", Password: "secret"})
			status, body := do(t, s, tt.method, host+tt.path, "application/json", tt.body, tt.header...)
			if status != tt.status || !strings.Contains(body, tt.contains) {
				t.Errorf("%d %s", status, body)
			}
			if _, got, _ := s.Counts(); got != tt.sends {
				t.Errorf("%d messages sent, want %d", got, tt.sends)
			}
		})
	}
}

func TestTokenIsAccepted(t *testing.T) {
	t.Parallel()
	s := start(t, API{})
	_, body := do(t, s, "GET", "https://rest.mymobileapi.com/Authentication", "", "", "Authorization", "BASIC dXNlcjpzZWNyZXQ=")
	var answer struct{ Token string }
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"Bearer %s", "Bearer [%s]"} {
		if status, body := do(t, s, "GET", "https://rest.mymobileapi.com/Balance", "", "", "Authorization", fmt.Sprintf(form, answer.Token)); status != 200 {
			t.Errorf(form+": %d %s", "TOKEN", status, body)
		}
	}
}

func TestSOAP(t *testing.T) {
	t.Parallel()
	const address = "https://www.mymobileapi.com/api5/api.asmx"
	call := func(space, operation, data string) string {
		return `<?xml version="1.0"?><s:Envelope xmlns:s="` + space + `"><s:Body><` + operation + ` xmlns="` + Namespace + `"><username>u</username><password>p</password><data>` + escape(data) + `</data></` + operation + `></s:Body></s:Envelope>`
	}
	one := "<senddata><entries><numto>1</numto><data1>text</data1></entries></senddata>"
	tests := map[string]struct {
		method, target, body string
		status               int
		contains             string
		sends                int
	}{
		"send":              {method: "POST", target: address, body: call(soap11, "Send_STR_STR", one), status: 200, contains: "&lt;result&gt;True", sends: 1},
		"send 1.2":          {method: "POST", target: address, body: call(soap12, "Send_STR_STR", one), status: 200, contains: soap12, sends: 1},
		"send dataset":      {method: "POST", target: address, body: call(soap11, "Send_ZIP_ZIP", "UEsDBA=="), status: 200, sends: 1},
		"credits":           {method: "POST", target: address, body: call(soap11, "Credits_STR", ""), status: 200, contains: "&lt;credits&gt;1000"},
		"unknown operation": {method: "POST", target: address, body: call(soap11, "Dance_STR", ""), status: 500, contains: "faultstring"},
		"unknown in 1.2":    {method: "POST", target: address, body: call(soap12, "Dance_STR", ""), status: 500, contains: "soap:Reason"},
		"not an envelope":   {method: "POST", target: address, body: "hello", status: 500, contains: "soap:Fault"},
		"wsdl":              {method: "GET", target: address + "?WSDL", status: 200, contains: `location="https://www.mymobileapi.com/api5/api.asmx"`},
		"page":              {method: "GET", target: address, status: 200, contains: "<html>"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, API{})
			status, body := do(t, s, tt.method, tt.target, "text/xml", tt.body)
			if status != tt.status || !strings.Contains(body, tt.contains) {
				t.Errorf("%d %s", status, body)
			}
			if err := xml.Unmarshal([]byte(body), new(struct{ XMLName xml.Name })); err != nil {
				t.Errorf("not XML: %v", err)
			}
			if _, got, _ := s.Counts(); got != tt.sends {
				t.Errorf("%d messages sent, want %d", got, tt.sends)
			}
		})
	}
}

func TestServerCountsDoublesAndKeepsTheNewestRequests(t *testing.T) {
	t.Parallel()
	s := start(t, API{})
	target := "https://api.smsportal.com/api5/http5.aspx?Type=sendparam&Username=u&Password=p&numto=1&data1=once&customerid="
	for _, id := range []string{"c", "d", "c"} {
		do(t, s, "GET", target+id, "", "", "User-Agent", "billing")
	}
	requests, messages, doubles := s.Counts()
	if requests != 3 || messages != 3 || doubles != 1 {
		t.Errorf("%d requests, %d messages, %d doubles", requests, messages, doubles)
	}
	got := s.Requests()[2]
	if got.Method != "GET" || got.Target != strings.TrimPrefix(target, "https://api.smsportal.com")+"c" || got.UserAgent != "billing" ||
		got.TLSVersion != tls.VersionTLS13 || got.ServerName != "api.smsportal.com" {
		t.Errorf("%+v", got)
	}
	for i := range maxKept {
		s.record(Received{Target: strconv.Itoa(i)}, nil)
	}
	kept := s.Requests()
	if total, _, _ := s.Counts(); len(kept) != maxKept || kept[0].Target != "0" || total != maxKept+3 {
		t.Errorf("kept %d of %d", len(kept), total)
	}
}

func TestServerRefusesOldTLS(t *testing.T) {
	t.Parallel()
	s := start(t, API{})
	config := &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	if conn, err := tls.Dial("tcp", s.Addr(), config); err == nil {
		_ = conn.Close()
		t.Error("the handshake succeeded")
	}
}

func TestServerCountsBeforeTheDelayedAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, API{})
	s.delay = time.Hour
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	request := httptest.NewRequestWithContext(gone, "GET", "/api5/http5.aspx?Type=sendparam&Username=u&Password=p&numto=1&data1=late", nil)
	request.TLS = &tls.ConnectionState{}
	answer := httptest.NewRecorder()
	s.ServeHTTP(answer, request)
	if _, messages, _ := s.Counts(); messages != 1 || answer.Body.Len() != 0 {
		t.Errorf("%d messages, answer %q", messages, answer.Body)
	}
}
