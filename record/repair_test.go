package record

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A crash, at any byte.
func TestRepairAfterACrashAnywhere(t *testing.T) {
	for _, recording := range []string{
		"var VNC_frame_data = [\n'{0{RFB\\x00',\n'}12}it\\'s \\'EOF\\'];\\n',\n'{300{\\\\',\n'EOF'];\n",
		"let VNC_frame_data = [\n'{0{\\x52',\n'}3}y',\n'EOF'];\n",
		"var VNC_frame_encoding = 'base64';\nvar VNC_frame_data = [\n'{0{UkZC',\n'}3}aGk=',\n'EOF'];\n",
	} {
		start := strings.Index(recording, "[") + 1
		name := filepath.Join(t.TempDir(), "session.1")
		for cut := range len(recording) + 1 {
			if cut < start && !strings.HasPrefix(header, recording[:cut]) {
				continue // TestRepairLeavesOtherFilesAlone
			}
			want := wholeFrames(recording[:cut])
			os.WriteFile(name, []byte(recording[:cut]), 0o600)
			repaired, err := Repair(name)
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			got := readFile(t, name)
			if repaired != (got != recording[:cut]) {
				t.Errorf("cut at %d: Repair says %v of\n%q to\n%q", cut, repaired, recording[:cut], got)
			}
			r := NewReader(strings.NewReader(got), "repaired")
			if n := len(frames(t, r)); n != want || r.Cut() {
				t.Errorf("cut at %d: %d frames, want %d, in %q", cut, n, want, got)
			}
			if again, err := Repair(name); again || err != nil {
				t.Errorf("cut at %d: repaired again: %v %v", cut, again, err)
			}
		}
	}
}

// wholeFrames counts lines that end in a quote and a comma.
func wholeFrames(recording string) (n int) {
	for line := range strings.Lines(recording) {
		if line = strings.TrimSuffix(line, "\n"); strings.HasPrefix(line, "'") && strings.HasSuffix(line, "',") {
			n++
		}
	}
	return n
}

func TestRepairLeavesOtherFilesAlone(t *testing.T) {
	for _, content := range []string{
		"a letter",
		"var VNC_frame_encoding = 'base",
		"let VNC",
		"var VNC_frame_data = [\n'{0{x',\nsurprise",
		"var VNC_frame_data = ['{0{x','EOF']", // whole, if odd
	} {
		name := filepath.Join(t.TempDir(), "file")
		os.WriteFile(name, []byte(content), 0o600)
		if repaired, err := Repair(name); repaired {
			t.Errorf("%q was repaired (%v) to %q", content, err, readFile(t, name))
		}
		if got := readFile(t, name); got != content {
			t.Errorf("%q became %q", content, got)
		}
	}
	if _, err := Repair(t.TempDir()); err == nil {
		t.Error("a directory was repaired")
	}
	if _, err := Repair(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestStartSaysWhyNothingCanBeRecorded(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	os.WriteFile(file, nil, 0o600)
	for prefix, want := range map[string]string{
		dir + "/none/session":             "create it first",
		dir + "/":                         "not a directory: say " + filepath.Join(dir, "session"),
		filepath.Join(file, "recordings"): "choose another",
	} {
		err := (&Recorder{Prefix: prefix}).Start()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", prefix, err, want)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("Start left files behind: %v", left)
	}
}

func TestStartEndsWhatACrashLeftAndNothingElse(t *testing.T) {
	r, log := newRecorder(t)
	files := map[string]string{
		".1":    "var VNC_frame_data = [\n'{0{whole',\n'EOF'];\n",
		".2":    "var VNC_frame_data = [\n'{0{whole',\n'{1{ha",
		".3":    "somebody's letters",
		".2.js": "var VNC_frame_data = [\n'{0{not ours",
		".-4":   "var VNC_frame_data = [\n'{0{not ours",
	}
	for name, content := range files {
		if err := os.WriteFile(r.Prefix+name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	files[".2"] = files[".1"]
	for name, want := range files {
		if got := readFile(t, r.Prefix+name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(log.String(), `"gave an old recording its end" file=`+r.Prefix+".2") {
		t.Errorf("the log does not say what was repaired")
	}
	if !strings.Contains(log.String(), r.Prefix+".3:1: not a recording") {
		t.Errorf("the log does not say what could not be read")
	}
}

// A second program starts, or the first reads its configuration anew.
func TestStartLeavesLiveRecordingsAlone(t *testing.T) {
	r, log := newRecorder(t)
	target, service := pair(t, r)
	say(t, target, service, "before")
	waitFor(t, "the file", func() bool { _, err := os.Stat(r.Prefix + ".1"); return err == nil })
	// as if caught in the middle of a write
	waitFor(t, "the header", func() bool { return strings.HasPrefix(readFile(t, r.Prefix+".1"), header) })
	if err := os.Truncate(r.Prefix+".1", 10); err != nil {
		t.Fatal(err)
	}
	if err := (&Recorder{Prefix: r.Prefix, Log: r.Log}).Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := Repair(r.Prefix + ".1"); !errors.Is(err, ErrInUse) {
		t.Errorf("Repair of a live recording: %v, want ErrInUse", err)
	}
	if got := readFile(t, r.Prefix+".1"); len(got) == len(header+terminator) {
		t.Errorf("a live recording was repaired: %q", got)
	}
	target.Close()
	if strings.Contains(log.String(), "gave an old recording its end") {
		t.Error("the log says that a live recording was repaired")
	}
	if _, err := Repair(r.Prefix + ".1"); errors.Is(err, ErrInUse) {
		t.Error("a recording that is closed still counts as live")
	}
}
