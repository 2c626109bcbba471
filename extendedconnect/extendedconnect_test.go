package extendedconnect_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/wsbridge/wsbridge/extendedconnect"
)

// childMark makes this program say what is in force, and what its children get.
const childMark = "EXTENDEDCONNECT_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childMark) == "" {
		os.Exit(m.Run())
	}
	extendedconnect.Restore()
	after, ok := os.LookupEnv("GODEBUG")
	fmt.Printf("offered %v, GODEBUG %q %v\n", offered(), after, ok)
}

// offered asks a server of net/http whether it takes extended CONNECT.
func offered() bool {
	client, server := net.Pipe()
	defer client.Close()
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	go (&http.Server{Protocols: protocols}).Serve(&one{conn: server})
	framer := http2.NewFramer(client, client)
	go fmt.Fprint(client, http2.ClientPreface)
	frame, err := framer.ReadFrame()
	settings, ok := frame.(*http2.SettingsFrame)
	if err != nil || !ok {
		return false
	}
	value, _ := settings.Value(http2.SettingEnableConnectProtocol)
	return value == 1
}

// one is a listener of one connection.
type one struct{ conn net.Conn }

func (l *one) Accept() (net.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	select {}
}
func (l *one) Close() error   { return nil }
func (l *one) Addr() net.Addr { return &net.UnixAddr{} }

// It is offered, unless the user says otherwise, and children find GODEBUG as
// the user left it.
func TestOfferedAndRestored(t *testing.T) {
	for _, tc := range []struct {
		given []string
		want  string
	}{
		{nil, `offered true, GODEBUG "" false`},
		{[]string{"GODEBUG="}, `offered true, GODEBUG "" true`},
		{[]string{"GODEBUG=madvdontneed=1"}, `offered true, GODEBUG "madvdontneed=1" true`},
		{[]string{"GODEBUG=http2xconnect=0"}, `offered false, GODEBUG "http2xconnect=0" true`},
		{[]string{"GODEBUG=http2xconnect=1"}, `offered true, GODEBUG "http2xconnect=1" true`},
	} {
		child := exec.Command(os.Args[0])
		child.Env = append(tc.given, childMark+"=1")
		out, err := child.CombinedOutput()
		if got := strings.TrimSpace(string(out)); got != tc.want || err != nil {
			t.Errorf("%q: %s %v, want %s", tc.given, got, err, tc.want)
		}
	}
}
