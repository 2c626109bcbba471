//go:build linux

package e2e

import (
	"testing"
)

// TestOldClientsEchoEverySize: what is left of the clients of 2010 to 2014 gets
// every byte back, with --legacy, and the log says which version it speaks.
func TestOldClientsEchoEverySize(t *testing.T) {
	perl := "/usr/share/perl5/Protocol/WebSocket.pm"
	byPerl := func(version string) []string { return []string{"perl", "echo_protocol_websocket.pl", version} }
	for _, client := range []struct {
		name    string
		needs   []string
		command []string
		version string
	}{
		{"Node websocket-client 1.0", []string{"node", modules}, []string{"node", "echo_hixie.mjs"}, "hixie-76"},
		{"Node ws 0.5", []string{"node", modules}, []string{"node", "echo_hybi8.mjs"}, "8"},
		{"Perl Protocol::WebSocket, hixie-75", []string{"perl", perl}, byPerl("draft-hixie-75"), "hixie-75"},
		{"Perl Protocol::WebSocket, hixie-76", []string{"perl", perl}, byPerl("draft-ietf-hybi-00"), "hixie-76"},
		{"Perl Protocol::WebSocket, 8", []string{"perl", perl}, byPerl("draft-ietf-hybi-10"), "8"},
	} {
		t.Run(client.name, func(t *testing.T) {
			need(t, client.needs...)
			b := serve(t, target(t, echo), "--legacy")
			echoes(t, append(client.command, b.url("ws")))
			b.await(`legacy protocol.* version=` + client.version + `\n`)
			b.await(`session ended.* by=client reason="client closed"`)
		})
	}
}
