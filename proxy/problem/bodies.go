package problem

import (
	"net/http"
	"strconv"
)

// The XML documents have no declaration and no white space between elements. ASCII
// needs no declaration, and some parsers (lxml) reject a declared encoding in text.
// Clients in use take the first child node for the first element. Nothing is escaped
// here, because the texts, hosts and ids contain only characters that are safe in XML
// and JSON.

// api5 returns the legacy API's error document (docs.smsportal.com/docs/http).
// Clients look for result and error, whatever the Type of the call.
func (p *Problem) api5() string {
	return "<api_result><call_result><result>False</result><error>" + p.message() + "</error></call_result></api_result>"
}

// soap11 returns a SOAP 1.1 fault (W3C note, 4.4). The order of its elements is
// fixed.
func (p *Problem) soap11() string {
	code := "soap:Server"
	if p.callersFault() {
		code = "soap:Client"
	}
	return `<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body><soap:Fault><faultcode>` + code +
		"</faultcode><faultstring>" + p.message() + "</faultstring><detail>" + p.detail() + "</detail></soap:Fault></soap:Body></soap:Envelope>"
}

// soap12 returns a SOAP 1.2 fault (W3C recommendation, part 1, 5.4).
func (p *Problem) soap12() string {
	code := "soap:Receiver"
	if p.callersFault() {
		code = "soap:Sender"
	}
	return `<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"><soap:Body><soap:Fault><soap:Code><soap:Value>` + code +
		`</soap:Value></soap:Code><soap:Reason><soap:Text xml:lang="en">` + p.message() +
		"</soap:Text></soap:Reason><soap:Detail>" + p.detail() + "</soap:Detail></soap:Fault></soap:Body></soap:Envelope>"
}

// callersFault reports whether the client is at fault, not something on the way to
// the server. A URL that names no API host is the client's fault, even if it makes a
// loop.
func (p *Problem) callersFault() bool {
	return p.status() < http.StatusInternalServerError || p.Reason == Method || p.Cause == Hostless || p.Cause == Misnamed
}

// detail returns the fault's detail entry, for programs.
func (p *Problem) detail() string {
	id := p.RequestID
	if id != "" {
		id = "<requestId>" + id + "</requestId>"
	}
	return `<tlslift xmlns="urn:tlslift:error"><error>` + p.word() + "</error><delivery>" + p.delivery().String() + "</delivery>" + id + "</tlslift>"
}

// rest returns the JSON that clients of the REST API expect: statusCode and errors[]
// of errorCode and errorMessage, and the faults of a send. message is for clients
// that look for nothing more. Our own words are under tlslift.
func (p *Problem) rest() string {
	message, word, id := p.message(), p.word(), p.RequestID
	if id != "" {
		id = `","requestId":"` + id
	}
	return `{"statusCode":` + strconv.Itoa(p.status()) + `,"errors":[{"errorCode":"tlslift.` + word + `","errorMessage":"` + message +
		`"}],"errorReport":{"faults":[{"errorMessage":"` + message + `","status":"tlslift.` + word +
		`"}]},"message":"` + message + `","tlslift":{"error":"` + word + `","delivery":"` + p.delivery().String() + id + `"}}`
}
