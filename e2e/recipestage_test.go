//go:build linux

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wsbridge/wsbridge/internal/freeport"
)

// trial is where a recipe is followed: with its files in a folder, its programs
// running, and something at its target.
type trial struct {
	t         *testing.T
	dir       string
	ports     map[string]string // in place of those in the recipe
	target    string            // in place of desk.lan:5900
	desktop   desktop
	echo      atomic.Bool // at target: an echo instead of the desktop
	authority string      // file with who signed the certificate
	bridge    *process
}

// written is all that is changed in a recipe, as docs/recipes/README.md says.
var written = regexp.MustCompile(`(?:https|wss)://desk\.example|desk\.example|desk\.lan:5900|/etc/|:?\b443\b|` +
	`\b(?:1883|6080|6379|6443|7078|8080|11883|16379)\b`)

// door is the port in place of 443.
const door = "443"

func (tr *trial) here(text string) string {
	return written.ReplaceAllStringFunc(text, func(word string) string {
		switch word {
		case "https://desk.example", "wss://desk.example":
			return strings.Replace(word, "desk.example", "localhost:"+tr.port(door), 1)
		case "desk.example":
			return "localhost"
		case "desk.lan:5900":
			return tr.target
		case "/etc/":
			return tr.dir + word
		case door, ":" + door:
			return tr.address(door)
		}
		return tr.port(word)
	})
}

func (tr *trial) port(written string) string {
	if tr.ports[written] == "" {
		tr.ports[written] = freeport.Port(tr.t)
	}
	return tr.ports[written]
}

func (tr *trial) address(port string) string { return net.JoinHostPort("127.0.0.1", tr.port(port)) }

// newTrial is one for r. What is started in it believes its authority, and finds
// the binary under test by the name wsbridge.
func newTrial(t *testing.T, r recipe) *trial {
	t.Helper()
	need(t, "openssl", "curl")
	tr := &trial{t: t, dir: t.TempDir(), ports: map[string]string{}}
	if strings.Contains(r.text, "desk.lan") {
		tr.desktop = startDesktop(t)
	}
	tr.target = target(t, tr.serve)
	tr.certify()
	tr.believe(tr.here(signers))
	tr.install()
	return tr
}

func (tr *trial) install() {
	tr.t.Helper()
	binary, err := filepath.Abs(os.Getenv("E2E_WSBRIDGE"))
	if err != nil {
		tr.t.Fatal(err)
	}
	bin := tr.folder(tr.dir + "/bin")
	if err := os.Symlink(binary, filepath.Join(bin, "wsbridge")); err != nil {
		tr.t.Fatal(err)
	}
	tr.t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
}

// folder makes one, unless it is there.
func (tr *trial) folder(path string) string {
	tr.t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		tr.t.Fatal(err)
	}
	return path
}

// believe has the programs started from now on believe an authority.
func (tr *trial) believe(authority string) {
	tr.authority = authority
	for _, name := range []string{"SSL_CERT_FILE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"} {
		tr.t.Setenv(name, authority)
	}
}

// serve is what desk.lan:5900 does.
func (tr *trial) serve(c net.Conn) {
	if tr.echo.Load() {
		echo(c)
		return
	}
	d, err := net.Dial("tcp", tr.desktop.address)
	if err != nil {
		return
	}
	defer d.Close()
	go func() {
		io.Copy(d, c)
		d.Close()
	}()
	io.Copy(c, d)
}

const (
	chain    = "/etc/ssl/desk.example/fullchain.pem"
	chainKey = "/etc/ssl/desk.example/privkey.pem"
	signers  = "/etc/ssl/authority.pem"
)

// certify has an authority sign a certificate, as those are that people get.
func (tr *trial) certify() {
	tr.t.Helper()
	dir := tr.folder(filepath.Dir(tr.here(chain)))
	request, signer := filepath.Join(dir, "request"), filepath.Join(dir, "signer")
	names := write(tr.t, dir, "names", []byte("subjectAltName=DNS:localhost\n"))
	openssl(tr.t, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "90",
		"-subj", "/CN=authority", "-keyout", signer, "-out", tr.here(signers))
	openssl(tr.t, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
		"-subj", "/CN=localhost", "-keyout", tr.here(chainKey), "-out", request)
	openssl(tr.t, "x509", "-req", "-in", request, "-CA", tr.here(signers), "-CAkey", signer, "-CAcreateserial",
		"-days", "90", "-extfile", names, "-out", tr.here(chain))
	if err := os.Symlink("privkey.pem", tr.here(chain)+".key"); err != nil { // as HAProxy wants it
		tr.t.Fatal(err)
	}
}

