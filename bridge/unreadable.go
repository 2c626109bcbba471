package bridge

import (
	"bufio"
	"bytes"
	"errors"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// refuseHead says why to a client whose first request came in one piece and
// cannot be read: the HTTP server's answer to it would be a bare 400. done: c is
// closed.
func (s *Server) refuseHead(c *opened) (done bool) {
	if c.decision != nil {
		return false
	}
	fault := faultOf(c.rest)
	if fault == "" {
		return false
	}
	s.counters.add(noRequest)
	s.log().Info("connection ended without a valid request", "client", c.RemoteAddr().String(), "fault", fault)
	sayLast(c, plainAnswer(http.StatusBadRequest, "the request cannot be read: "+fault))
	c.place.leave()
	return true
}

// faultOf is why http.ReadRequest does not take the whole head that p starts with,
// in its words and none of the client's, which may be secrets. It is "" if there is
// nothing wrong, if the end is still to come, and for what the HTTP server has an
// answer to that says more.
func faultOf(p []byte) string {
	end := headEnd(p)
	if end < 0 {
		return ""
	}
	_, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(p[:end])))
	var address *url.Error
	var line textproto.ProtocolError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &line):
		return "a line of its head is no header field"
	case errors.As(err, &address):
		err = address.Err
	}
	what, _, _ := strings.Cut(err.Error(), `"`)
	what, _, _ = strings.Cut(what, "; got ")
	if strings.HasPrefix(what, "unsupported transfer encoding") { // 501
		return ""
	}
	return strings.TrimRight(what, " :[")
}

// headEnd is behind the first empty line of p; -1: there is none.
func headEnd(p []byte) int {
	end := -1
	for _, empty := range []string{"\n\r\n", "\n\n"} {
		if at := bytes.Index(p, []byte(empty)); at >= 0 && (end < 0 || at+len(empty) < end) {
			end = at + len(empty)
		}
	}
	return end
}
