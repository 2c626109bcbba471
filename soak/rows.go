//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
)

// A way is how clients reach the bridge. A new one is a line in ways.
type way struct {
	name string
	// dial connects to the bridge; subprotocol is for those that ask by themselves.
	dial func(ctx context.Context, rig *rig, subprotocol string) (net.Conn, error)
	// upgraded: dial has already asked for the WebSocket, and the answer was yes;
	// else the client asks with a GET, RFC 6455 section 4.1.
	upgraded bool
	options  func(*certificate) []string // of the bridge
}

var ways = []way{
	{name: "plain", dial: dialPlain, options: func(*certificate) []string { return nil }},
	{name: "TLS", dial: dialTLS, options: (*certificate).options},
	{name: "h2", dial: dialH2, upgraded: true, options: (*certificate).options},
}

func dialPlain(ctx context.Context, r *rig, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", r.bridge.address)
}

func dialTLS(ctx context.Context, r *rig, _ string) (net.Conn, error) {
	return (&tls.Dialer{Config: r.crypto.client}).DialContext(ctx, "tcp", r.bridge.address)
}

// A coding is how a client has bytes in messages.
type coding struct {
	name        string
	subprotocol string
	base64      bool
	text        bool // what is said is text, in text messages
	deflate     bool // which may be compressed
	options     []string
}

var codings = []coding{
	{name: "binary", subprotocol: "binary"},
	{name: "base64", subprotocol: "base64", base64: true},
	{name: "text", text: true, options: []string{"--text"}},
	{name: "deflate", text: true, deflate: true, options: []string{"--text", "--compress", "on"}},
}

// op is the kind of message in which a target's bytes come.
func (c coding) op() byte {
	if c.text || c.base64 {
		return opText
	}
	return opBinary
}

// extension is what a client offers.
func (c coding) extension() string {
	if c.deflate {
		return extension
	}
	return ""
}

// runes is what a stream is made of.
func (c coding) runes(all *alphabet) *alphabet {
	if c.text {
		return all
	}
	return nil
}

// A landing is where the bytes go.
type landing string

const (
	overTCP  landing = "tcp"
	overUnix landing = "unix"
	overTLS  landing = "tls"
	toServer landing = "gateway"
	toHub    landing = "hub"
)

// A row is one combination; its title is one of the table.
type row struct {
	way     way
	coding  coding
	pump    string // --pump
	landing landing
}

func (r row) title() string {
	if r.coding.name == "" {
		return r.way.name + " " + string(r.landing)
	}
	return strings.Join([]string{r.way.name, r.coding.name, string(r.landing), r.pump}, " ")
}

// rows are all combinations.
func rows() (all []row) {
	for _, w := range ways {
		for _, c := range codings {
			for _, to := range []landing{overTCP, overUnix, overTLS} {
				for _, pump := range []string{"auto", "goroutines"} {
					all = append(all, row{w, c, pump, to})
				}
			}
		}
		all = append(all, row{way: w, landing: toServer}, row{way: w, landing: toHub})
	}
	return all
}
