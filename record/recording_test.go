package record

import (
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// disk is a file on a disk that has room for so much, and may be slow or hang.
type disk struct {
	room int
	slow time.Duration
	hang chan struct{} // nil: never

	mu     sync.Mutex
	data   []byte
	writes int
}

func (d *disk) WriteAt(p []byte, at int64) (int, error) {
	time.Sleep(d.slow)
	if d.hang != nil {
		<-d.hang
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes++
	n := max(0, min(len(p), d.room-int(at)))
	if grow := int(at) + n - len(d.data); grow > 0 {
		d.data = append(d.data, make([]byte, grow)...)
	}
	copy(d.data[at:], p[:n])
	if n < len(p) {
		return n, syscall.ENOSPC
	}
	return n, nil
}

func (d *disk) Truncate(size int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.data = d.data[:size]
	return nil
}

func (d *disk) Close() error { return nil }

func (d *disk) state() (data string, writes int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return string(d.data), d.writes
}

// record starts a recording on d.
func (d *disk) record(log *logBuffer) *recording {
	r := newRecording(0, log.logger())
	go r.run(func() (storage, error) { return d, nil })
	return r
}

const empty = header + terminator

// Whatever the room on the disk, what is there is a recording, of whole frames
// from the beginning on.
func TestAFullDiskLeavesAWholeRecording(t *testing.T) {
	lines := []string{"one", "two two", "three three three"}
	const all = len(empty + "'}0}one',\n'}0}two two',\n'}0}three three three',\n'}2000}four',\n'}2000}five',\n")
	for room := range all + 1 {
		synctest.Test(t, func(t *testing.T) {
			log, d := &logBuffer{}, &disk{room: room}
			r := d.record(log)
			for _, batch := range [][]string{lines, {"four", "five"}} {
				for _, line := range batch {
					r.add(true, []byte(line))
				}
				time.Sleep(2 * flushEvery)
			}
			r.close()
			got, _ := d.state()
			if len(got) > room {
				t.Fatalf("%d bytes in room for %d", len(got), room)
			}
			if room < len(empty) && got == "" {
				return // not even the header found room
			}
			if !strings.HasPrefix(got, header) || !strings.HasSuffix(got, "\n"+terminator) {
				t.Errorf("room %d: not whole: %q", room, got)
			}
			if (len(got) == all) != (room == all) {
				t.Errorf("room %d: %q", room, got)
			}
			if n := strings.Count(log.String(), "level=WARN"); n != 1 && room < all {
				t.Errorf("room %d: the log warns %d times, want once:\n%s", room, n, log)
			}
		})
	}
}

func TestWhatFitsOnAFullDiskIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, d := &logBuffer{}, &disk{room: 60}
		r := d.record(log)
		r.add(true, []byte("fits"))
		r.add(true, []byte(strings.Repeat("does not", 10)))
		r.close()
		got, _ := d.state()
		if want := header + "'}0}fits',\n" + terminator; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if !strings.Contains(log.String(), "no space left") {
			t.Errorf("the log does not say why: %s", log)
		}
	})
}

// The system's own full disk: it refuses even the end.
func TestTheDeviceFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		full, err = os.Open(os.DevNull) // a file that cannot be written, then
	}
	if err != nil {
		t.Fatal(err)
	}
	log := &logBuffer{}
	r := newRecording(0, log.logger())
	r.add(false, []byte("never written"))
	go r.run(func() (storage, error) { return full, nil })
	<-r.done
	r.add(false, []byte("nor this"))
	r.close()
	if n := strings.Count(log.String(), "a recording ends before its session"); n != 1 {
		t.Errorf("the log says %d times that the recording ended, want once:\n%s", n, log)
	}
}

func TestFramesWaitASecondForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{room: 1 << 20}
		r := d.record(&logBuffer{})
		synctest.Wait()
		for range 10 {
			r.add(false, []byte("x"))
			time.Sleep(flushEvery / 20)
		}
		if got, writes := d.state(); got != empty || writes != 1 {
			t.Errorf("%d writes after half a second: %q", writes, got)
		}
		time.Sleep(flushEvery)
		synctest.Wait()
		if got, writes := d.state(); strings.Count(got, "x") != 10 || writes != 2 {
			t.Errorf("%d writes after a second and a half: %q", writes, got)
		}
		time.Sleep(time.Hour)
		if _, writes := d.state(); writes != 2 {
			t.Errorf("%d writes with nothing to write", writes-2)
		}
		r.close()
	})
}

func TestManyFramesDoNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{room: 1 << 20}
		r := d.record(&logBuffer{})
		defer r.close()
		r.add(false, []byte(strings.Repeat("x", flushSize)))
		synctest.Wait()
		if got, _ := d.state(); len(got) < flushSize {
			t.Errorf("%d bytes of a large frame are written at once", len(got))
		}
	})
}

// A disk that hangs costs the session a second, once; the memory is bounded.
func TestAHangingDiskEndsTheRecording(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, d := &logBuffer{}, &disk{room: 1 << 30, hang: make(chan struct{})}
		r := d.record(log)
		began := time.Now()
		for range 100 {
			r.add(false, make([]byte, 64<<10))
		}
		if took := time.Since(began); took != patience {
			t.Errorf("the session waited %v, want %v", took, patience)
		}
		if n := len(r.pending); n > pendingMax {
			t.Errorf("%d bytes are pending, more than %d", n, pendingMax)
		}
		if n := strings.Count(log.String(), errTooSlow.Error()[:20]); n != 1 {
			t.Errorf("the log says %d times that the disk is slow, want once", n)
		}
		began = time.Now()
		r.close()
		if took := time.Since(began); took != patience {
			t.Errorf("Close waited %v, want %v", took, patience)
		}
		close(d.hang)
		<-r.done
		if got, _ := d.state(); !strings.HasSuffix(got, "\n"+terminator) {
			t.Errorf("when the disk came back, the file was not made whole")
		}
	})
}

// A disk that is only slow holds the session back, and loses nothing.
func TestASlowDiskHoldsTheSessionBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{room: 1 << 30, slow: patience / 2}
		r := d.record(&logBuffer{})
		const frames = 100
		for range frames {
			r.add(false, []byte(strings.Repeat("\x00", chunkMax)))
		}
		r.close()
		<-r.done
		if got, _ := d.state(); strings.Count(got, "\n") != frames+2 {
			t.Errorf("%d lines of %d frames", strings.Count(got, "\n"), frames)
		}
	})
}

func TestALongWriteMakesSeveralFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{room: 1 << 30}
		r := d.record(&logBuffer{})
		r.add(true, []byte(strings.Repeat("x", 2*chunkMax+1)))
		r.add(true, nil)
		r.close()
		got, _ := d.state()
		var sizes []int
		for _, f := range frames(t, NewReader(strings.NewReader(got), "recording")) {
			sizes = append(sizes, len(f.Data))
		}
		if diff := cmp.Diff([]int{chunkMax, chunkMax, 1}, sizes); diff != "" {
			t.Errorf("sizes (-want +got):\n%s", diff)
		}
	})
}

func TestTimesAreMillisecondsOfTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{room: 1 << 20}
		r := d.record(&logBuffer{})
		r.add(false, []byte("a"))
		time.Sleep(1999 * time.Microsecond)
		r.add(true, []byte("b"))
		time.Sleep(time.Hour)
		r.add(false, []byte("c"))
		r.close()
		got, _ := d.state()
		if want := header + "'{0{a',\n'}1}b',\n'{3600001{c',\n" + terminator; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}
