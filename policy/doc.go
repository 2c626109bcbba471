// Package policy decides who may enter and where they go, before the opening
// handshake is answered: an *http.Request goes in, a target or a refusal comes
// out. It dials no target and knows nothing of WebSocket.
//
// # The order, and the answers
//
// Credentials are checked before the token, so nobody without credentials can
// find out which tokens exist. A refusal is an HTTP answer:
//
//	401  credentials are missing or wrong (BasicHTTPAuth)
//	403  the origin or the client certificate is not an allowed one; the token
//	     is missing; a genuine JWT is expired, not valid yet, or for others
//	404  no such token, which includes malformed and forged ones
//	429  too many wrong guesses from the client's address
//	502  a file, program or server needed to decide fails or is too slow
//	503  what remembers spent tickets does not answer, or is full
//
// ForwardAuth also hands on the 401, 403 and redirects of the server it asks.
//
// What is said to the client names no file, no server and no token; the cause
// of a 502 goes to the log. A token is in no error, no refusal and no log line.
//
// # Guesses
//
// Wrong passwords and unknown tokens are guesses. An address (IPv6: its /64)
// may make ten, then one per second; while it has none left every request of
// it is answered 429, right or wrong, for else a right guess would stand out.
// Guesses made at once are all owed. Behind a reverse proxy all clients share
// one address unless Policy.Address finds the real one.
//
// # Targets
//
// A target is written host:port, [v6]:port or unix_socket:/path. The bare
// v6:port of websockify works too. Programs, servers and Redis may also answer
// with JSON: {"host": "h", "port": 5900}, {"host": "h:5900"} or
// {"target": "h:5900"}.
//
// # Token sources
//
// By websockify's names, with or without "websockify.token_plugins." before:
//
//	TokenFile, ReadOnlyTokenFile  a file of "TOKEN: TARGET" lines, or a directory of them
//	TokenFileName                 a directory; the file named by the token's last path
//	                              component holds the target
//	UnixDomainSocketDirectory     a directory; the token is a socket's path in it
//	BaseTokenAPI, JSONTokenApi    a URL with one %s for the token, which is escaped
//	JWTTokenApi                   a key file; the token is a JWT with host and port
//	Ticket                        a file or directory of public keys; the token is a
//	                              ticket of package ticket
//	TokenRedis                    host[:port[:db[:password[:namespace]]]], or a URL
//	exec, http                    callouts; see below
//
// Files are looked at once a second at most, and read again when size or time
// have changed. A token file's blank lines and comments (#) are nothing; of two
// lines with one token the later one counts; a bad line is named in the log
// once. In directories, files whose names begin with a dot or end in ~ are
// left out. No token leads out of a directory, by symbolic links neither.
//
// An HTTP source is not found at 4xx, and fails at 401, 407, 408, 429 and all
// the rest. It is followed through redirects of the same host only.
//
// # JWTTokenApi
//
// The source is a file: PEM (keys and certificates, several), a JWK, a JWKS, or
// the base64url text of a secret; "raw:FILE" takes FILE's bytes as the secret,
// but for line ends behind. Secrets have 32 bytes or more (HS384: 48, HS512: 64).
// Options follow a #, as in a URL: key.pem#aud=desk&iss=https://idp.example&leeway=30s
//
//	aud, iss  required of the token; aud may be repeated, one must match
//	leeway    allowed to exp and nbf; default 60s
//	alg       the only signature algorithms taken; may be repeated
//
// Without alg a key's kind decides: RS/PS256-512 for RSA, ES256-512 by curve,
// EdDSA for Ed25519, HS256-512 for secrets only. An encrypted token (JWE by
// RSA-OAEP, ECDH-ES, AES key wrap or dir) must have a signed one inside.
//
// # TokenRedis
//
// Parts may be empty; "..." keeps colons. Defaults: port 6379, database 0, no
// password, no namespace. A URL is redis://, rediss:// or unix://, with
// user:password@, as go-redis reads it; with master_name=NAME (and addr=HOST:PORT
// for further ones) it leads to sentinels, with addr=HOST:PORT to a cluster;
// #namespace=NAME gives the namespace. The key is TOKEN or NAMESPACE:TOKEN.
//
// # Ticket
//
// Keys are PEM, of Ed25519, and are read again when they change. FILE,URL keeps
// what was spent in a Redis, whose URL is as above; FILE alone in memory. Options
// follow a #: aud, this bridge's name, which tickets must then be for; leeway, by
// how much clocks may differ (10s, at most 1m); life, the longest a ticket may
// last (24h); namespace and ca are Redis's. A ticket is spent after all else has
// been found right. If it names a user, who was authenticated as another is
// refused.
//
// # Callouts
//
// What Python classes were. The question is one JSON object:
//
//	{"token": "...", "path": "/websockify", "host": "desk.example:6080",
//	 "remote": "192.0.2.7:51234", "headers": {"Cookie": ["..."]}}
//
// with the headers that are asked for by #headers=Cookie,X-User at the source's
// end. The answer is a target in any of the forms above, 64 KiB at most.
//
//	exec  the source is a program and its arguments ("..." keeps spaces; no
//	      shell). Question on stdin; exit 0: answer on stdout; 1: not found;
//	      other: failure, and stderr's beginning is logged. It is killed, with
//	      its process group, when the time is over; 16 run at once.
//	http  the source is a URL the question is POSTed to. 200: answer in the
//	      body; 404: not found; other: failure.
//
// Written as plugin and source, or in one word: exec:PROGRAM, http://URL.
//
// # Authentication
//
//	BasicHTTPAuth      user:password, several by line; or a file in htpasswd form
//	                   (bcrypt, argon2id, apr1, {SHA})
//	ExpectOrigin       origins, separated by spaces
//	ClientCertCNAuth   names, separated by spaces, "..." keeps them; one must be
//	                   the verified client certificate's common name or a
//	                   subject alternative name
//	ForwardAuth        a URL that is asked by GET with X-Forwarded-Method, -Proto,
//	                   -Host, -Uri and -For, and with the client's Accept,
//	                   Authorization, Cookie, Origin and User-Agent, or what
//	                   #headers= says: 2xx lets in, and the user is in Remote-User
//	                   or the header of #user=; #ca= is a file of authorities
//	exec, http         callouts: accepted at exit 0 or status 200, and the answer
//	                   may be {"user": "name"} for the log; refused at exit 1, or
//	                   401, 403, 404. They are sent Authorization, Cookie and
//	                   Origin where #headers= does not say otherwise; one that is
//	                   sent Authorization refuses with 401 and asks for a password.
package policy
