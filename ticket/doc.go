// Package ticket is leave to enter, for a short time and perhaps once, signed
// by who has the key and checked by who has its public half. It dials nothing
// and knows nothing of WebSocket.
//
// # What a ticket is
//
// A JWT (RFC 7519) in the compact form of a JWS (RFC 7515), signed with Ed25519
// (RFC 8037), of MaxLength bytes at most. Its header has "alg": "EdDSA" and
// "typ": "ticket+jwt", may have "kid", which is not looked at, and nothing else.
// The claims, each once, none null, and no others:
//
//	target  where it leads, as a token's target is written
//	iat     when it was minted, in seconds since 1970; fractions are allowed
//	exp     when it ends
//	jti     what tells it from all others: 16 to 128 of A-Z a-z 0-9 - . _ ~
//	once    true: it lets in once
//	nbf     when it begins
//	sub     the user's name
//	client  the address, or the network as 192.0.2.0/24, it may be used from
//	path    the path it may be used on; one that ends in / stands for all below
//	aud     the bridges it is for: a name or a list of names
//
// The first four are needed, the rest is not.
//
// # Once
//
// A ticket with once is spent by the first use, before the client is let in:
// of a hundred at the same time, one enters. A Store remembers what was spent
// until no clock in question can find the ticket in time; it never forgets
// sooner, and says no when it has no room. Memory begins empty. So it takes no
// ticket that was minted before it began: that may have been spent then.
//
// # Exchange
//
// A ticket in an address is seen by the browser's history, by proxies and logs.
// Exchange takes it from there into a cookie that scripts cannot read, and
// sends the browser on. A ticket with once is spent by that; what the cookie
// has instead is a pass: 256 random bits, which stand for the same claims in
// the Store, and which let in once, too. A ticket without once is its own cookie.
package ticket
