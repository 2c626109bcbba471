package man

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wsbridge/wsbridge/config"
)

func TestCommittedPageIsThisPage(t *testing.T) {
	file, err := os.ReadFile("wsbridge.1")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(file), Page()); d != "" {
		t.Errorf("wsbridge.1 (-file +page); go run ./cmd/wsbridge man > man/wsbridge.1 writes it:\n%s", d)
	}
}

// What a person sees in the page: every option, as it is typed.
func TestEveryOptionIsShown(t *testing.T) {
	text := mandoc(t, "-T", "utf8", "-O", "width=200")
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

func TestPageIsCleanMdoc(t *testing.T) {
	if text := mandoc(t, "-T", "lint", "-W", "warning"); text != "" {
		t.Error(text)
	}
}

// mandoc is the page put through mandoc(1), without overstriking.
func mandoc(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("mandoc"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("mandoc is not installed")
	}
	cmd := exec.Command("mandoc", args...)
	cmd.Stdin = strings.NewReader(Page())
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
