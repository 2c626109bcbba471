// Package e2e tests wsbridge end to end: every test tells what a person does
// with real programs (a desktop, a browser, ssh, openssl, wscat, haproxy) and
// what must happen. All of it runs on loopback and in folders of its own.
//
// The tests build ./cmd/wsbridge once; E2E_WSBRIDGE names another binary to
// try, such as the ancestor. A test whose programs are missing is skipped with
// the reason, or fails where CI=true.
package e2e
