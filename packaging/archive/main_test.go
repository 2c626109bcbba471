package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestSame: two folders with the same files, made at other times and with other
// permissions for the group, make the same archives.
func TestSame(t *testing.T) {
	first := folder(t, 0o644, 0o755, time.Unix(1_000_000_000, 0))
	second := folder(t, 0o600, 0o700, time.Unix(1_700_000_000, 0))
	for _, kind := range []string{".tar.gz", ".zip"} {
		if !bytes.Equal(packed(t, first, kind), packed(t, second, kind)) {
			t.Errorf("%s: two archives of the same files differ", kind)
		}
	}
}

// TestContents: an archive has one folder with all files, and programs in it
// can be run.
func TestContents(t *testing.T) {
	want := map[string]string{"wsbridge-1/man/page.1": "-rw-r--r-- page", "wsbridge-1/wsbridge": "-rwxr-xr-x program"}
	dir := folder(t, 0o600, 0o700, time.Now())
	if diff := cmp.Diff(want, readTar(t, packed(t, dir, ".tar.gz"))); diff != "" {
		t.Errorf("tar (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, readZip(t, packed(t, dir, ".zip"))); diff != "" {
		t.Errorf("zip (-want +got):\n%s", diff)
	}
}

func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args  []string
		epoch string
		want  string
	}{
		{nil, "", "want the archive's name and a folder"},
		{[]string{filepath.Join(dir, "a.zip"), dir}, "today", `SOURCE_DATE_EPOCH "today" is no number of seconds`},
	} {
		if err := run(c.args, c.epoch); err == nil || err.Error() != c.want {
			t.Errorf("archive %q: %v, want %s", c.args, err, c.want)
		}
	}
	if err := run([]string{filepath.Join(dir, "a.rar"), dir}, ""); err == nil {
		t.Error("an archive of an unknown kind was made")
	}
}

func folder(t *testing.T, mode, program os.FileMode, at time.Time) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "wsbridge-1")
	if err := os.MkdirAll(filepath.Join(dir, "man"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]struct {
		text string
		mode os.FileMode
	}{"wsbridge": {"program", program}, "man/page.1": {"page", mode}} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(f.text), f.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func packed(t *testing.T, dir, kind string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "a"+kind)
	if err := run([]string{out, dir}, "1600000000"); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func readTar(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	plain, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for r := tar.NewReader(plain); ; {
		header, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = header.FileInfo().Mode().String() + " " + string(content)
	}
}

func readZip(t *testing.T, archive []byte) map[string]string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range r.File {
		content, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = f.Mode().String() + " " + string(text)
	}
	return files
}
