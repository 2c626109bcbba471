//go:build linux

package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// recipe is a section of a page in docs/recipes: what its blocks say is set up
// together.
type recipe struct {
	text   string
	blocks []block
}

// block is a fenced one.
type block struct {
	kind string // behind the fence: yaml, nginx, console
	file string // that its first line names, empty for console
	text string
}

var (
	fenced  = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	named   = regexp.MustCompile(`\A# (/\S+)\n`)
	openURL = regexp.MustCompile("In a browser[^`]*`(https://[^`]+)`")
)

// recipes reads all pages. A recipe is called by its page and section.
func recipes(t *testing.T) map[string]recipe {
	t.Helper()
	pages, err := filepath.Glob("../docs/recipes/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no recipes: %v", err)
	}
	all := map[string]recipe{}
	for _, page := range pages {
		maps.Copy(all, readPage(t, filepath.Base(page), string(read(t, page))))
	}
	return all
}

func readPage(t *testing.T, page, text string) map[string]recipe {
	t.Helper()
	for _, line := range strings.Split(fenced.ReplaceAllString(text, ""), "\n") {
		if strings.HasPrefix(line, "    ") || strings.Contains(line, "```") {
			t.Errorf("%s: nobody runs %q: put it into a fenced block", page, line)
		}
	}
	found := map[string]recipe{}
	for _, section := range strings.Split("\n"+text, "\n## ") {
		title, _, _ := strings.Cut(section, "\n")
		if r := (recipe{section, readBlocks(t, page, section)}); len(r.blocks) > 0 {
			found[page+": "+title] = r
		}
	}
	return found
}

func readBlocks(t *testing.T, page, section string) (blocks []block) {
	t.Helper()
	for _, m := range fenced.FindAllStringSubmatch(section, -1) {
		b := block{kind: m[1], text: m[2]}
		if name := named.FindStringSubmatch(b.text); name != nil {
			b.file = name[1]
		} else if b.kind != "console" {
			t.Errorf("%s: the first line of a block names no file:\n%s", page, b.text)
		}
		blocks = append(blocks, b)
	}
	return blocks
}

// order is a command of a console block, and what it says.
type order struct{ line, says string }

func (b block) orders() (all []order) {
	for _, part := range strings.Split("\n"+b.text, "\n$ ")[1:] {
		line, says, _ := strings.Cut(part, "\n")
		all = append(all, order{line, says})
	}
	return all
}

// TestRecipesAreListed: the index leads to every page.
func TestRecipesAreListed(t *testing.T) {
	index := string(read(t, "../docs/recipes/README.md"))
	pages, err := os.ReadDir("../docs/recipes")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if name := page.Name(); name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("README.md has no link to %s", name)
		}
	}
}

// TestRecipesLeadSomewhere: links inside the repository have an end.
func TestRecipesLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob("../docs/recipes/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`).FindAllStringSubmatch(string(read(t, page)), -1) {
			if end := filepath.Join("../docs/recipes", m[1]); !have("./" + end) {
				t.Errorf("%s leads to %s, which is not there", page, end)
			} else if m[2] != "" && !slices.Contains(anchors(string(read(t, end))), m[2]) {
				t.Errorf("%s: %s has no heading %s", page, end, m[2])
			}
		}
	}
}

// anchors are the headings of a page as links name them.
func anchors(text string) (all []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		words := regexp.MustCompile(`[^\w -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		all = append(all, "#"+strings.ReplaceAll(words, " ", "-"))
	}
	return all
}
