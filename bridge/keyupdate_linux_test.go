package bridge

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/wsbridge/wsbridge/loop"
)

// traffic is one direction of TLS 1.3 with AES-128-GCM and SHA-256 (RFC 8446, 5
// and 7), for a client that does what crypto/tls's never does.
type traffic struct {
	secret   []byte
	sequence uint64
}

func (k *traffic) expand(label string, n int) []byte {
	info := append([]byte{0, byte(n), byte(len("tls13 " + label))}, "tls13 "+label...)
	key, err := hkdf.Expand(sha256.New, k.secret, string(append(info, 0)), n)
	if err != nil {
		panic(err)
	}
	return key
}

// update is to the next keys.
func (k *traffic) update() { k.secret, k.sequence = k.expand("traffic upd", 32), 0 }

func (k *traffic) aead() (aead cipher.AEAD, nonce []byte) {
	block, err := aes.NewCipher(k.expand("key", 16))
	if err != nil {
		panic(err)
	}
	aead, err = cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	nonce = k.expand("iv", 12)
	for i := range 8 {
		nonce[11-i] ^= byte(k.sequence >> (8 * i))
	}
	k.sequence++
	return aead, nonce
}

// seal makes a record of p, which is of a type of content.
func (k *traffic) seal(kind byte, p ...byte) []byte {
	aead, nonce := k.aead()
	n := len(p) + 1 + aead.Overhead()
	head := []byte{23, 3, 3, byte(n >> 8), byte(n)}
	return aead.Seal(bytes.Clone(head), nonce, append(bytes.Clone(p), kind), head)
}

// open takes the first record off records.
func (k *traffic) open(t *testing.T, records []byte) (kind byte, p, rest []byte) {
	t.Helper()
	aead, nonce := k.aead()
	n := 5 + int(records[3])<<8 + int(records[4])
	p, err := aead.Open(nil, nonce, records[5:n], records[:5])
	if err != nil {
		t.Fatal(err)
	}
	return p[len(p)-1], p[:len(p)-1], records[n:]
}

const (
	alertRecord     = 21
	handshakeRecord = 22
	dataRecord      = 23
)

// keyUpdate asks the other end to change its keys too (RFC 8446, 4.6.3).
var keyUpdate = []byte{24, 0, 0, 1, 1}

// secrets are those of a handshake: the client's traffic and the server's.
func secrets(t *testing.T, log string) (up, down traffic) {
	t.Helper()
	for line := range strings.Lines(log) {
		fields := strings.Fields(line)
		secret, err := hex.DecodeString(fields[2])
		if err != nil {
			t.Fatal(err)
		}
		switch fields[0] {
		case "CLIENT_TRAFFIC_SECRET_0":
			up.secret = secret
		case "SERVER_TRAFFIC_SECRET_0":
			down.secret = secret
		}
	}
	return up, down
}

// Answers to key updates wait for a client that reads none, in bounded room: it is
// not read until it does. No byte and no key is lost.
func TestVeilKeyUpdates(t *testing.T) {
	const updates = 2500
	log := new(strings.Builder)
	c := drawn(t, &tls.Config{}, &tls.Config{KeyLogWriter: log})
	if suite := c.client.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		t.Skipf("this test has no %s", tls.CipherSuiteName(suite))
	}
	up, down := secrets(t, log.String())
	var asked []byte
	for range updates {
		asked = append(asked, up.seal(handshakeRecord, keyUpdate[:2]...)...)
		asked = append(asked, up.seal(handshakeRecord, keyUpdate[2:]...)...)
		up.update()
		asked = append(asked, up.seal(dataRecord, 'x')...)
	}
	b, got, stops, answers := make([]byte, bufferSize), 0, 0, 0
	answered := func() {
		for records := bytes.Clone(c.veil.out[:c.veil.to]); len(records) > 0; answers++ {
			var kind byte
			if kind, _, records = down.open(t, records); kind != handshakeRecord {
				t.Fatalf("a record of type %d", kind)
			}
			down.update()
		}
		c.veil.drop()
	}
	for len(asked) > 0 {
		n := min(len(asked), 10_000)
		c.bring(asked[:n])
		asked = asked[n:]
		for c.veil.more = true; c.veil.more; {
			n, err := c.veil.read(b)
			got += n
			if err != nil && err != loop.ErrWouldBlock {
				t.Fatal(err)
			}
			if !c.veil.mayRead() {
				stops++
				answered()
			}
		}
	}
	answered()
	if got != updates || answers != updates || stops == 0 {
		t.Errorf("%d bytes and %d answers, want %d; stopped %d times", got, answers, updates, stops)
	}
	if _, err := c.veil.hide([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if kind, p, _ := down.open(t, c.veil.out[:c.veil.to]); kind != dataRecord || string(p) != "hello" {
		t.Errorf("record of type %d: %q", kind, p)
	}
	c.bring(up.seal(alertRecord, 2, 80))
	if _, err := c.veil.read(b); err == nil || !strings.Contains(err.Error(), "internal error") {
		t.Errorf("after an alert: %v", err)
	}
}
