package passthrough

import (
	"bufio"
	"net"
	"net/http"
	"time"
)

// writeTimeout is how long the client may take for one piece of an answer that
// is no 101.
const writeTimeout = 30 * time.Second

// answerWriter is the client as the proxy sees it.
type answerWriter struct {
	http.ResponseWriter
	control  *http.ResponseController
	takeOver func() (net.Conn, *bufio.ReadWriter, error)
	taken    bool // set by takeOver: nothing can be answered any more
}

func (w *answerWriter) Write(p []byte) (int, error) {
	w.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Hijack is how the proxy takes over the client's connection.
func (w *answerWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.takeOver() }
