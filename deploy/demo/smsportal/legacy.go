package smsportal

import (
	"encoding/xml"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
)

// The answers of the legacy API: docs.smsportal.com/docs/http. Errors are in
// the body of a 200. The only error text known from the real one is
// "No data to send"; the others are ours.
const (
	errorLogin  = "Authentication failed"
	errorType   = "Unknown type"
	errorNoData = "No data to send"
)

type apiResult struct {
	XMLName xml.Name   `xml:"api_result"`
	Data    []dataRow  `xml:"data"`
	Send    *sendInfo  `xml:"send_info"`
	Call    callResult `xml:"call_result"`
}

type callResult struct {
	Result string `xml:"result"`
	Error  string `xml:"error"`
}

type sendInfo struct {
	EventID     uint32 `xml:"eventid"`
	Credits     int    `xml:"credits"`
	MsgsSuccess int    `xml:"msgs_success"`
	MsgsFailed  int    `xml:"msgs_failed"`
}

type dataRow struct {
	Credits  string `xml:"credits,omitempty"`
	ChangeID string `xml:"changeid,omitempty"`
	SentID   string `xml:"sentid,omitempty"`
	ReplyID  string `xml:"replyid,omitempty"`
	EventID  string `xml:"eventid,omitempty"`
	NumTo    string `xml:"numto,omitempty"`
	NumFrom  string `xml:"numfrom,omitempty"`
	Received string `xml:"receiveddata,omitempty"`
	Status   string `xml:"status,omitempty"`
}

func (s *Server) legacy(r *Request) Response {
	f := fieldsOf(r)
	result := s.legacyResult(strings.ToLower(f.get("type")), f.get("username"), f.get("password"), legacyMessages(f), countEntries(f))
	return xmlResponse(result)
}

// legacyResult is shared by the HTTP API and the web service. The messages are
// those that count as sent, entries what was asked for even with live=False.
func (s *Server) legacyResult(kind, user, password string, messages []Message, entries int) apiResult {
	fail := func(text string) apiResult { return apiResult{Call: callResult{Result: "False", Error: text}} }
	if !s.accepts(user, password) {
		return fail(errorLogin)
	}
	result := apiResult{Call: callResult{Result: "True"}}
	switch kind {
	case "sendparam", "send":
		if entries == 0 {
			return fail(errorNoData)
		}
		result.Send = &sendInfo{EventID: eventID(messages), Credits: 1000, MsgsSuccess: entries}
	case "credits":
		result.Data = []dataRow{{Credits: "1000"}}
	case "sent":
		result.Data = []dataRow{{ChangeID: "1", SentID: "1", EventID: "1", NumTo: "27820000000", Status: "DELIVRD"}}
	case "replies":
		result.Data = []dataRow{{ReplyID: "1", EventID: "1", NumFrom: "27820000000", Received: "Yes"}}
	default:
		return fail(errorType)
	}
	return result
}

// legacyMessages are the messages that a call really sends: live=False only
// validates.
func legacyMessages(f fields) []Message {
	if strings.EqualFold(f.get("live"), "false") {
		return nil
	}
	switch strings.ToLower(f.get("type")) {
	case "sendparam":
		return paramMessages(f)
	case "send":
		data, err := parseSendData(f.get("xmldata"))
		if err != nil || strings.EqualFold(data.Live, "false") {
			return nil
		}
		return data.messages()
	default:
		return nil
	}
}

func countEntries(f fields) int {
	if strings.EqualFold(f.get("type"), "sendparam") {
		return len(paramMessages(f))
	}
	data, err := parseSendData(f.get("xmldata"))
	if err != nil {
		return 0
	}
	return len(data.messages())
}

func paramMessages(f fields) []Message {
	if f.get("numto") == "" || f.get("data1") == "" {
		return nil
	}
	var messages []Message
	for number := range strings.SplitSeq(f.get("numto"), ",") {
		messages = append(messages, Message{To: strings.TrimSpace(number), Text: f.get("data1"), CustomerID: f.get("customerid")})
	}
	return messages
}

type sendData struct {
	XMLName      xml.Name `xml:"senddata"`
	Live         string   `xml:"settings>live"`
	DefaultData1 string   `xml:"settings>default_data1"`
	Entries      []struct {
		NumTo      string `xml:"numto"`
		CustomerID string `xml:"customerid"`
		Data1      string `xml:"data1"`
	} `xml:"entries"`
}

// parseSendData reads <senddata>. Callers by GET write & < > as %26amp; %26lt;
// %26gt;: the query decodes to entities, and those to the characters here.
func parseSendData(text string) (sendData, error) {
	var data sendData
	if err := xml.Unmarshal([]byte(text), &data); err != nil {
		return data, fmt.Errorf("reading senddata: %w", err)
	}
	return data, nil
}

func (d sendData) messages() []Message {
	var messages []Message
	for _, e := range d.Entries {
		text := e.Data1
		if text == "" {
			text = d.DefaultData1
		}
		if e.NumTo != "" && text != "" {
			messages = append(messages, Message{To: e.NumTo, Text: text, CustomerID: e.CustomerID})
		}
	}
	return messages
}

// eventID is derived from the messages, so that a double has the same one.
func eventID(messages []Message) uint32 {
	h := fnv.New32a()
	for _, m := range messages {
		fmt.Fprintf(h, "%q", m)
	}
	return h.Sum32()>>1 | 1
}

func xmlResponse(document any) Response {
	body, err := xml.Marshal(document)
	if err != nil {
		return Response{Status: http.StatusInternalServerError}
	}
	return Response{
		Header: http.Header{"Content-Type": {"text/xml; charset=utf-8"}, "Cache-Control": {"private"}, "Server": {"Microsoft-IIS/8.5"}},
		Body:   append([]byte(xml.Header), body...),
	}
}
