package bridge

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/wsbridge/wsbridge/frame"
)

// closeTable is every row of close.go.
var closeTable = []ending{
	endClientClosed, endClientVanished, endClientReset, endProtocol, endPayload,
	endTargetClosed, endTargetReset, endTargetRefused, endTargetUnknown, endTargetTimeout,
	endTargetUnreachable, endTargetFailed, endTargetTold, endTargetNotText,
	endHeartbeat, endIdle, endKilled, endNoFiles, endForbidden, endMemory, endShutdown,
}

// docs/close-codes.md has each row, and no other.
func TestCloseTableIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/close-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| client") || strings.HasPrefix(line, "| target") || strings.HasPrefix(line, "| bridge") {
			rows++
		}
	}
	if rows != len(closeTable) {
		t.Errorf("%d rows in the manual, %d in the table", rows, len(closeTable))
	}
	for _, e := range closeTable {
		code := fmt.Sprint(int(e.code))
		if e == endClientClosed {
			code = "its own"
		}
		if row := fmt.Sprintf("| %s | %s | %s |", e.by, code, e.reason); !strings.Contains(string(text), row) {
			t.Errorf("not in the manual: %s", row)
		}
	}
}

func TestCloseTableCanBeSent(t *testing.T) {
	for _, e := range closeTable {
		sent := e.code != 0 && e.code != endClientVanished.code
		if sent && (!frame.ValidCloseCode(e.code) || len(e.reason) > 123) {
			t.Errorf("%+v cannot be sent", e)
		}
	}
}
