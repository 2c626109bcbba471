//go:build linux

package e2e

import "strings"

// difference is an outcome that is meant to be another than the original's.
type difference struct {
	scenario       string
	original, ours string
	why            string // with the number of the quirk, of those in docs/migrating-from-websockify.md
}

const (
	opened  = `101, close 1000, gone, target heard ""`
	greeted = `101, "welcome", close 1000, gone`
	rfc     = "RFC 6455 says so"
)

// differences is the whole list. A scenario that is not in it has the same
// outcome with both programs; one that is in it has exactly these.
var differences = []difference{
	{"subprotocols base64, binary", `400`, `101, binary, close 1000, gone, target heard ""`, "1: names are trimmed, binary is preferred"},
	{"subprotocol chat", `400`, `101, chat, close 1000, gone, target heard ""`, "1: a name that means nothing here does no harm"},
	{"version 8", opened, `426`, "drafts of 2011 are no longer spoken"},
	{"version 12", `400`, `426`, rfc + ", and the answer names version 13"},
	{"key of one byte", opened, `400`, rfc},
	{"Connection missing", opened, `400`, rfc},
	{"upgrade by HTTP/1.0", opened, `505`, rfc},
	{"upgrade by POST", `501`, `405`, "the method is known, and not allowed"},
	{"frames with the handshake", `101, silence, target heard ""`, `101, close 1000, gone, target heard "early"`, "2: no byte is lost"},

	{"GET /", `405`, `200`, "load balancers probe it"},
	{"HEAD /", `405`, `200`, "load balancers probe it"},
	{"GET /other", `405`, `404`, "GET is allowed; there is nothing at that path"},
	{"POST /", `501`, `405`, "the method is known, and not allowed"},
	{"a bad request line", `broken`, `400`, "the answer has a status line"},

	{"a first fragment of no bytes", `101, close 1002`, `101, "hello"`, "3: it may be empty"},
	{"the target resets", `101, gone`, `101, close 1011, gone`, "11: the client is told"},
	{"the target closes one side", `101, "bye", close 1000, gone, target heard ""`, `101, "bye", close 1000, gone, target heard "late"`, "12: it may still listen"},
	{"a TLS target", greeted, `101, close 1011, gone`, "its certificate is verified, which the original does since 0.13"},
	{"the bridge is stopped", `101, "hi", gone, target heard ""`, `101, "hi", close 1001, gone, target heard ""`, "11: the client is told"},

	{"close 1000", opened, `101, close 1000, gone, target heard "last"`, "no byte is lost"},
	{"close without a code", `101, close 1005, gone, target heard ""`, `101, close, gone, target heard ""`, rfc + ": 1005 is never sent"},
	{"close of one byte", `101, close 1005, gone, target heard ""`, `101, close 1002, gone, target heard ""`, rfc},
	{"close 1005", `101, close 1005, gone, target heard ""`, `101, close 1002, gone, target heard ""`, rfc + ": 1005 is never sent"},
	{"close with bad UTF-8", `101, close 1002, gone, target heard ""`, `101, close 1007, gone, target heard ""`, rfc},

	{"text", `101, close 1003`, `101, "hello"`, "its bytes are as good as any"},
	{"unknown opcode", `101, close 1003, target heard ""`, `101, close 1002, target heard ""`, rfc},
	{"a reserved bit", `101, pong "hello", target heard ""`, `101, close 1002, target heard ""`, "5: " + rfc},
	{"a long ping", `101, pong "` + strings.Repeat("x", 126) + `", target heard ""`, `101, close 1002, target heard ""`, "5: " + rfc},
	{"a fragmented close", `101, close 1003, target heard ""`, `101, close 1002, target heard ""`, rfc},
	{"a message inside a message", `101, close 1002, target heard ""`, `101, close 1002, target heard "hel"`, "6: messages are not gathered, so what came before the breach has gone"},
	{"more after a breach", `101, close 1002, gone, target heard "more"`, `101, close 1002, gone, target heard ""`, "4: a breach ends the session"},

	{"a path that goes up and down", "200, \"export {}\\n\"", `404`, "no path with .. in it is served"},
	{"a link that leaves", "200, \"secret\\n\"", `404`, "no link leads out of the directory"},
	{"HEAD and POST of a file", `200, 501`, `200, 405`, "the method is known, and not allowed"},

	{"a token unknown to a server", `gone`, `404`, "15: every refusal says why"},
	{"a token that climbs", greeted, `404`, "19: a token is escaped"},
	{"a relative source beside files", `gone`, greeted, "22: a path means what it meant at the start"},
	{"an unknown token", `gone`, `404`, "15: every refusal says why"},
	{"no token", `gone`, `403`, "15: every refusal says why"},
	{"an unknown token without credentials", `gone`, `401`, "16: who is not let in learns of no token"},
	{"a password by another scheme", `403`, `401`, "the browser may ask for one"},
	{"a password that is no base64", `403`, `401`, "the browser may ask for another"},
	{"a password with bad padding", `gone`, `401`, "18: it is a wrong password like any other"},

	{"TLS without a certificate", `reset`, `TLS alert`, "every refusal says why"},
	{"plain where only TLS may be", `reset`, `400`, "every refusal says why"},
	{"plain where certificates are asked for", `101, close 1000, gone`, `400`, "29: --verify-client means TLS"},
	{"a relative web directory", `Web root: DIR/web`, `Web root: web`, "the summary has paths as they were given"},

	{"--version", `exit status 2`, `exit status 0`, "there is such an option"},
	{"--timeout 1 127.0.0.1:70000 localhost:5900", `exit status 0`, `exit status 2`, "14: no such port"},
	{"--timeout 1 --token-plugin Nobody --token-source f {port}", `exit status 1`, `exit status 2`, "a mistake on the command line"},
	{"--timeout 1 --auth-plugin Nobody --auth-source f {port} localhost:5900", `exit status 1`, `exit status 2`, "a mistake on the command line"},
	{"--timeout 1 --web nowhere {port} localhost:5900", `exit status 1`, `exit status 2`, "a mistake on the command line"},
	{"--timeout 1 --ssl-ciphers nonsense {port} localhost:5900", `exit status 0`, `exit status 2`, "a mistake on the command line"},
}
