package e2e

import (
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tlslift/test/harness"
	"tlslift/test/smsportal"
)

// TestTokenIsReplacedByAReload: the key stays, the word in its file does not.
func TestTokenIsReplacedByAReload(t *testing.T) {
	t.Parallel()
	file := harness.TempFile(t, "token", "first\n")
	_, p := portal(t, smsportal.Options{}, "admin: {address: '0.0.0.0:0', token_file: "+file+"}")
	status := func(token string) int {
		request, err := http.NewRequest(http.MethodGet, "http://"+p.AdminAddr()+"/api/v1/clients", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.StatusCode
	}
	if status("first") != 200 || status("second") != 401 {
		t.Errorf("at start: first %d, second %d", status("first"), status("second"))
	}
	harness.WriteFile(t, file, "second\n")
	p.WaitLog(harness.Match{"msg": "reloaded", "why": "file changed"})
	if status("first") != 401 || status("second") != 200 {
		t.Errorf("after the reload: first %d, second %d", status("first"), status("second"))
	}
	harness.WriteFile(t, file, "\n")
	p.Signal(syscall.SIGHUP)
	p.WaitLog(harness.Match{"msg": "reload refused, the old configuration stays"})
	if status("second") != 200 || status("") != 401 {
		t.Errorf("after an empty file: second %d, none %d", status("second"), status(""))
	}
}

// TestCheckLooksAtFilesThatOnlyRunningWouldUse, beside all else.
func TestCheckLooksAtFilesThatOnlyRunningWouldUse(t *testing.T) {
	t.Parallel()
	token := harness.TempFile(t, "token", " \n")
	file := harness.TempFile(t, "c.yaml", "admin: {address: '0.0.0.0:0', token_file: "+token+"}\nstate:\n  file: "+filepath.Join(filepath.Dir(token), "missing", "ledger.json")+"\n")
	got := harness.Run(t, nil, "check", "--config", file)
	for _, want := range []string{file + ":1: admin.token_file: ", "is empty; ", file + ":3: state.file: ", "does not exist", "make it"} {
		if got.Code != 2 || !strings.Contains(got.Stderr, want) {
			t.Errorf("status %d, no %q in %s", got.Code, want, got.Stderr)
		}
	}
	if got := harness.Run(t, nil, "run", "--config", file); got.Code != 2 || !strings.Contains(got.Stderr, file+":1: admin.token_file: ") {
		t.Errorf("run: status %d, %s", got.Code, got.Stderr)
	}
}
