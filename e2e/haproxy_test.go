//go:build linux

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

const haproxyConfig = `
defaults
  mode http
  timeout connect 5s
  timeout client 1m
  timeout server 1m
frontend door
  bind %s
  stats uri /stats
  default_backend bridges
backend bridges
  option httpchk GET /
  http-check expect rstatus ^[23]
  server bridge %s check inter 100ms
`

// TestBehindHAProxy: a load balancer probes the bridge's front page, finds it
// well, and sends sessions to it.
func TestBehindHAProxy(t *testing.T) {
	need(t, "haproxy", "node", modules)
	b := serve(t, target(t, echo))
	door := freeport.Address(t)
	config := write(t, t.TempDir(), "haproxy.cfg", fmt.Appendf(nil, haproxyConfig, door, b.address()))
	start(t, nil, "haproxy", "-db", "-f", config)
	eventually(t, "haproxy's probe of / is answered 200", func() bool {
		return strings.Contains(get("http://"+door+"/stats;csv"), ",L7OK,200,")
	})
	client := connect(t, "ws://"+door+"/")
	client.say("open sesame\n")
	client.await(`open sesame`)
}

// get is the body at url; empty while nobody answers.
func get(url string) string {
	answer, err := http.Get(url)
	if err != nil {
		return ""
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return string(body)
}
