//go:build unix

package bridge

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

// TestNewRules: who comes later meets new rules, who is there goes on, and those
// that the new rules would not let in can be found and ended.
func TestNewRules(t *testing.T) {
	r := startRig(t, nil)
	open := strings.Replace(request("Origin: https://desk.example"), "/websockify", "/desk?token=abc", 1)
	early := openPeer(t, r.dialRaw(), open)
	target := r.accept()

	rules := r.server.Rules
	rules.Route = func(*http.Request) (Route, error) {
		return Route{}, &Refusal{Status: http.StatusForbidden, Reason: "closed for today"}
	}
	r.server.Use(rules)
	r.wantRefused(http.StatusForbidden, "closed for today")
	early.send("still there")
	readN(t, target, len("still there"))

	var saw *http.Request
	refused := r.server.Review(func(r *http.Request) error {
		saw = r
		_, err := rules.Route(r)
		return err
	})
	if len(refused) != 1 || saw.URL.Query().Get("token") != "abc" || saw.Header.Get("Origin") != "https://desk.example" ||
		saw.RemoteAddr != early.conn.LocalAddr().String() || saw.Host != "bridge" {
		t.Fatalf("refused %v, of the request %+v", refused, saw)
	}
	for id, why := range refused {
		if why.Error() != "closed for today" || !r.server.Forbid(id) {
			t.Errorf("session %s: %v", id, why)
		}
	}
	early.wantClose(1008, "no longer allowed")
}

func (r *rig) wantRefused(status int, reason string) {
	r.t.Helper()
	if answer, body := r.ask(request()); answer.StatusCode != status || strings.TrimSpace(body) != reason {
		r.t.Errorf("%s: %q, want %d %q", answer.Status, body, status, reason)
	}
}

// TestNewLimits hold at once, and count who was there before.
func TestNewLimits(t *testing.T) {
	r := startRig(t, nil)
	r.pair()
	rules := r.server.Rules
	rules.Limits.SessionsPerIP = 1
	r.server.Use(rules)
	r.wantRefused(http.StatusServiceUnavailable, "too many sessions from your address")
	rules.Limits.SessionsPerIP = 2
	r.server.Use(rules)
	r.pair()
}

// TestReviewOfLongRequests: they are not kept in memory, so not tried.
func TestReviewOfLongRequests(t *testing.T) {
	r := startRig(t, nil)
	r.dial("Cookie: a=" + strings.Repeat("x", keptBytes))
	r.accept()
	if refused := r.server.Review(func(*http.Request) error { return errors.New("no") }); len(refused) != 0 {
		t.Errorf("%v", refused)
	}
}
