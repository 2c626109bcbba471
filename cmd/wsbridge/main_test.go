package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/wsbridge/wsbridge/wrap"
)

// scriptsPatience is for all scripts, which share the machine with the tests of
// other packages; it ends before go test's own ten minutes.
const scriptsPatience = 8 * time.Minute

// quickExit spares each process under the race detector its last second.
const quickExit = "atexit_sleep_ms=10"

// TestMain makes wsbridge a command of the scripts, and fails on goroutines
// that outlive the tests.
func TestMain(m *testing.M) {
	if status, child := wrap.Child(); child {
		os.Exit(status)
	}
	testscript.Main(leakChecked{m}, map[string]func(){"wsbridge": main})
}

type leakChecked struct{ *testing.M }

func (m leakChecked) Run() int {
	code := m.M.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// TestScript runs the stories of testdata/script, one file each.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Deadline:            time.Now().Add(scriptsPatience),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":       exits,
			"start":       start,
			"logged":      logged,
			"found":       found,
			"signal":      signalBridge,
			"stopped":     stopped,
			"get":         get,
			"shutout":     shutOut,
			"poll":        poll,
			"delete":      deleteIt,
			"session":     session,
			"certificate": certificate,
			"occupy":      occupy,
			"serve":       serveText,
			"files":       serveFiles,
			"redis":       redis,
			"expand":      expand,
			"huge":        huge,
			"jwt":         jwt,
			"jwe":         jwe,
			"upgrade":     upgrade,
			"mint":        mint,
			"exchange":    exchange,
			"authserver":  authServer,
			"welcome":     welcome,
			"hostile":     hostile,
			"guess":       guess,
			"servetls":    serveTLS,
			"stall":       stall,
			"stale":       stale,
			"deserted":    deserted,
			"inetd":       inetd,
			"nowait":      nowait,
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", quickExit)
			env.Values[bridgeKey{}] = new(process)
			return nil
		},
	})
}
