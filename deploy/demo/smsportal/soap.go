package smsportal

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
)

// Namespace is the web service's XML namespace: an identifier, not an address.
const Namespace = "http://www.mymobileapi.com/api5"

const (
	soap11 = "http://schemas.xmlsoap.org/soap/envelope/"
	soap12 = "http://www.w3.org/2003/05/soap-envelope"
)

// soapCall is one operation of the web service.
type soapCall struct {
	envelope  string // the envelope's namespace
	operation string // e.g. Send_STR_STR
	username  string
	password  string
	data      string
}

type envelope struct {
	XMLName xml.Name
	Body    struct {
		Call struct {
			XMLName  xml.Name
			Username string `xml:"username"`
			Password string `xml:"password"`
			Data     string `xml:"data"`
		} `xml:",any"`
	} `xml:"Body"`
}

func parseEnvelope(body []byte) (soapCall, error) {
	var e envelope
	if err := xml.Unmarshal(body, &e); err != nil {
		return soapCall{}, fmt.Errorf("reading the envelope: %w", err)
	}
	call := e.Body.Call
	if e.XMLName.Local != "Envelope" || call.XMLName.Local == "" {
		return soapCall{}, fmt.Errorf("no operation in the envelope")
	}
	return soapCall{e.XMLName.Space, call.XMLName.Local, call.Username, call.Password, call.Data}, nil
}

// kind returns the legacy API's Type for an operation <Thing>_<in>_<out>.
func (c soapCall) kind() string {
	thing, _, _ := strings.Cut(strings.ToLower(c.operation), "_")
	if thing == "reply" {
		return "replies"
	}
	return thing
}

func (c soapCall) entries() (entries []Message, live bool) {
	data, err := parseSendData(c.data)
	switch {
	case c.kind() != "send" || c.data == "":
		return nil, true
	case err != nil: // a DataSet or a zip file counts as one opaque message
		return []Message{{Text: c.data}}, true
	default:
		return data.messages(), data.live()
	}
}

func (a *API) soap(r *Request) Response {
	if r.Method == http.MethodGet {
		if _, query, _ := strings.Cut(strings.ToLower(r.Target), "?"); query == "wsdl" {
			return Response{Header: contentType("text/xml; charset=utf-8"), Body: wsdl(r.Host)}
		}
		return Response{Header: contentType("text/html; charset=utf-8"), Body: []byte("<html><body>API</body></html>")}
	}
	call, err := parseEnvelope(r.Body)
	if err != nil {
		return fault(soap11, "The envelope could not be read.")
	}
	switch call.kind() {
	case "send", "credits", "sent", "replies":
	default:
		return fault(call.envelope, "Unknown operation.")
	}
	entries, live := call.entries()
	result, err := xml.Marshal(a.legacyResult(call.kind(), call.username, call.password, entries, live))
	if err != nil {
		return fault(call.envelope, "The answer could not be written.")
	}
	return soapResponse(http.StatusOK, call.envelope, fmt.Sprintf(`<%[1]sResponse xmlns="%[2]s"><%[1]sResult>%[3]s</%[1]sResult></%[1]sResponse>`,
		call.operation, Namespace, escape(string(result))))
}

func fault(space, text string) Response {
	if space == soap12 {
		return soapResponse(http.StatusInternalServerError, space,
			`<soap:Fault><soap:Code><soap:Value>soap:Sender</soap:Value></soap:Code><soap:Reason><soap:Text xml:lang="en">`+escape(text)+`</soap:Text></soap:Reason></soap:Fault>`)
	}
	return soapResponse(http.StatusInternalServerError, space,
		`<soap:Fault><faultcode>soap:Client</faultcode><faultstring>`+escape(text)+`</faultstring></soap:Fault>`)
}

func soapResponse(status int, space, content string) Response {
	kind := "text/xml; charset=utf-8"
	if space == soap12 {
		kind = "application/soap+xml; charset=utf-8"
	} else {
		space = soap11
	}
	return Response{
		Status: status, Header: contentType(kind),
		Body: []byte(xml.Header + `<soap:Envelope xmlns:soap="` + space + `"><soap:Body>` + content + `</soap:Body></soap:Envelope>`),
	}
}

func contentType(kind string) http.Header { return http.Header{"Content-Type": {kind}} }

func escape(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a bytes.Buffer does not fail
	return b.String()
}

// wsdl returns a small but valid description of two operations. The service has
// its https address, which must be rewritten for a caller that sees http.
func wsdl(host string) []byte {
	var operations, messages, bindings, types strings.Builder
	for _, name := range []string{"Credits_STR", "Send_STR_STR"} {
		data := ""
		if name == "Send_STR_STR" {
			data = `<s:element minOccurs="0" maxOccurs="1" name="data" type="s:string"/>`
		}
		fmt.Fprintf(&types, `<s:element name="%[1]s"><s:complexType><s:sequence><s:element minOccurs="0" maxOccurs="1" name="username" type="s:string"/><s:element minOccurs="0" maxOccurs="1" name="password" type="s:string"/>%[2]s</s:sequence></s:complexType></s:element><s:element name="%[1]sResponse"><s:complexType><s:sequence><s:element minOccurs="0" maxOccurs="1" name="%[1]sResult" type="s:string"/></s:sequence></s:complexType></s:element>`, name, data)
		fmt.Fprintf(&messages, `<wsdl:message name="%[1]sSoapIn"><wsdl:part name="parameters" element="tns:%[1]s"/></wsdl:message><wsdl:message name="%[1]sSoapOut"><wsdl:part name="parameters" element="tns:%[1]sResponse"/></wsdl:message>`, name)
		fmt.Fprintf(&operations, `<wsdl:operation name="%[1]s"><wsdl:input message="tns:%[1]sSoapIn"/><wsdl:output message="tns:%[1]sSoapOut"/></wsdl:operation>`, name)
		fmt.Fprintf(&bindings, `<wsdl:operation name="%[1]s"><soap:operation soapAction="%[2]s/%[1]s" style="document"/><wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>`, name, Namespace)
	}
	return fmt.Appendf(nil, `%[1]s<wsdl:definitions xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:tns="%[2]s" xmlns:s="http://www.w3.org/2001/XMLSchema" xmlns:wsdl="http://schemas.xmlsoap.org/wsdl/" targetNamespace="%[2]s"><wsdl:types><s:schema elementFormDefault="qualified" targetNamespace="%[2]s">%[3]s</s:schema></wsdl:types>%[4]s<wsdl:portType name="APISoap">%[5]s</wsdl:portType><wsdl:binding name="APISoap" type="tns:APISoap"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>%[6]s</wsdl:binding><wsdl:service name="API"><wsdl:port name="APISoap" binding="tns:APISoap"><soap:address location="https://%[7]s/api5/api.asmx"/></wsdl:port></wsdl:service></wsdl:definitions>`,
		xml.Header, Namespace, types.String(), messages.String(), operations.String(), bindings.String(), escape(host))
}
