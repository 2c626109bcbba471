//go:build linux

package main

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
)

// talkOf finds a talk by its hello.
func (r *rig) talkOf(hello string) *talk {
	id, err := strconv.ParseUint(hello, 16, 31)
	if err != nil || int(id) >= len(r.talks) {
		return nil // not the client's words: it will miss its target
	}
	return r.talks[id]
}

// hostBytes is a target of bytes: it says all of a talk's, and hears all.
func (r *rig) hostBytes(conn net.Conn) {
	hello := make([]byte, helloSize)
	if _, err := io.ReadFull(conn, hello); err != nil {
		return
	}
	if t := r.talkOf(string(hello)); t != nil {
		t.far <- at("the target", r.bytesTalk(t, conn))
	}
}

// at says where something went wrong, if it did.
func at(place string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("at %s: %w", place, err)
}

func (r *rig) bytesTalk(t *talk, conn net.Conn) error {
	defer conn.Close()
	runes := r.coding.runes(r.runes)
	spoken := make(chan error, 1)
	go func() { spoken <- sayBytes(t, conn, newStream(t.saidSeed(toClient), runes, t.toClient)) }()
	heard := newChecker(newStream(t.saidSeed(toTarget), runes, t.toTarget))
	err := hearBytes(conn, heard, t.ending == targetCloses, rand.New(newRandom(t.cutSeed(toClient)+1)))
	if err != nil {
		conn.Close() // ends the speaker
	}
	if spokeErr := <-spoken; err == nil {
		err = spokeErr
	}
	if err != nil {
		return err
	}
	t.heard[toTarget] = heard.total()
	return heard.finish(<-t.sent[toTarget])
}

// sayBytes writes all of what there is to say, cut anywhere.
func sayBytes(t *talk, w io.Writer, say *stream) error {
	random := rand.New(newRandom(t.cutSeed(toClient)))
	cut, sum := chopped{w, random}, sha256.New()
	defer func() { t.sent[toClient] <- sum.Sum(nil) }()
	for !say.over() {
		p := say.take(size(random))
		sum.Write(p)
		if _, err := cut.Write(p); err != nil {
			return err
		}
	}
	return nil
}

// hearBytes reads until all has come, or until the end, which must not be sooner.
func hearBytes(conn io.Reader, heard *checker, closes bool, random *rand.Rand) error {
	room := make([]byte, block)
	for !closes || !heard.want.over() {
		n, err := conn.Read(room[:1+magnitude(random, block-1)])
		if wrong := heard.take(room[:n]); wrong != nil {
			return wrong
		}
		if errors.Is(err, io.EOF) && !closes {
			return nil
		}
		if err != nil {
			return fmt.Errorf("after byte %d: %w", heard.at, err)
		}
	}
	return nil
}

// hostMessages is a target of messages: a WebSocket server.
func (r *rig) hostMessages(conn net.Conn) {
	head := bufio.NewReader(conn)
	request, err := http.ReadRequest(head)
	if err != nil {
		return
	}
	hello := request.Header.Get("Sec-WebSocket-Protocol")
	t := r.talkOf(hello)
	if t == nil {
		return
	}
	p := newPeer(t, conn, toClient, newScript(t.saidSeed(toClient), r.runes, t.toClient), newScript(t.saidSeed(toTarget), r.runes, t.toTarget))
	p.listener.frames.r = head // it may have read more
	p.speaker.out = []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + acceptOf(request.Header.Get("Sec-WebSocket-Key")) + "\r\nSec-WebSocket-Protocol: " + hello + "\r\n\r\n")
	t.far <- at("the target", messagesTalk(p))
}

func messagesTalk(p *peer) error {
	got, err := p.run(func() error { return nil })
	if wrong := p.judge(got, p.talk.closing); wrong != nil {
		return wrong
	}
	if err != nil {
		return err
	}
	return p.verdict()
}
