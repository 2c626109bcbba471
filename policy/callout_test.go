package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// hang answers nothing until the client has gone.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// tokenAPI knows "good" and its troubles, wherever the token is: in ?token=, in
// the path's last segment, or in a callout's question.
func tokenAPI(t *testing.T, find func(*http.Request) string) *httptest.Server {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("another host was asked for %s", r.URL)
	}))
	t.Cleanup(elsewhere.Close)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch token := find(r); token {
		case "good", "a b/c?d=e&f#g+%":
			io.WriteString(w, "desk:5900\n")
		case "json":
			io.WriteString(w, `{"host": "::1", "port": 5900}`)
		case "redirect":
			http.Redirect(w, r, strings.Replace(r.URL.String(), "redirect", "good", 1), http.StatusTemporaryRedirect)
		case "away":
			http.Redirect(w, r, elsewhere.URL+"/"+token, http.StatusTemporaryRedirect)
		case "round":
			http.Redirect(w, r, r.URL.String(), http.StatusTemporaryRedirect)
		case "slow-token":
			hang(w, r)
		case "broken-token":
			w.WriteHeader(500)
		case "locked-token":
			w.WriteHeader(401)
		case "nonsense-token":
			io.WriteString(w, "it is "+token)
		case "huge-token":
			io.WriteString(w, "desk:5900"+strings.Repeat(" ", maxAnswer))
		case "endless-token":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		default:
			w.WriteHeader(404)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

var apiTroubles = []string{"away", "broken-token", "locked-token", "nonsense-token", "huge-token", "endless-token"}

func (d *desk) expectTrouble(t *testing.T, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		if got := d.ask(t, token); got != "Bad Gateway: the token cannot be looked up now" {
			t.Errorf("%q: %s", token, got)
		}
	}
}

func TestTokenAPI(t *testing.T) {
	inQuery := tokenAPI(t, func(r *http.Request) string {
		if r.URL.Query().Get("fixed") != "1" || len(r.URL.Query()) != 2 || r.URL.Path != "/find" {
			t.Errorf("a token has changed the query: %.200s", r.URL)
		}
		return r.URL.Query().Get("token")
	})
	inPath := tokenAPI(t, func(r *http.Request) string {
		parts := strings.Split(r.URL.EscapedPath(), "/")
		if len(parts) != 4 || parts[1] != "find" || parts[3] != "x" || r.URL.RawQuery != "" {
			t.Errorf("a token has changed the path: %.200s", r.URL)
		}
		return strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/find/"), "/x")
	})
	for _, tt := range []struct{ plugin, source string }{
		{"BaseTokenAPI", inQuery.URL + "/find?fixed=1&token=%s"},
		{"JSONTokenApi", inQuery.URL + "/find?token=%s&fixed=%%31"},
		{"websockify.token_plugins.BaseTokenAPI", inPath.URL + "/find/%s/x"},
	} {
		t.Run(tt.plugin, func(t *testing.T) {
			d := newDesk(t, tt.plugin, tt.source)
			for token, want := range map[string]string{
				"good": "desk:5900", "a b/c?d=e&f#g+%": "desk:5900", "json": "[::1]:5900", "redirect": "desk:5900", "bad": unknown, "": "Forbidden: the token is missing",
			} {
				if got := d.ask(t, token); got != want {
					t.Errorf("%q: %s, want %s", token, got, want)
				}
			}
			d.expectTrouble(t, append(apiTroubles, "round")...)
			d.refuseHostile(t)
			d.Timeout = time.Second / 10
			d.expectTrouble(t, "slow-token")
			if !strings.Contains(d.log.String(), "there was no answer in time") {
				t.Errorf("the log says nothing of the slow one:\n%s", d.log)
			}
		})
	}
}

// A server that is not there, or whose connection breaks, says no URL with a
// token in it.
func TestTokenAPIGone(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	d := newDesk(t, "BaseTokenAPI", s.URL+"/%s")
	s.Close()
	d.expectTrouble(t, "secret-token")
	if log := d.log.String(); !strings.Contains(log, "refused") || strings.Contains(log, "secret-token") {
		t.Error(log)
	}
}

