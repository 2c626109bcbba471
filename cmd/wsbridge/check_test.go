package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestInColour(t *testing.T) {
	terminal, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a device, which is what can be told
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, tt := range []struct {
		out     io.Writer
		environ string
		want    bool
	}{
		{terminal, "TERM=xterm", true},
		{terminal, "WT_SESSION=1", true},
		{terminal, "TERM=xterm NO_COLOR=", true},
		{terminal, "TERM=xterm NO_COLOR=1", false},
		{terminal, "TERM=dumb", false},
		{terminal, "", false},
		{file, "TERM=xterm", false},
		{io.Discard, "TERM=xterm", false},
	} {
		if got := inColour(tt.out, strings.Fields(tt.environ)); got != tt.want {
			t.Errorf("%T with %q: %t", tt.out, tt.environ, got)
		}
	}
}

// What a person writes becomes what the server is asked.
func TestServerFlags(t *testing.T) {
	f := serverFlags{
		auth: "ann:open: sesame", origin: "https://page.example", subprotocols: []string{"synapse(contentType='text/xml')"},
		proxyGiven: true,
		headers:    []string{"X-Token:  abc ", "x-token: def", "host: other.example"},
	}
	w, err := f.server("ws://mill.example/x", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{w.Host, w.Over.String()}
	for _, name := range []string{"Authorization", "Origin", "X-Token"} {
		got = append(got, strings.Join(w.Header.Values(name), ","))
	}
	want := []string{"other.example", "mill.example:80", "Basic YW5uOm9wZW46IHNlc2FtZQ==", "https://page.example", "abc,def"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(f.subprotocols, w.Subprotocols); diff != "" {
		t.Error(diff)
	}
}

func TestServerFlagsProxy(t *testing.T) {
	for _, tt := range []struct {
		proxy string
		want  string
	}{
		{"", "mill.example:80"},
		{"proxy.example:3128", "mill.example:80 by proxy proxy.example:3128"},
		{"http://ann:secret@proxy.example", "mill.example:80 by proxy proxy.example:80"},
		{"https://proxy.example", "mill.example:80 by proxy proxy.example:443 (TLS)"},
	} {
		f := serverFlags{proxy: tt.proxy, proxyGiven: true}
		w, err := f.server("ws://mill.example/", time.Second)
		if err != nil || w.Over.String() != tt.want {
			t.Errorf("%q: %v, %v; want %s", tt.proxy, w.Over, err, tt.want)
		}
	}
}

func TestSeconds(t *testing.T) {
	for text, want := range map[string]time.Duration{"10": 10 * time.Second, "0.5": 500 * time.Millisecond, "1m30s": 90 * time.Second, "0": 0} {
		var s seconds
		if err := s.Set(text); err != nil || time.Duration(s) != want {
			t.Errorf("%q is %v, %v", text, time.Duration(s), err)
		}
	}
	for _, text := range []string{"", "-1", "never", "25h", "NaN", "Inf"} {
		var s seconds
		if err := s.Set(text); err == nil {
			t.Errorf("%q is %v", text, time.Duration(s))
		}
	}
}
