package main

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const good = "7 (a) b) c) S 1 7 7 0 -1 4194560 1 2 3 4 11 22 33 44 20 0 1 0 100 0 0"
	own, reaped, err := parseStat([]byte(good))
	if own != 330*time.Millisecond || reaped != 770*time.Millisecond || err != nil {
		t.Errorf("own %v, reaped %v, error %v; want 330ms, 770ms, nil", own, reaped, err)
	}
	for _, bad := range []string{"", "7 (a) S 1", "7 (a) S 1 7 7 0 -1 4194560 1 2 3 4 11 x 33 44 20"} {
		if _, _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// A child's clock is in the sum while it lives, and what it used once it is reaped.
func TestReadCPUCountsChildren(t *testing.T) {
	const script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; read line"
	child := exec.Command("sh", "-c", script)
	in, _ := child.StdinPipe()
	out, _ := child.StdoutPipe()
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Process.Kill()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if tree := processTree(os.Getpid()); !slices.Contains(tree, child.Process.Pid) {
		t.Errorf("tree %v is without the child %d", tree, child.Process.Pid)
	}
	alone, err := readProcessCPU(child.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	self, _ := readProcessCPU(os.Getpid())
	both, err := readCPU(os.Getpid())
	if err != nil || alone.clock <= 0 || both.clock < self.clock+alone.clock || both.processes < 2 {
		t.Errorf("child %v, self %v, tree %+v, error %v", alone.clock, self.clock, both, err)
	}
	in.Close()
	child.Wait()
	after, err := readProcessCPU(os.Getpid())
	if used := child.ProcessState.UserTime() + child.ProcessState.SystemTime(); err != nil || after.stat < used-2*tick {
		t.Errorf("after the child's %v: %+v, error %v", used, after, err)
	}
	if _, err := readCPU(child.Process.Pid); err == nil {
		t.Error("a process that is gone has a clock")
	}
}
