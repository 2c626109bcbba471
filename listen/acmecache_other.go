//go:build !unix

package listen

// keepsSecrets tells what is wrong with a folder for keys; here the system's
// own lists say who may write to it.
func keepsSecrets(string) error { return nil }
