package handover

import (
	"encoding/json"
	"time"

	"tlslift/proxy/call"
	"tlslift/proxy/problem"
	"tlslift/proxy/redact"
)

// outcome is a call.Outcome as it passes between two processes, which may be of
// different versions: closed sets are their words. It carries what the metrics
// and the ledger read; the log line is written where the call ended.
type outcome struct {
	Kind       string    `json:"kind"`
	Client     string    `json:"client,omitempty"`
	Source     string    `json:"source,omitempty"`
	Configured bool      `json:"configured,omitempty"`
	Address    string    `json:"address,omitempty"`
	Account    string    `json:"account,omitempty"`
	Unnamed    string    `json:"unnamed,omitempty"`
	ID         string    `json:"id,omitempty"`
	Start      time.Time `json:"start"`
	End        time.Time `json:"end"`

	Ingress   string `json:"ingress,omitempty"`
	Method    string `json:"method,omitempty"`
	Host      string `json:"host,omitempty"`
	Label     string `json:"label,omitempty"`
	Ours      bool   `json:"ours,omitempty"`
	Misnamed  bool   `json:"misnamed,omitempty"`
	Upgraded  bool   `json:"upgraded,omitempty"`
	FallsBack bool   `json:"falls_back,omitempty"`
	Setting   string `json:"setting,omitempty"`
	Version   string `json:"version,omitempty"`
	Handling  string `json:"handling,omitempty"`

	Status       int      `json:"status,omitempty"`
	FromUpstream bool     `json:"from_upstream,omitempty"`
	Reason       string   `json:"reason,omitempty"`
	Delivery     string   `json:"delivery,omitempty"`
	ClientGone   bool     `json:"client_gone,omitempty"`
	UserAgent    string   `json:"user_agent,omitempty"`
	Exposed      []string `json:"exposed,omitempty"`
	Failure      string   `json:"failure,omitempty"`
	Offer        *offer   `json:"offer,omitempty"`

	Observation *observation `json:"observation,omitempty"`
}

type observation struct {
	Ours       bool   `json:"ours,omitempty"`
	Ingress    string `json:"ingress,omitempty"`
	Handling   string `json:"handling,omitempty"`
	Version    string `json:"version,omitempty"`
	Host       string `json:"host,omitempty"`
	NoCall     bool   `json:"no_call,omitempty"`
	Early      bool   `json:"early,omitempty"`
	Again      bool   `json:"again,omitempty"`
	FormerName string `json:"former_name,omitempty"`
	Failure    string `json:"failure,omitempty"`
	AtUpstream bool   `json:"at_upstream,omitempty"`
	NoAlert    bool   `json:"no_alert,omitempty"`
	Hello      *offer `json:"hello,omitempty"`
}

type offer struct {
	Max       string `json:"max"`
	SSLv2     bool   `json:"sslv2,omitempty"`
	SNI       bool   `json:"sni,omitempty"`
	Fallback  bool   `json:"fallback,omitempty"`
	Library   string `json:"library,omitempty"`
	WrongName bool   `json:"wrong_name,omitempty"`
	ShutOut   bool   `json:"shut_out,omitempty"`
	JA4       string `json:"ja4,omitempty"`
}

// kindWords are the kinds' words between processes.
var kindWords = [...]string{call.Request: "request", call.Tunnel: "tunnel", call.Observed: "observed", call.Dropped: "dropped"}

// Encode is an outcome as it passes between processes. It shares no memory with o.
func Encode(o *call.Outcome) json.RawMessage {
	text, _ := json.Marshal(wire(o)) // of strings, numbers and times alone
	return text
}

// Decode is the inverse of Encode.
func Decode(text json.RawMessage) (*call.Outcome, error) {
	var w outcome
	if err := json.Unmarshal(text, &w); err != nil {
		return nil, err
	}
	return w.decode(), nil
}

