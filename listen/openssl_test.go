package listen

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// openssl runs the real one and gives what it says. Where there is none the
// test is left out, except in CI.
func openssl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := opensslFails(t, args...)
	if err != nil {
		t.Fatalf("openssl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// opensslFails also gives the exit status.
func opensslFails(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skipf("left out: %v", err)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	return string(out), err
}
