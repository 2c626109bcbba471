package bridge

import (
	"net/http"

	"github.com/wsbridge/wsbridge/deflate"
)

// mayCompress tells whether the client's offer is to be looked at. Clients before
// RFC 6455 knew other extensions.
func (s *Server) mayCompress(d *decision) bool {
	if d.era != rfc6455 || d.route.Relay != nil {
		return false
	}
	text := d.route.Service != nil || s.modeFor(d) != binaryMode
	return d.route.Compress == CompressOn || d.route.Compress == CompressAuto && text
}

// compress takes what the client offers, if it can be taken.
func (d *decision) compress(h http.Header) {
	params, ok, err := deflate.Accept(h["Sec-Websocket-Extensions"])
	switch {
	case err != nil:
		d.refusal = badUpgrade(err.Error())
	case ok:
		d.deflate = &params
	}
}

// codec is nil where nothing is compressed.
func (s *Server) codec(d *decision) *deflate.Codec {
	if d.deflate == nil {
		return nil
	}
	return s.deflate.Codec(*d.deflate)
}

// header is what the 101 says besides what every one does.
func (d *decision) header(subprotocol string) http.Header {
	h := http.Header{}
	if subprotocol != "" {
		h["Sec-WebSocket-Protocol"] = []string{subprotocol}
	}
	if d.deflate != nil {
		h["Sec-WebSocket-Extensions"] = []string{d.deflate.String()}
	}
	return h
}