// Whichever of a question's clocks runs out first, its own or its connection's,
// what is said is the same.
func TestNoAnswer(t *testing.T) {
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		ctx  context.Context
		err  error
		want string
	}{
		{t.Context(), &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, "there was no answer in time"},
		{t.Context(), context.DeadlineExceeded, "there was no answer in time"},
		{t.Context(), io.ErrUnexpectedEOF, "unexpected EOF"},
		{canceled, os.ErrDeadlineExceeded, "context canceled"},
	} {
		if got := noAnswer(tt.ctx, tt.err); got == nil || got.Error() != tt.want {
			t.Errorf("%v: %v, want %s", tt.err, got, tt.want)
		}
	}
}

// The question of a callout, as documented.
const wantQuestion = `{"token":"%s","path":"/websockify","host":"desk.example:6080","remote":"192.0.2.7:51234","headers":{"Cookie":["a=b"],"X-User":["u","v"]}}`

func questioner(token string) *http.Request {
	r := upgrade(token)
	r.Host, r.RemoteAddr = "desk.example:6080", "192.0.2.7:51234"
	r.Header["Cookie"], r.Header["X-User"], r.Header["Authorization"] = []string{"a=b"}, []string{"u", "v"}, []string{"Basic eDp5"}
	return r
}

func TestHTTPCallout(t *testing.T) {
	var asked string
	s := tokenAPI(t, func(r *http.Request) string {
		var q question
		body, _ := io.ReadAll(r.Body)
		if err := json.Unmarshal(body, &q); err != nil || r.Method != "POST" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("question %s %q: %v", r.Method, body, err)
		}
		asked = string(body)
		return q.Token
	})
	d := newDesk(t, s.URL+"/ask#headers=cookie,X-User,X-None", "")
	if _, err := d.Decide(questioner("good")); err != nil {
		t.Error(err)
	}
	if want := fmt.Sprintf(wantQuestion, "good"); asked != want {
		t.Errorf("asked %s\nwant  %s", asked, want)
	}
	for token, want := range map[string]string{"good": "desk:5900", "json": "[::1]:5900", "bad": unknown} {
		if got := d.ask(t, token); got != want {
			t.Errorf("%q: %s, want %s", token, got, want)
		}
	}
	d.expectTrouble(t, apiTroubles...)
	d.refuseHostile(t)
	d.Timeout = time.Second / 10
	d.expectTrouble(t, "slow-token")
}

// shell is the source of an exec callout that runs a script.
func shell(t *testing.T, script string) string {
	t.Helper()
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip("no /bin/sh: ", err)
	}
	return fmt.Sprintf(`/bin/sh "%s"`, temp(t, script))
}

func TestExecCallout(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "question")
	d := newDesk(t, "exec", shell(t, `
q=$(cat)
case $q in
*'"token":"good"'*) echo "$q" >`+mark+`; echo desk:5900 ;;
*'"token":"json"'*) echo '{"host": "::1", "port": 5900}' ;;
*'"token":"slow-token"'*) sleep 1000 & sleep 1000 ;;
*'"token":"huge-token"'*) while :; do echo desk:5900; done ;;
*'"token":"nonsense-token"'*) echo nonsense-token ;;
*'"token":"failing-token"'*) echo "cannot find failing-token in $q" >&2; exit 2 ;;
*'"token":"chatty-token"'*) while :; do echo noise >&2; i=x$i; [ ${#i} -gt 9000 ] && exit 3; done ;;
*'"token":"killed-token"'*) kill -9 $$ ;;
*) exit 1 ;;
esac`)+"#headers=Cookie,X-User")
	if _, err := d.Decide(questioner("good")); err != nil {
		t.Error(err)
	}
	if asked, err := os.ReadFile(mark); strings.TrimSpace(string(asked)) != fmt.Sprintf(wantQuestion, "good") {
		t.Errorf("asked %s, %v", asked, err)
	}
	for token, want := range map[string]string{"good": "desk:5900", "json": "[::1]:5900", "bad": unknown, "": "Forbidden: the token is missing"} {
		if got := d.ask(t, token); got != want {
			t.Errorf("%q: %s, want %s", token, got, want)
		}
	}
	d.expectTrouble(t, "huge-token", "nonsense-token", "failing-token", "chatty-token", "killed-token")
	if log := d.log.String(); !strings.Contains(log, "cannot find (the token) in") {
		t.Errorf("stderr is not in the log:\n%s", log)
	}
	d.refuseHostile(t)
	d.Timeout = time.Second / 4
	d.expectTrouble(t, "slow-token")
	if log := d.log.String(); !strings.Contains(log, "there was no answer in time") || len(log) > 20000 {
		t.Errorf("the log of %d bytes:\n%.2000s", len(log), log)
	}
}

