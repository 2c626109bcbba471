package target

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// HandshakeError is a server's answer to the opening handshake that is no
// consent: a status other than 101, or a 101 that breaks the rules.
type HandshakeError struct {
	Status int
	Header http.Header
	Body   []byte // of a refusal: the first 512 bytes, or what came within a second
	Fault  error  // of a 101: which rule it breaks
}

func (e *HandshakeError) Error() string {
	if e.Fault != nil {
		return "does not answer as WebSocket: " + e.Fault.Error()
	}
	return "refused the upgrade: " + e.words()
}

// CloseReason is fit for a Close frame, see Error.
func (e *HandshakeError) CloseReason() string {
	if e.Fault != nil {
		return "target does not answer as WebSocket"
	}
	return "target answered " + e.words()
}

// words are the status and its name: ours, not the server's, which could say
// anything.
func (e *HandshakeError) words() string {
	return strings.TrimSpace(fmt.Sprintf("%03d %s", e.Status, http.StatusText(e.Status)))
}

// refusal keeps what came of the body. Why no more came is no matter.
func refusal(answer *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	return &HandshakeError{Status: answer.StatusCode, Header: answer.Header, Body: body}
}

// accepted holds a 101 against the rules of RFC 6455, 4.1.
func (w WebSocket) accepted(h http.Header, key string) error {
	if !slices.Contains(list(h, "Upgrade", strings.ToLower), "websocket") {
		return fmt.Errorf("its Upgrade header is %q, not websocket", h.Get("Upgrade"))
	}
	if !slices.Contains(list(h, "Connection", strings.ToLower), "upgrade") {
		return fmt.Errorf("its Connection header is %q, not Upgrade", h.Get("Connection"))
	}
	if got, want := h.Values("Sec-WebSocket-Accept"), Accept(key); !slices.Equal(got, []string{want}) {
		return fmt.Errorf("its Sec-WebSocket-Accept is %q, and %s is the answer to %s", strings.Join(got, ", "), want, key)
	}
	if err := unasked("subprotocol", h.Values("Sec-WebSocket-Protocol"), w.Subprotocols); err != nil {
		return err
	}
	if n := len(h.Values("Sec-WebSocket-Protocol")); n > 1 {
		return fmt.Errorf("it chose %d subprotocols, and there is only one", n)
	}
	return unasked("extension", list(h, "Sec-WebSocket-Extensions", extensionName), names(w.Extensions))
}

// unasked is an error when one of those chosen was not offered.
func unasked(what string, chosen, offered []string) error {
	for _, name := range chosen {
		if !slices.Contains(offered, name) {
			return fmt.Errorf("it chose %s %q, which was not offered", what, name)
		}
	}
	return nil
}

// Accept is the answer to a Sec-WebSocket-Key (RFC 6455, 4.2.2).
func Accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64Encode(sum[:])
}

func base64Encode(p []byte) string { return base64.StdEncoding.EncodeToString(p) }

// list is the elements of a header that is one (RFC 9110, 5.6.1), each as form
// makes it. A comma in a quoted parameter cuts an element in two; what follows
// it is then a name that nobody offered.
func list(h http.Header, name string, form func(string) string) (elements []string) {
	for _, line := range h.Values(name) {
		for element := range strings.SplitSeq(line, ",") {
			if element = strings.TrimSpace(element); element != "" {
				elements = append(elements, form(element))
			}
		}
	}
	return elements
}

// extensionName is an extension without its parameters.
func extensionName(element string) string {
	name, _, _ := strings.Cut(element, ";")
	return strings.TrimSpace(name)
}

func names(extensions []string) (names []string) {
	for _, e := range extensions {
		names = append(names, extensionName(e))
	}
	return names
}
