package smsportal

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
)

// The answers of the legacy API (docs.smsportal.com/docs/http). Errors are in the
// body of a 200. The only error text known from the real API is "No data to
// send"; the others are invented.
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

func (a *API) legacy(r *Request) Response {
	f := fieldsOf(r)
	entries, live := legacyEntries(f)
	return xmlResponse(a.legacyResult(strings.ToLower(f.get("type")), f.get("username"), f.get("password"), entries, live))
}

// legacyResult serves both the HTTP API and the web service.
func (a *API) legacyResult(kind, user, password string, entries []Message, live bool) apiResult {
	fail := func(text string) apiResult { return apiResult{Call: callResult{Result: "False", Error: text}} }
	if !a.accepts(user, password) {
		return fail(errorLogin)
	}
	result := apiResult{Call: callResult{Result: "True"}}
	switch kind {
	case "sendparam", "send":
		if len(entries) == 0 {
			return fail(errorNoData)
		}
		result.Send = &sendInfo{EventID: eventID(sent(entries, live)), Credits: 1000, MsgsSuccess: len(entries)}
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

// sent returns the entries that count as sent: none with live=False,
// which only validates.
func sent(entries []Message, live bool) []Message {
	if !live {
		return nil
	}
	return entries
}

// legacyEntries returns the messages that a call asks for, live or not.
func legacyEntries(f fields) (entries []Message, live bool) {
	live = !strings.EqualFold(f.get("live"), "false")
	switch strings.ToLower(f.get("type")) {
	case "sendparam":
		return paramMessages(f), live
	case "send":
		data, _ := parseSendData(f.get("xmldata"))
		return data.messages(), live && data.live()
	default:
		return nil, live
	}
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

// parseSendData parses <senddata>. Callers by GET write & < > as %26amp; %26lt;
// %26gt;. The query decodes to entities, which become the characters here.
func parseSendData(text string) (data sendData, err error) {
	err = xml.Unmarshal([]byte(text), &data)
	return data, err
}

func (d sendData) live() bool { return !strings.EqualFold(d.Live, "false") }

func (d sendData) messages() []Message {
	var messages []Message
	for _, e := range d.Entries {
		text := cmp.Or(e.Data1, d.DefaultData1)
		if e.NumTo != "" && text != "" {
			messages = append(messages, Message{To: e.NumTo, Text: text, CustomerID: e.CustomerID})
		}
	}
	return messages
}

// eventID derives an ID from the messages, so a double has the same one.
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
