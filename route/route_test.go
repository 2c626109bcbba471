package route_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/wsbridge/wsbridge/route"
)

func TestTheMostExactRouteIsTaken(t *testing.T) {
	var table route.Table[string]
	for _, p := range []route.Pattern{
		{Path: "*"}, {Path: "/a"}, {Path: "/a/b"}, {Path: "/dir/"}, {Path: "/s"}, {Path: "/s", Subprotocol: "mqtt"},
		{Host: "other.example", Path: "/a"}, {Host: "other.example"},
	} {
		if err := table.Add(p, p.String()); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ host, path, offered, want string }{
		{"h", "/", "", "*"},
		{"h", "/a", "", "/a"},
		{"h", "/a/", "", "/a"},
		{"h", "/a/x", "", "/a"},
		{"h", "/a?b=/a/b", "", "/a"},
		{"h", "/ab", "", "*"},
		{"h", "/a/b", "", "/a/b"},
		{"h", "/a/b/c", "", "/a/b"},
		{"h", "/a/bc", "", "/a"},
		{"h", "/A", "", "*"},
		{"h", "/dir", "", "*"},
		{"h", "/dir/", "", "/dir/"},
		{"h", "/dir/x", "", "/dir/"},
		{"h", "/s", "", "/s"},
		{"h", "/s", "mqtt", "/s for subprotocol mqtt"},
		{"h", "/s", "chat, mqtt", "/s for subprotocol mqtt"},
		{"h", "/s", "mqttx", "/s"},
		{"other.example", "/a", "", "other.example/a"},
		{"OTHER.example:8080", "/a/b", "", "other.example/a"},
		{"other.example.", "/x", "", "other.example*"},
	} {
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		r.Host = c.host
		if c.offered != "" {
			r.Header.Set("Sec-WebSocket-Protocol", c.offered)
		}
		if got, ok := table.Find(r); !ok || got != c.want {
			t.Errorf("%s%s %s: %q, want %q", c.host, c.path, c.offered, got, c.want)
		}
	}
}

func TestNoRoute(t *testing.T) {
	var table route.Table[string]
	table.Add(route.Pattern{Path: "/a"}, "a")
	if got, ok := table.Find(httptest.NewRequest(http.MethodGet, "/b", nil)); ok {
		t.Errorf("found %q", got)
	}
}

func TestTwiceTheSame(t *testing.T) {
	var table route.Table[int]
	table.Add(route.Pattern{Host: "h", Path: "*"}, 1)
	if err := table.Add(route.Pattern{Host: "H"}, 2); err == nil || err.Error() != "h* is taken by another route" {
		t.Errorf("%v", err)
	}
}
