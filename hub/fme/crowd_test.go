package fme

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// crowdOfTests is the variable that makes the test binary a crowd of clients:
// address, number, streams.
const crowdOfTests = "WSBRIDGE_TEST_CROWD_AT"

// runCrowd connects clients that open one stream each and hear whatever comes.
func runCrowd(what string) {
	var address string
	var clients, streams int
	fmt.Sscan(what, &address, &clients, &streams)
	for i := range clients {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_, _, err = (ws.Dialer{}).Upgrade(conn, mustURL(address))
		}
		if err == nil {
			err = wsutil.WriteClientText(conn, fmt.Appendf(nil, `{"ws_op":"open","ws_stream_id":"%d"}`, i%streams))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		go io.Copy(io.Discard, conn)
	}
	io.Copy(io.Discard, os.Stdin)
}

func mustURL(address string) *url.URL { return &url.URL{Scheme: "ws", Host: address, Path: "/"} }
