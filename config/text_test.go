package config

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// With -update the golden files are written from the table:
//
//	go test ./config -run Golden -update
var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("%s (-file +table); -update writes it:\n%s", name, d)
	}
}

func TestGoldenHelp(t *testing.T) { golden(t, "testdata/help.txt", Help()) }

func TestGoldenReference(t *testing.T) { golden(t, "reference.yaml", Reference()) }

func TestHelpFitsTheTerminal(t *testing.T) {
	for line := range strings.Lines(Help()) {
		if len(strings.TrimSpace(line)) > helpWidth {
			t.Errorf("longer than %d: %s", helpWidth, line)
		}
	}
}

// The reference file with every key uncommented says what no file says.
func TestReferenceIsTheDefaults(t *testing.T) {
	key := regexp.MustCompile(`(?m)^#([a-z0-9-]+:)`)
	text := key.ReplaceAllString(Reference(), "$1")
	got, err := parse(t, words("--config r.yaml 6080 localhost:5900"), nil, map[string]string{"r.yaml": text})
	if err != nil {
		t.Fatal(err)
	}
	want := plain()
	want.File = "r.yaml"
	same(t, want, got)
	for _, o := range newTable(new(Config)) {
		if o.FileKey() != "" && o.Long != "listen" && o.Long != "target" && got.Origin(o.Long).Source != File {
			t.Errorf("key %s is not in the reference file", o.Long)
		}
	}
}

// The keys of a route as the reference has them, uncommented, are a route.
func TestReferenceHasARoute(t *testing.T) {
	_, below, ok := strings.Cut(Reference(), "#routes: []\n")
	text := "routes:\n" + regexp.MustCompile(`(?m)^# ?`).ReplaceAllString(below, "")
	text = strings.NewReplacer(`path: ""`, "path: /chat", `target: ""`, "target: ws://127.0.0.1:5000/x").Replace(text)
	c, err := parse(t, words("--config r.yaml 6080"), nil, map[string]string{"r.yaml": text})
	if !ok || err != nil {
		t.Fatalf("%v of\n%s", err, text)
	}
	want := route(func(*Route) {})
	if d := cmp.Diff([]Route{want}, c.Routes, cmpopts.IgnoreUnexported(Route{}), cmpopts.IgnoreFields(Route{}, "Place"), cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
	for _, o := range Routing() {
		if c.Routes[0].origins[o.Long].Source != File {
			t.Errorf("key %s of a route is not in the reference file", o.Long)
		}
	}
}

// Every row can be read by every reader of the table.
func TestTableIsWhole(t *testing.T) {
	seen := make(map[string]bool)
	for _, o := range newTable(new(Config)) {
		if o.Help == "" || o.Metavar == "" != o.isSwitch() || seen[o.Long] {
			t.Errorf("row %+v: no help, a metavar on a switch or none elsewhere, or twice", o)
		}
		seen[o.Long] = true
		if o.Default != "" {
			if err := o.set(o.Default, false); err != nil {
				t.Errorf("default of --%s: %v", o.Long, err)
			}
		}
	}
}

func TestNearest(t *testing.T) {
	for _, test := range []struct{ word, want string }{
		{"dmeo", "demo"}, {"dem", "demo"}, {"verison", "version"}, {"completoin", "completion"},
		{"xyz", ""}, {"", ""}, {strings.Repeat("demo", 20), ""},
	} {
		if got := nearest(test.word, commands); got != test.want {
			t.Errorf("nearest(%q) = %q, want %q", test.word, got, test.want)
		}
	}
}
