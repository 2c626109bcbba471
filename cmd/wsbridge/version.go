package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// version is set by the linker, which can only reach a variable:
// -ldflags "-X main.version=1.2.3". Otherwise the build's own record is used.
var version string

func printVersion(w io.Writer) {
	fmt.Fprintf(w, "wsbridge %s (%s, %s/%s)\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

func buildVersion() string {
	recorded := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		recorded = info.Main.Version
	}
	return cmp.Or(version, recorded, "(devel)")
}