// A page that is slow to decide holds no more than its share of programs, and
// those who wait for one are answered in time.
func TestExecSlots(t *testing.T) {
	source := shell(t, "exit 1")
	p, err := newProgram(source)
	if err != nil {
		t.Fatal(err)
	}
	for range maxPrograms {
		p.(*program).slots <- struct{}{}
	}
	log := &journal{}
	policy := &Policy{Tokens: tokenCallout{&callout{asker: p}}, Timeout: time.Millisecond, Log: log.logger()}
	if _, err := policy.Decide(upgrade("any")); err == nil || err.(*Refusal).Status != 502 {
		t.Error(err)
	}
	<-p.(*program).slots
	policy.Timeout = time.Minute
	if _, err := policy.Decide(upgrade("any")); err == nil || err.(*Refusal).Status != 404 {
		t.Error(err)
	}
}

// A program or server decides who may enter; it gets the credentials, and its
// no asks for others.
func TestAuthCallouts(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q question
		json.NewDecoder(r.Body).Decode(&q)
		switch fmt.Sprint(q.Headers["Authorization"], q.Headers["Cookie"]) {
		case "[Basic Z29vZDpnb29k] []":
			io.WriteString(w, `{"user": "good"}`)
		case "[] [session=good]":
		case "[Basic YnJva2VuOng=] []":
			w.WriteHeader(500)
		case "[Basic bm9uc2Vuc2U6eA==] []":
			io.WriteString(w, "nonsense")
		default:
			w.WriteHeader(403)
		}
	}))
	t.Cleanup(s.Close)
	script := shell(t, `
case $(cat) in
*'"Authorization":["Basic Z29vZDpnb29k"]'*) echo '{"user": "good"}' ;;
*'"Cookie":["session=good"]'*) ;;
*'"Authorization":["Basic YnJva2VuOng="]'*) exit 2 ;;
*'"Authorization":["Basic bm9uc2Vuc2U6eA=="]'*) echo nonsense ;;
*) exit 1 ;;
esac`)
	for plugin, source := range map[string]string{"exec": script, "http": s.URL} {
		auth, err := OpenAuth(plugin, source, nil)
		if err != nil {
			t.Fatal(err)
		}
		p := &Policy{Auth: auth, Log: (&journal{}).logger()}
		for _, tt := range []struct {
			name, value string
			status      int
			user        string
		}{
			{"Authorization", "Basic Z29vZDpnb29k", 0, "good"},
			{"Cookie", "session=good", 0, ""},
			{"Authorization", "Basic YmFkOmJhZA==", 401, ""},
			{"X-None", "", 401, ""},
			{"Authorization", "Basic YnJva2VuOng=", 502, ""},
			{"Authorization", "Basic bm9uc2Vuc2U6eA==", 502, ""},
		} {
			r := upgrade("")
			r.Header.Set(tt.name, tt.value)
			decision, err := p.Decide(r)
			status := 0
			if err != nil {
				status = err.(*Refusal).Status
			}
			if status != tt.status || decision.User != tt.user {
				t.Errorf("%s, %s: %d user %q, want %d %q", plugin, tt.value, status, decision.User, tt.status, tt.user)
			}
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	auth, err := OpenAuth("http", s.URL+"#headers=Cookie", nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &Policy{Auth: auth}
	defer p.Close()
	r := upgrade("")
	r.Header.Set("Authorization", "Basic Z29vZDpnb29k")
	if _, err := p.Decide(r); err == nil || err.(*Refusal).Status != 403 {
		t.Error("a callout that is told no credentials asks for none:", err)
	}
}