// follow writes the recipe's files, starts what they are for, and types what its
// console blocks say.
func (tr *trial) follow(r recipe) {
	tr.t.Helper()
	for _, b := range r.blocks {
		if b.file != "" {
			tr.put(b)
		}
	}
	for _, b := range r.blocks {
		if b.kind == "text" && strings.Count(r.text, b.file) < 2 {
			tr.t.Errorf("nobody reads %s", b.file)
		}
		tr.run(b)
	}
}

func (tr *trial) put(b block) {
	tr.t.Helper()
	path := tr.here(b.file)
	write(tr.t, tr.folder(filepath.Dir(path)), filepath.Base(path), []byte(tr.here(b.text)))
}

func (tr *trial) run(b block) {
	tr.t.Helper()
	file := tr.here(b.file)
	switch b.kind {
	case "yaml":
		tr.bridge = start(tr.t, nil, "wsbridge", "--config", file)
		tr.t.Cleanup(tr.bridge.sound)
		tr.bridge.await(`Listen on 127\.0\.0\.1:`)
	case "nginx":
		tr.serves(door, "nginx", nginxArgs(tr.dir, tr.around(nginxAround, file))...)
	case "haproxy":
		tr.serves(door, "haproxy", "-db", "-f", file)
	case "caddyfile":
		tr.caddy(file)
	case "mosquitto":
		tr.mosquitto(file)
	case "redis":
		tr.serves("6379", "redis-server", file, "--dir", tr.dir, "--save", "")
	case "console":
		for _, c := range b.orders() {
			tr.typed(c)
		}
	case "text": // another one reads it
	default:
		tr.t.Errorf("nobody runs a block of %q:\n%s", b.kind, b.text)
	}
}

// serves starts a program that serves the port.
func (tr *trial) serves(port, name string, args ...string) {
	tr.t.Helper()
	need(tr.t, name)
	p := start(tr.t, nil, name, args...)
	eventually(tr.t, name+" listens", func() bool {
		select {
		case <-p.exited:
			tr.t.Fatalf("%s ended", name)
		default:
		}
		return answers(tr.address(port))
	})
}

// around writes a file that includes another: %[1]s is the folder, %[2]s the
// included, %[3]s the port in place of 443.
func (tr *trial) around(text, file string) string {
	return write(tr.t, tr.dir, "around", fmt.Appendf(nil, text, tr.dir, file, tr.port(door)))
}

const caddyAround = `
{
	admin off
	auto_https disable_redirects
	skip_install_trust
	default_bind 127.0.0.1
	storage file_system %[1]s/caddy
	https_port %[3]s
}
import %[2]s
`

// caddy has obtained its certificate before.
func (tr *trial) caddy(file string) {
	tr.t.Helper()
	dir := tr.folder(tr.dir + "/caddy/certificates/local/localhost")
	for ending, content := range map[string][]byte{
		".crt":  read(tr.t, tr.here(chain)),
		".key":  read(tr.t, tr.here(chainKey)),
		".json": []byte(`{"sans":["localhost"]}`),
	} {
		write(tr.t, dir, "localhost"+ending, content)
	}
	tr.t.Setenv("HOME", tr.dir)
	tr.serves(door, "caddy", "run", "--adapter", "caddyfile", "--config", tr.around(caddyAround, file))
}

// mosquitto has one user.
func (tr *trial) mosquitto(file string) {
	tr.t.Helper()
	need(tr.t, "mosquitto", "mosquitto_passwd", "mosquitto_pub", "mosquitto_sub")
	start(tr.t, nil, "mosquitto_passwd", "-b", "-c", tr.here("/etc/mosquitto/passwd"), "ann", "change-me").succeed()
	tr.serves("1883", "mosquitto", "-c", tr.around("user root\ninclude_dir %[2]s\n", filepath.Dir(file)))
}

// typed runs a command. What is shown of a line is its beginning. A command with
// & stays until the end.
func (tr *trial) typed(c order) {
	tr.t.Helper()
	line, says := tr.here(c.line), strings.Split(strings.TrimSuffix(tr.here(c.says), "\n"), "\n")
	line, stays := strings.CutSuffix(line, " &")
	p := start(tr.t, nil, "sh", "-c", "exec "+line)
	if stays {
		p.await(regexp.QuoteMeta(says[0]))
		return
	}
	p.wait()
	said := strings.Split(strings.TrimSuffix(p.out.String(), "\n"), "\n")
	for i := range max(len(said), len(says)) {
		if i >= len(said) || i >= len(says) || !strings.HasPrefix(said[i], says[i]) {
			tr.t.Errorf("$ %s\nsays\n%s\nthe page has\n%s", line, strings.Join(said, "\n"), strings.Join(says, "\n"))
			return
		}
	}
}

// trust is how a client speaks TLS here.
func (tr *trial) trust() *tls.Config {
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(read(tr.t, tr.authority))
	return &tls.Config{ServerName: "localhost", RootCAs: authorities}
}
