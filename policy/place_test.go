package policy

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlaces(t *testing.T) {
	tests := []struct {
		place, target string
		headers       []string // name, value, ...
		want          string
	}{
		// As Python's parse_qs and websockify read it.
		{"query", "/websockify?token=abc", nil, "abc"},
		{"query", "/?token=a+b%20c%2Bd", nil, "a b c+d"},
		{"query", "/?x=1&token=abc&token=later", nil, "abc"},
		{"query", "/?token=&token=second", nil, "second"},
		{"query", "/?token=", nil, ""},
		{"query", "/?token", nil, ""},
		{"query", "/?Token=abc", nil, ""},
		{"query", "/?tok%65n=abc", nil, "abc"},
		{"query", "/?token=a;b", nil, "a;b"},
		{"query", "/?token=100%25&x", nil, "100%"},
		{"query", "/?token=%zz%4", nil, "%zz%4"},
		{"query", "/?token=abc%0A%0a", nil, "abc"},
		{"query", "/?token=%0A", nil, ""},
		{"query", "/?token=a=b", nil, "a=b"},
		{"query", "/?token=%ff", nil, "\uFFFD"},
		{"query", "/?token=%00", nil, "\x00"},
		{"query:id", "/?token=abc&id=7", nil, "7"},
		{"host", "/?token=abc", []string{"Host", "desk.example:6080"}, "desk.example"},
		{"host", "/", []string{"Host", "Desk.example"}, "Desk.example"},
		{"host", "/", []string{"Host", "[::1]:6080"}, "::1"},
		{"path", "/abc", nil, "abc"},
		{"path", "/abc/websockify", nil, "abc"},
		{"path", "/", nil, ""},
		{"path:/vnc/", "/vnc/abc/", nil, "abc"},
		{"path:/vnc", "/vnc/a%2Fb%20c/x", nil, "a/b c"},
		{"path:/vnc/", "/vnc/%2e%2e/x", nil, ".."},
		{"path:/vnc/", "/vncabc", nil, ""},
		{"path:/vnc/", "/websockify", nil, ""},
		{"cookie:token", "/", []string{"Cookie", "a=b; token=abc%20"}, "abc%20"},
		{"cookie:token", "/", nil, ""},
		{"header:X-Token", "/", []string{"x-token", " abc "}, "abc"},
		{"header:Authorization", "/", []string{"Authorization", "bearer abc"}, "abc"},
		{"header:Authorization", "/", []string{"Authorization", "Basic abc"}, ""},
		{"subprotocol", "/", []string{"Sec-WebSocket-Protocol", "binary, bearer.a.b-c"}, "a.b-c"},
		{"subprotocol:t-", "/", []string{"Sec-WebSocket-Protocol", "t-abc,t-later"}, "abc"},
		{"subprotocol:t-", "/", []string{"Sec-WebSocket-Protocol", "bearer.abc"}, ""},
		{"subprotocol", "/", []string{"Sec-WebSocket-Protocol", "bearer., binary"}, ""},
		{"subprotocol", "/", nil, ""},
	}
	for _, tt := range tests {
		place, err := ParsePlace(tt.place)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", tt.target, nil)
		for i := 0; i < len(tt.headers); i += 2 {
			r.Header.Set(tt.headers[i], tt.headers[i+1])
		}
		if host := r.Header.Get("Host"); host != "" {
			r.Host = host
		}
		if got := place.find(r); got != tt.want {
			t.Errorf("%s of %s %q: %q, want %q", tt.place, tt.target, tt.headers, got, tt.want)
		}
		if again, err := ParsePlace(place.String()); err != nil || again.String() != place.String() {
			t.Errorf("%s is said %s", tt.place, place)
		}
	}
}

func TestWrongPlaces(t *testing.T) {
	for _, s := range []string{"", "url", "host:x", "query:", "cookie", "cookie:", "cookie:a b", "header:a:b", "header", "path:vnc", "subprotocol:", "subprotocol:a b", "subprotocol:a,b"} {
		if _, err := ParsePlace(s); err == nil || !strings.Contains(err.Error(), "write query:NAME") {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// The first place that has a token counts, in the order they were named.
func TestPlacesInOrder(t *testing.T) {
	d := newDesk(t, "TokenFile", temp(t, "cook: desk:1\nquery: desk:2\n"))
	for _, s := range []string{"cookie:token", "query"} {
		place, err := ParsePlace(s)
		if err != nil {
			t.Fatal(err)
		}
		d.From = append(d.From, place)
	}
	r := upgrade("query")
	if decision, err := d.Decide(r); err != nil || decision.Target.Address != "desk:2" {
		t.Error(decision, err)
	}
	r.Header.Set("Cookie", "token=cook")
	if decision, err := d.Decide(r); err != nil || decision.Target.Address != "desk:1" {
		t.Error(decision, err)
	}
}

// A token among the subprotocols is seen by nobody who chooses one, or is told
// of the request after.
func TestConceal(t *testing.T) {
	place, err := ParsePlace("subprotocol")
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t, "TokenFile", temp(t, "abc: desk:1\n"))
	d.From = []Place{place}
	for _, tt := range []struct{ offered, want []string }{
		{[]string{"bearer.abc, binary"}, []string{"binary"}},
		{[]string{"binary", "bearer.abc,  base64 "}, []string{"binary, base64"}},
		{[]string{"bearer.abc"}, nil},
		{[]string{"bearer.abc, bearer.other, bearer., x"}, []string{"x"}},
	} {
		r := upgrade("")
		r.Header["Sec-Websocket-Protocol"] = tt.offered
		if decision, err := d.Decide(r); err != nil || decision.Target.Address != "desk:1" {
			t.Errorf("%q: %v, %v", tt.offered, decision, err)
		}
		d.Conceal(r)
		if diff := cmp.Diff(tt.want, r.Header["Sec-Websocket-Protocol"]); diff != "" {
			t.Errorf("%q: %s", tt.offered, diff)
		}
	}
	plain := upgrade("")
	plain.Header["Sec-Websocket-Protocol"] = []string{"synapse(contentType='a,b')", "x"}
	d.Conceal(plain)
	if diff := cmp.Diff([]string{"synapse(contentType='a,b')", "x"}, plain.Header["Sec-Websocket-Protocol"]); diff != "" {
		t.Error("an offer without token is changed:", diff)
	}
	d.From = nil
	r := upgrade("")
	r.Header.Set("Sec-WebSocket-Protocol", "bearer.abc")
	if d.Conceal(r); r.Header.Get("Sec-WebSocket-Protocol") != "bearer.abc" {
		t.Error("where tokens are not looked for, they are a client's own matter")
	}
}
