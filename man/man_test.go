package man

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wsbridge/wsbridge/config"
)

func TestCommittedPagesAreThesePages(t *testing.T) {
	for section, page := range map[string]string{"1": Page(), "5": FilePage()} {
		name := "wsbridge." + section
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(file), page); d != "" {
			t.Errorf("%s (-file +page); go run ./cmd/wsbridge man %s > man/%s writes it:\n%s", name, section, name, d)
		}
	}
}

// What a person sees in the page: every option, as it is typed.
func TestEveryOptionIsShown(t *testing.T) {
	text := mandoc(t, Page(), "-T", "utf8", "-O", "width=200")
	for _, s := range config.Sections() {
		for _, o := range s.Options {
			head := "--" + o.Long
			if o.Short != "" {
				head = "-" + o.Short + ", " + head
			}
			if o.Metavar != "" {
				head += " " + strings.ReplaceAll(o.Metavar, "|", " | ")
			}
			if !strings.Contains(text, "\n     "+head) {
				t.Errorf("the page does not show %q", head)
			}
			if !strings.Contains(text, sentence(o.Help)) {
				t.Errorf("the page does not say %q", o.Help)
			}
		}
	}
}

// Every key of a file and of a route is shown as it is written there, and
// nothing else is shown as a key.
func TestEveryKeyIsShown(t *testing.T) {
	text := mandoc(t, FilePage(), "-T", "utf8", "-O", "width=200")
	shown := map[string]bool{}
	for _, found := range regexp.MustCompile(`(?m)^     ([a-z0-9_-]+): `).FindAllStringSubmatch(text, -1) {
		shown[found[1]] = true
	}
	want := map[string]bool{"include": true}
	known := func(options []config.Option, joint string) {
		for _, o := range options {
			if o.FileKey() == "" {
				continue
			}
			want[strings.ReplaceAll(o.FileKey(), "-", joint)] = true
			if !strings.Contains(text, sentence(o.Help)) {
				t.Errorf("the page does not say %q", o.Help)
			}
		}
	}
	for _, s := range config.Sections() {
		known(s.Options, "-")
	}
	known(config.Routing(), "_")
	if d := cmp.Diff(want, shown); d != "" {
		t.Errorf("keys (-table +page):\n%s", d)
	}
}

// TestTheExampleIsRead: the page's last literal part is a file of ours, but for
// what it names.
func TestTheExampleIsRead(t *testing.T) {
	_, example, _ := strings.Cut(FilePage(), ".Bd -literal -offset indent\n")
	example, _, _ = strings.Cut(example, ".Ed")
	t.Chdir(t.TempDir())
	secret := filepath.Join(t.TempDir(), "key-password")
	if err := os.WriteFile(secret, []byte("pw\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	example = strings.NewReplacer("/usr/share/novnc", ".", "/run/secrets/redis", secret, "/etc/wsbridge/chain.pem", secret).Replace(example)
	if err := os.WriteFile("f.yaml", []byte(example), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse([]string{"--config", "f.yaml"}, []string{"CREDENTIALS_DIRECTORY=" + filepath.Dir(secret)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.KeyPassword != "pw" || c.TokenSource != "redis://bridge:pw@db:6379/0" || len(c.Routes) != 1 {
		t.Errorf("%+v", c)
	}
}

func TestPagesAreCleanMdoc(t *testing.T) {
	for _, page := range []string{Page(), FilePage()} {
		if text := mandoc(t, page, "-T", "lint", "-W", "warning"); text != "" {
			t.Error(text)
		}
	}
}

// mandoc is a page put through mandoc(1), without overstriking.
func mandoc(t *testing.T, page string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("mandoc"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("mandoc is not installed")
	}
	cmd := exec.Command("mandoc", args...)
	cmd.Stdin = strings.NewReader(page)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("mandoc: %v\n%s", err, out)
	}
	return plain(string(out))
}

// plain undoes bold and underlined: a backspace takes the character before it.
func plain(text string) string {
	var out []rune
	for _, r := range text {
		if r == '\b' && len(out) > 0 {
			out = out[:len(out)-1]
			continue
		}
		out = append(out, r)
	}
	return string(out)
}
