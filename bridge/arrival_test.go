//go:build unix

package bridge

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// arrive opens a session behind a proxy that says first who comes.
func (r *rig) arrive(announcement string) *peer {
	r.t.Helper()
	c := r.dialRaw()
	io.WriteString(c, announcement)
	if r.secure {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	return openPeer(r.t, c, request())
}

// readAnnouncement knows one client, "ann\n".
func readAnnouncement(conn net.Conn, deadline time.Time) (client, local netip.AddrPort, err error) {
	b := make([]byte, 4)
	conn.SetReadDeadline(deadline)
	defer conn.SetReadDeadline(time.Time{})
	if _, err := io.ReadFull(conn, b); err != nil || string(b) != "ann\n" {
		return client, local, errors.Join(errors.New("who is that"), err)
	}
	return netip.MustParseAddrPort("192.0.2.7:4711"), netip.MustParseAddrPort("198.51.100.1:443"), nil
}

// TestAnnouncedClient: log, limits and routes go by what a proxy in front says,
// plain and over TLS; without a word of it nobody gets in.
func TestAnnouncedClient(t *testing.T) {
	for _, secure := range []bool{false, true} {
		routed := make(chan string, 1)
		r := startRig(t, func(s *Server) {
			route := s.Route
			s.Route = func(r *http.Request) (Route, error) {
				routed <- r.RemoteAddr
				return route(r)
			}
			s.Announced = readAnnouncement
			if secure {
				s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
			}
		})
		r.secure = secure
		client := r.arrive("ann\n")
		target := r.accept()
		client.send("hello")
		readN(t, target, 5)
		if from, listed := <-routed, r.server.Sessions(); from != "192.0.2.7:4711" || listed[0].Client != from {
			t.Errorf("routed for %s, listed %+v", from, listed)
		}
		target.Close()
		client.wantClose(1000, "target closed")
		client.close(1000, "")
		r.wantLog("session ended", "client=192.0.2.7:4711")
		if answer := r.talk("bob\n" + request()); answer != "" {
			t.Errorf("a stranger was answered %q", answer)
		}
		r.wantLog("connection refused", "who is that")
	}
}

// TestIdentifiedClient: a proxy that is believed says in the request who asks.
func TestIdentifiedClient(t *testing.T) {
	r := startRig(t, func(s *Server) {
		s.Limits.SessionsPerIP = 1
		s.Identify = func(r *http.Request) *http.Request {
			r.RemoteAddr = r.Header.Get("X-Forwarded-For")
			return r
		}
	})
	client := r.dial("X-Forwarded-For: 192.0.2.7:1")
	r.accept()
	r.dial("X-Forwarded-For: 192.0.2.8:1")
	r.accept()
	again := strings.Replace(request(), "Host:", "X-Forwarded-For: 192.0.2.7:2\r\nHost:", 1)
	if answer, body := r.ask(again); answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s %s", answer.Status, body)
	}
	client.close(1000, "")
}

// TestNotAdmitted: who may not speak to us at all is told so, in what it speaks.
func TestNotAdmitted(t *testing.T) {
	r := startRig(t, func(s *Server) {
		s.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
		s.QuickRoute = false // else Route, too, is to see to it
		s.Admits = func(client net.Addr) (string, bool) { return "not from there", false }
	})
	r.wantRefused(http.StatusForbidden, "not from there")
	if answer, _ := r.ask("GET /page HTTP/1.1\r\nHost: x\r\n\r\n"); answer.StatusCode != http.StatusForbidden {
		t.Errorf("a page: %s", answer.Status)
	}
	if _, err := tls.Dial("tcp", r.addr, &tls.Config{InsecureSkipVerify: true}); err == nil || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("TLS: %v", err)
	}
}

// TestBegin: whoever counts sessions may keep one out, and hears of every end
// once.
func TestBegin(t *testing.T) {
	var begun atomic.Int32
	ended := make(chan struct{}, 10)
	r := startRig(t, func(s *Server) {
		route := s.Route
		s.Route = func(r *http.Request) (Route, error) {
			to, err := route(r)
			to.Begin = func() (func(), error) {
				if begun.Add(1) > 1 {
					return nil, &Refusal{Status: http.StatusTooManyRequests, Reason: "one is enough"}
				}
				return func() { ended <- struct{}{} }, nil
			}
			return to, err
		}
	})
	client, target := r.pair()
	r.wantRefused(http.StatusTooManyRequests, "one is enough")
	r.ask(strings.Replace(request(), "Version: 13", "Version: 12", 1)) // is none
	if n := begun.Load(); n != 2 {
		t.Errorf("%d were counted", n)
	}
	target.Close()
	client.wantClose(1000, "target closed")
	client.close(1000, "")
	r.eventually("the end", func() bool { return r.server.Stats().Sessions == 0 })
	if len(ended) != 1 {
		t.Errorf("%d have ended", len(ended))
	}
}
