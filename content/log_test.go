package content

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestTheLog(t *testing.T) {
	var b bytes.Buffer
	o := Options{Log: slog.New(slog.NewTextHandler(&b, nil))}
	long := `"` + strings.Repeat("é", maxLogged) + `"`
	p := compile(t, o, "log")
	for range 3 {
		send(t, p, JSON, long)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines for 3 messages", len(lines))
	}
	for _, want := range []string{"direction=in", "path=/orders", "client=192.0.2.7:5000", "bytes=4098"} {
		if !strings.Contains(lines[0], want) {
			t.Errorf("%s does not say %s", lines[0], want)
		}
	}
	if n := strings.Count(lines[0], "é"); n != (maxLogged-1)/2 || !utf8.ValidString(lines[0]) {
		t.Errorf("%d é were logged, want %d", n, (maxLogged-1)/2)
	}

	b.Reset()
	p = compile(t, o, "log:3")
	for i := range 7 {
		send(t, p, JSON, fmt.Sprintf(`"message %d"`, i))
	}
	if got := strings.Count(b.String(), "\n"); got != 3 {
		t.Errorf("%d lines for one in 3 of 7 messages:\n%s", got, &b)
	}
	for _, want := range []string{"message 0", "message 3", "message 6"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, &b)
		}
	}
}
