package wsbridge_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wsbridge/wsbridge"

// allowed is the house's plan: which room may import which, and which outside
// module is used where. The standard library is free to all. A room that is
// not here may import nothing but it.
//
// DO NOT CHANGE THIS TO MAKE A BUILD PASS. Change it when the plan changes,
// with docs/TOUR.md in the same commit.
const allowed = `
config:       go.yaml.in/yaml/v3 github.com/spf13/pflag
sniff:
extendedconnect:
frame:        github.com/gobwas/ws
deflate:      frame github.com/klauspost/compress
listen:       golang.org/x/crypto golang.org/x/sys
web:
web/client:
web/demo:
demo:
target:       golang.org/x/sys
policy:       ticket github.com/go-jose/go-jose/v4 github.com/redis/go-redis/v9 golang.org/x/crypto golang.org/x/time
memory:
record:
access:       golang.org/x/sys
ticket:       github.com/go-jose/go-jose/v4 github.com/redis/go-redis/v9
wrap:         golang.org/x/sys
loop:         golang.org/x/sys
systemd:      golang.org/x/sys
logs:
bridge:       deflate extendedconnect frame loop message sniff github.com/gobwas/ws golang.org/x/sys
man:          config
packaging:
packaging/archive:
packaging/bom:
sandbox:      github.com/landlock-lsm/go-landlock golang.org/x/sys
soak:         golang.org/x/net
cmd/wsbridge: access admin bridge check config connect content demo extendedconnect gateway hub hub/fme hub/fme/console hub/nats listen logs man memory message passthrough policy record route sandbox systemd target ticket web web/demo web/pages wrap github.com/spf13/cobra github.com/spf13/pflag golang.org/x/sys
check:        frame message target github.com/gobwas/ws
connect:      message target github.com/gobwas/ws
content:      github.com/antchfx/xpath github.com/itchyny/gojq github.com/santhosh-tekuri/jsonschema/v6
gateway:      content frame hub message target github.com/gobwas/ws
hub:          message github.com/gobwas/ws
hub/fme/console:
hub/fme:      frame hub message github.com/gobwas/ws golang.org/x/time
hub/nats:     github.com/nats-io/nats.go
passthrough:  sniff target golang.org/x/sys
route:
web/pages:
admin:        web/pages github.com/prometheus/client_golang golang.org/x/time
message:      deflate frame github.com/gobwas/ws golang.org/x/sys
bench:        golang.org/x/sys
e2e:
internal/freeport:
`

// TestArrows holds every import of every room, on each system, against the plan.
func TestArrows(t *testing.T) {
	plan := parsePlan(t)
	for _, goos := range []string{"linux", "darwin", "windows"} {
		for _, room := range rooms(t, goos) {
			may, known := plan[room.name]
			if !known {
				t.Errorf("room %s is not in the plan", room.name)
			}
			for _, path := range room.imports {
				if !slices.ContainsFunc(may, func(m string) bool { return path == m || strings.HasPrefix(path, m+"/") && strings.Contains(m, ".") }) {
					t.Errorf("%s: %s may not import %s", goos, room.name, path)
				}
			}
		}
	}
}

func parsePlan(t *testing.T) map[string][]string {
	plan := map[string][]string{}
	for line := range strings.Lines(strings.TrimSpace(allowed)) {
		name, may, ok := strings.Cut(line, ":")
		if !ok {
			t.Fatalf("not a line of the plan: %q", line)
		}
		plan[name] = strings.Fields(may)
	}
	return plan
}

type room struct {
	name    string
	imports []string // of rooms by name, of outside packages by path; no standard library
}

func rooms(t *testing.T, goos string) (all []room) {
	t.Helper()
	list := exec.Command("go", "list", "-e", "-json=ImportPath,Imports", "./...")
	list.Env = append(os.Environ(), "GOOS="+goos, "CGO_ENABLED=0")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if p.ImportPath != module {
			all = append(all, room{strings.TrimPrefix(p.ImportPath, module+"/"), notStandard(p.Imports)})
		}
	}
}

func notStandard(paths []string) (out []string) {
	for _, path := range paths {
		first, _, _ := strings.Cut(path, "/")
		if strings.Contains(first, ".") {
			out = append(out, strings.TrimPrefix(path, module+"/"))
		}
	}
	return out
}
