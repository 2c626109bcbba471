//go:build linux

package e2e

import (
	"fmt"
	"testing"
)

// nginxAround is an nginx of its own around what is in another file: %[1]s is its
// folder, %[2]s that file.
const nginxAround = `
user root;
daemon off;
pid %[1]s/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi;
  scgi_temp_path %[1]s/scgi;
  include %[2]s;
}
`

// startNginx runs one with this in its http block, and waits until it listens on
// door. It may write to its folder.
func startNginx(t *testing.T, folder, door, http string) {
	t.Helper()
	need(t, "nginx")
	inner := write(t, folder, "http.conf", []byte(http))
	start(t, nil, "nginx", nginxArgs(folder, write(t, folder, "nginx.conf", fmt.Appendf(nil, nginxAround, folder, inner)))...)
	eventually(t, "nginx listens", func() bool { return answers(door) })
}

func nginxArgs(folder, config string) []string {
	return []string{"-p", folder, "-e", "stderr", "-c", config}
}
