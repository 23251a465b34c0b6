package problem

import (
	"net/http"
	"strconv"
)

// The XML documents have no declaration and no white space between elements:
// ASCII needs none, some parsers refuse a declared encoding in what they were
// given as text (lxml), and clients in use take the first child node for the
// first element.

// api5 is the legacy API's way of saying no (docs.smsportal.com/docs/http):
// clients look for result and error, whatever the Type of the call.
func (p *Problem) api5() []byte {
	b := append(buffer(), "<api_result><call_result><result>False</result><error>"...)
	b = appendXML(b, p.message())
	return append(b, "</error></call_result></api_result>"...)
}

// soap11 is a SOAP 1.1 fault (W3C note, 4.4); the order of its elements is
// fixed.
func (p *Problem) soap11() []byte {
	code := "soap:Server"
	if p.callersFault() {
		code = "soap:Client"
	}
	b := append(buffer(), `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault><faultcode>`...)
	b = append(append(b, code...), "</faultcode><faultstring>"...)
	b = append(appendXML(b, p.message()), "</faultstring><detail>"...)
	b = append(p.appendDetail(b), "</detail>"...)
	return append(b, "</soap:Fault></soap:Body></soap:Envelope>"...)
}

// soap12 is a SOAP 1.2 fault (W3C recommendation, part 1, 5.4).
func (p *Problem) soap12() []byte {
	code := "soap:Receiver"
	if p.callersFault() {
		code = "soap:Sender"
	}
	b := append(buffer(), `<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"><soap:Body><soap:Fault><soap:Code><soap:Value>`...)
	b = append(append(b, code...), `</soap:Value></soap:Code><soap:Reason><soap:Text xml:lang="en">`...)
	b = append(appendXML(b, p.message()), "</soap:Text></soap:Reason><soap:Detail>"...)
	b = append(p.appendDetail(b), "</soap:Detail>"...)
	return append(b, "</soap:Fault></soap:Body></soap:Envelope>"...)
}

// callersFault tells a fault of the client from one on the way to the server. A
// URL that names no API host is the client's, even if it makes a loop.
func (p *Problem) callersFault() bool {
	return p.status() < http.StatusInternalServerError || p.Reason == Method || p.Cause == Hostless || p.Cause == Misnamed
}

// appendDetail appends the fault's detail entry, for programs.
func (p *Problem) appendDetail(b []byte) []byte {
	b = append(b, `<tlslift xmlns="urn:tlslift:error"><error>`...)
	b = append(append(b, p.word()...), "</error><delivery>"...)
	b = append(append(b, p.delivery().String()...), "</delivery>"...)
	if id := cleanID(p.RequestID); id != "" {
		b = append(append(append(b, "<requestId>"...), id...), "</requestId>"...)
	}
	return append(b, "</tlslift>"...)
}

// rest is the shape that clients of the REST API know (statusCode and
// errors[] of errorCode and errorMessage; faults of a send), and message for
// those that look for nothing else. Our own words are under tlslift.
func (p *Problem) rest() []byte {
	message, word := p.message(), p.word()
	b := strconv.AppendInt(append(buffer(), `{"statusCode":`...), int64(p.status()), 10)
	b = append(append(b, `,"errors":[{"errorCode":"tlslift.`...), word...)
	b = appendJSON(append(b, `","errorMessage":"`...), message)
	b = appendJSON(append(b, `"}],"errorReport":{"faults":[{"errorMessage":"`...), message)
	b = append(append(b, `","status":"tlslift.`...), word...)
	b = appendJSON(append(b, `"}]},"message":"`...), message)
	b = append(append(b, `","tlslift":{"error":"`...), word...)
	b = append(append(b, `","delivery":"`...), p.delivery().String()...)
	if id := cleanID(p.RequestID); id != "" {
		b = append(append(b, `","requestId":"`...), id...)
	}
	return append(b, `"}}`...)
}

func buffer() []byte { return make([]byte, 0, 2048) }

// appendXML appends printable ASCII as character data.
func appendXML(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '&':
			b = append(b, "&amp;"...)
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		default:
			b = append(b, c)
		}
	}
	return b
}

// appendJSON appends printable ASCII as the inside of a JSON string.
func appendJSON(b []byte, s string) []byte {
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			b = append(b, '\\')
		}
		b = append(b, s[i])
	}
	return b
}
