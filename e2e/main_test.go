//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestMain(m *testing.M) {
	if address := os.Getenv(targetRole); address != "" {
		os.Exit(beTarget(address))
	}
	os.Exit(testMain(m))
}

// testMain builds the binary under test, unless E2E_WSBRIDGE names one. As the
// program behind a bridge it is a far end.
func testMain(m *testing.M) int {
	if address := os.Getenv(farEndAt); address != "" {
		return farEndMain(address)
	}
	if os.Getenv("E2E_WSBRIDGE") != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "wsbridge-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	bin := filepath.Join(dir, "wsbridge")
	build := exec.Command("go", "build", "-trimpath", "-o", bin, "../cmd/wsbridge")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is shipped
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building wsbridge: %v\n%s", err, out)
		return 1
	}
	os.Setenv("E2E_WSBRIDGE", bin)
	return m.Run()
}
