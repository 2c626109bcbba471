package admin

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestHealth(t *testing.T) {
	away := func(context.Context) error { return errors.New("target 10.0.0.7:5900 is away") }
	here := func(context.Context) error { return nil }
	for _, c := range []struct {
		name, token string
		ready       func(context.Context) error
		draining    bool
		status      int
		says        string
	}{
		{"nothing to ask", "", nil, false, 200, "ready\n"},
		{"target is there", "", here, false, 200, "ready\n"},
		{"target is away", "", away, false, 503, "not ready: target 10.0.0.7:5900 is away\n"},
		{"target is away: no word of it to strangers", testToken, away, false, 503, "not ready\n"},
		{"draining", "", here, true, 503, "not ready: draining\n"},
		{"draining, for strangers", testToken, nil, true, 503, "not ready: draining\n"},
		{"ready, for strangers", testToken, here, false, 200, "ready\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bridge := newFake()
			bridge.draining = c.draining
			url := start(t, &Admin{Bridge: bridge, Token: c.token, Ready: c.ready})
			if got := ask(t, "GET", url+"/readyz"); got.status != c.status || got.body != c.says {
				t.Errorf("%d %q, want %d %q", got.status, got.body, c.status, c.says)
			}
			bridge.shed(1)
			if got := ask(t, "GET", url+"/readyz"); !c.draining && (got.status != 503 || got.body != "not ready: short of memory\n") {
				t.Errorf("short of memory: %d %q", got.status, got.body)
			}
			bridge.shed(0)
			if got := ask(t, "GET", url+"/livez"); got.status != 200 || got.body != "live\n" {
				t.Errorf("livez: %d %q", got.status, got.body)
			}
			if got := ask(t, "GET", url+"/readyz", bearer(testToken)); c.ready != nil && got.status == 503 && !c.draining &&
				got.body != "not ready: target 10.0.0.7:5900 is away\n" {
				t.Errorf("with the token: %q", got.body)
			}
		})
	}
}

// A target is not dialled more than once a second, nor waited for forever.
func TestReadyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h health
		asked := 0
		hang := func(ctx context.Context) error {
			asked++
			<-ctx.Done()
			return ctx.Err()
		}
		for range 100 {
			if err := h.ask(hang); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		if asked != 1 {
			t.Errorf("asked %d times at once", asked)
		}
		time.Sleep(readyFresh)
		if err := h.ask(func(context.Context) error { return nil }); err != nil {
			t.Errorf("a second later: %v", err)
		}
	})
}
