package sandbox

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLeave: which folders are left for the names that people write.
func TestLeave(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	lay(t, at("etc/bridge.yaml"), at("live/unused"), at("archive/chain1.pem"), at("releases/42/index.html"))
	link(t, "../archive/chain1.pem", at("live/chain.pem"))
	link(t, at("releases/42"), at("current"))
	t.Chdir(at("etc"))

	for _, c := range []struct {
		about string
		names []string
		want  names
	}{
		{"a file, whose folder is left", []string{at("etc/bridge.yaml")}, names{folders: []string{at("etc")}}},
		{"a file of the working folder", []string{"bridge.yaml"}, names{folders: []string{at("etc")}}},
		{"a file to come", []string{at("etc/self.pem")}, names{folders: []string{at("etc")}}},
		{"a file of a folder to come", []string{at("none/self.pem")}, names{}},
		{"a folder", []string{at("releases/42")}, names{folders: []string{at("releases/42")}}},
		{"the same place twice", []string{at("etc/a"), at("etc/b"), at("etc")}, names{folders: []string{at("etc")}}},
		{"a link to a file, as certbot makes", []string{at("live/chain.pem")}, names{folders: []string{at("archive"), at("live")}}},
		{"a link to a folder that may be changed", []string{at("current")}, names{folders: []string{dir, at("current"), at("releases/42")}}},
		{"a file in the root, whose folder is everything", []string{root() + "bridge.yaml"}, names{files: []string{root() + "bridge.yaml"}}},
		{"none", nil, names{}},
	} {
		got := leave(c.names)
		if diff := cmp.Diff(c.want, names{nilIfEmpty(got.folders), nilIfEmpty(got.files)}, cmp.AllowUnexported(names{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.about, diff)
		}
	}
}

// root is / or the disk's.
func root() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return filepath.VolumeName(dir) + string(filepath.Separator)
}

func nilIfEmpty(s []string) []string {
	if len(s) == 0 {
		return nil
	}
	return s
}

// lay makes files, each with its own name in it.
func lay(t *testing.T, files ...string) {
	t.Helper()
	for _, name := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(filepath.Base(name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func link(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
}
