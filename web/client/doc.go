// Package client is the browser's side of wsbridge: the JavaScript library
// wsbridge.js, its types and its tests, which go test runs too. It holds no Go.
package client
