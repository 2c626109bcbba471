//go:build unix

package access

const canPeek = true
