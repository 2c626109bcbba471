//go:build !unix

package listen

import (
	"errors"
	"testing"
)

const childEnv = "WSBRIDGE_TEST_INHERITED"

func serveInherited() int { return 1 }

func TestInheritedIsUnsupported(t *testing.T) {
	if _, err := Inherited(0); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}
