package admin

import (
	"encoding/json"
	"encoding/pem"
	"net/http"

	"go.uber.org/zap"
)

// sentence answers with one line of text.
func sentence(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // fails only if the caller is gone
}

func notFound(w http.ResponseWriter, _ *http.Request) {
	sentence(w, http.StatusNotFound, "There is nothing here.")
}

// serveCA serves the certificates that clients install. It leaves out anything
// else in the PEM.
func (a *Admin) serveCA(w http.ResponseWriter, _ *http.Request) {
	certificates := onlyCertificates(a.o.CA())
	if len(certificates) == 0 {
		sentence(w, http.StatusNotFound, "No CA is configured (legacy_tls.ca): clients need none.")
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Header().Set("Content-Disposition", `attachment; filename="tlslift-ca.pem"`)
	_, _ = w.Write(certificates)
}

func onlyCertificates(rest []byte) []byte {
	var out []byte
	for {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			return out
		}
		if block.Type == "CERTIFICATE" {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: block.Type, Bytes: block.Bytes})...)
		}
	}
}

// serveQuit starts the shutdown of the process. It is for Jobs whose application
// reports to the sidecar that it is done.
func (a *Admin) serveQuit(w http.ResponseWriter, r *http.Request) {
	if !a.o.AllowQuit {
		sentence(w, http.StatusNotFound, "Set admin.quit: true to allow POST /quit.")
		return
	}
	if !allowMethods(w, r, http.MethodPost) {
		return
	}
	a.o.Logger.Info("asked to quit", zap.String("client_addr", r.RemoteAddr))
	sentence(w, http.StatusOK, Stopping.String())
	_ = http.NewResponseController(w).Flush() // send the answer before the shutdown starts
	a.o.Quit()
}

func (a *Admin) serveBuild(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(a.o.Build) // fails only if the caller is gone
}
