package passthrough

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// joined is a join over pipes, whose other ends it returns, and how it ended.
func joined(idle time.Duration) (client, target net.Conn, end chan ending) {
	client, clientSide := net.Pipe()
	target, targetSide := net.Pipe()
	j := newJoin(&Target{Idle: idle}, targetSide, nil)
	j.setClient(clientSide, nil)
	j.start(context.Background())
	done := make(chan struct{})
	carry := func(from, to *side) {
		from.WriteTo(to)
		to.CloseWrite()
		done <- struct{}{}
	}
	go carry(&j.client, &j.target)
	go carry(&j.target, &j.client)
	end = make(chan ending, 1)
	go func() {
		<-done
		<-done
		end <- j.finish()
		j.client.Close()
		j.target.Close()
	}()
	return client, target, end
}

// One byte in either direction starts the silence anew; then it lasts exactly
// as long as it may.
func TestIdleCountsBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, target, end := joined(10 * time.Minute)
		began := time.Now()
		for _, pair := range [][2]net.Conn{{client, target}, {target, client}, {target, client}} {
			time.Sleep(9 * time.Minute)
			go pair[0].Write([]byte("."))
			if _, err := pair[1].Read(make([]byte, 1)); err != nil {
				t.Fatalf("after %v: %v", time.Since(began), err)
			}
		}
		if n, err := client.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("client got %d bytes, %v", n, err)
		}
		if why := <-end; why != endIdle {
			t.Errorf("ended by %v", why)
		}
		if took := time.Since(began); took != 37*time.Minute {
			t.Errorf("ended after %v", took)
		}
	})
}

// Without a limit silence may last; with the target's end it may no longer.
func TestNoIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, target, end := joined(0)
		time.Sleep(1000 * time.Hour)
		go client.Write([]byte("."))
		if _, err := target.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		target.Close()
		if why := <-end; why != (ending{"target", "target closed"}) {
			t.Errorf("ended by %v", why)
		}
		client.Close()
	})
}

// A client that does not follow the target's end is left after a while.
func TestHalfOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, clientSide := net.Pipe()
		_, targetSide := net.Pipe()
		j := newJoin(&Target{}, targetSide, nil)
		j.setClient(clientSide, nil)
		j.start(t.Context())
		began := time.Now()
		j.ended(ending{"target", "target closed"}, endTimeout)
		j.client.WriteTo(nil)
		if took := time.Since(began); took != endTimeout {
			t.Errorf("left after %v", took)
		}
		if why := j.finish(); why.by != "target" {
			t.Errorf("ended by %v", why)
		}
	})
}
