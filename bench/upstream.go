//go:build linux

package main

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
)

// acceptGUID is what RFC 6455 section 1.3 puts behind the client's key.
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// newUpstream is a WebSocket server on a free loopback port that sends every
// message back. The caller closes it.
func newUpstream(p pattern) (*target, error) {
	return listen(p, func(c net.Conn) {
		r := bufio.NewReaderSize(c, 2*messageSize)
		if answerHandshake(c, r) == nil {
			echoMessages(c, r) // a broken session shows at the client
		}
	})
}

func answerHandshake(w io.Writer, r *bufio.Reader) error {
	request, err := http.ReadRequest(r)
	if err != nil {
		return err
	}
	sum := sha1.Sum([]byte(request.Header.Get("Sec-WebSocket-Key") + acceptGUID))
	_, err = io.WriteString(w, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: "+base64.StdEncoding.EncodeToString(sum[:])+"\r\n\r\n")
	return err
}

// echoMessages sends frames back, a Close as the last one.
func echoMessages(w io.Writer, r *bufio.Reader) error {
	var in, out []byte
	for {
		first, payload, err := readMasked(r, in[:0])
		if err != nil {
			return err
		}
		out = append(appendHead(out[:0], first, len(payload), 0), payload...)
		if _, err := w.Write(out); err != nil || first&0xf == opClose {
			return err
		}
		in = payload
	}
}

// readMasked reads a frame of at most 64 KiB into room, and unmasks it.
func readMasked(r *bufio.Reader, room []byte) (first byte, payload []byte, err error) {
	var head [8]byte // the largest that is taken, with the key
	size := 6
	if _, err := io.ReadFull(r, head[:2]); err != nil {
		return 0, nil, err
	}
	if head[1] == maskBit|126 {
		size = 8
	}
	if head[1]&maskBit == 0 || head[1] == maskBit|127 {
		return 0, nil, errors.New("a frame without a mask, or over 64 KiB")
	}
	if _, err := io.ReadFull(r, head[2:size]); err != nil {
		return 0, nil, err
	}
	n := int(head[1] &^ maskBit)
	if n == 126 {
		n = int(binary.BigEndian.Uint16(head[2:]))
	}
	payload = append(room, make([]byte, n)...)
	_, err = io.ReadFull(r, payload)
	key := head[size-4 : size]
	for i := range payload {
		payload[i] ^= key[i%4]
	}
	return head[0], payload, err
}