func wire(o *call.Outcome) *outcome {
	w := &outcome{
		Kind: kindWords[o.Kind], Client: o.Client.Name, Source: o.Client.Source.String(), Configured: o.Client.Configured,
		Address: o.Client.Address, Account: o.Client.Account, Unnamed: o.Client.Unnamed,
		ID: o.ID, Start: o.Start, End: o.End,
		Ingress: o.Ingress.String(), Method: o.Method, Host: o.Host, Label: o.Label, Ours: o.Ours, Misnamed: o.Misnamed, Upgraded: o.Upgraded, FallsBack: o.FallsBack, Setting: o.Setting.String(),
		Version: o.Version.String(), Handling: o.Handling.String(),
		Status: o.Status, FromUpstream: o.FromUpstream, Reason: o.Reason.String(), Delivery: o.Delivery.String(),
		ClientGone: o.ClientGone, UserAgent: o.UserAgent, Failure: o.Failure.String(), Offer: wireOffer(o.Offer),
	}
	for _, k := range redact.AllKinds {
		if o.Exposed.Has(k) {
			w.Exposed = append(w.Exposed, k.String())
		}
	}
	if s := o.Observation; s != nil {
		w.Observation = &observation{
			Ours: s.Ours, Ingress: s.Ingress.String(), Handling: s.Handling.String(), Version: s.Version.String(), Host: s.Host,
			NoCall: s.NoCall, Early: s.Early, Again: s.Again, FormerName: s.FormerName,
			Failure: s.Failure.String(), AtUpstream: s.AtUpstream, NoAlert: s.NoAlert, Hello: wireOffer(s.Hello),
		}
	}
	return w
}

func wireOffer(h *call.Offer) *offer {
	if h == nil {
		return nil
	}
	return &offer{h.Max.String(), h.SSLv2, h.SNI, h.Fallback, h.Library, h.WrongName, h.ShutOut, h.JA4}
}

func (h *offer) decode() *call.Offer {
	if h == nil {
		return nil
	}
	return &call.Offer{
		Max: parse[call.Version](h.Max), SSLv2: h.SSLv2, SNI: h.SNI, Fallback: h.Fallback, Library: h.Library,
		WrongName: h.WrongName, ShutOut: h.ShutOut, JA4: h.JA4,
	}
}

func (w *outcome) decode() *call.Outcome {
	o := &call.Outcome{
		Client: call.Identity{
			Name: w.Client, Source: parse[call.Source](w.Source), Configured: w.Configured, Address: w.Address, Account: w.Account, Unnamed: w.Unnamed,
		},
		ID: w.ID, Start: w.Start, End: w.End,
		Ingress: parse[call.Ingress](w.Ingress), Method: w.Method, Host: w.Host, Label: w.Label, Ours: w.Ours, Misnamed: w.Misnamed, Upgraded: w.Upgraded, FallsBack: w.FallsBack, Setting: parse[call.Setting](w.Setting),
		Version: parse[call.Version](w.Version), Handling: parse[call.Handling](w.Handling),
		Status: w.Status, FromUpstream: w.FromUpstream, Reason: parse[problem.Reason](w.Reason), Delivery: parse[problem.Delivery](w.Delivery),
		ClientGone: w.ClientGone, UserAgent: w.UserAgent, Failure: parse[call.HandshakeFailure](w.Failure), Offer: w.Offer.decode(),
	}
	for kind, word := range kindWords {
		if word == w.Kind {
			o.Kind = call.Kind(kind)
		}
	}
	for _, word := range w.Exposed {
		for _, k := range redact.AllKinds {
			if k.String() == word {
				o.Exposed |= 1 << k
			}
		}
	}
	if s := w.Observation; s != nil {
		o.Observation = &call.Observation{
			Ours: s.Ours, Ingress: parse[call.Ingress](s.Ingress), Handling: parse[call.Handling](s.Handling),
			Version: parse[call.Version](s.Version), Host: s.Host, NoCall: s.NoCall, Early: s.Early, Again: s.Again, FormerName: s.FormerName,
			Failure: parse[call.HandshakeFailure](s.Failure), AtUpstream: s.AtUpstream, NoAlert: s.NoAlert, Hello: s.Hello.decode(),
		}
	}
	return o
}

// parse finds a word's value in a closed set; a word of a later version is the
// zero value.
func parse[T interface {
	~uint8
	String() string
}](word string) T {
	for n := range 256 {
		if T(n).String() == word {
			return T(n)
		}
	}
	return 0
}
