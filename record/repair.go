package record

import (
	"errors"
	"fmt"
	"io"
)

// ErrInUse says that a recording is still being written.
var ErrInUse = errors.New("the recording is in use")

// Repair gives a recording the end it lacks, after its last whole line, so
// that noVNC plays it, and reports whether that was needed. It leaves a file
// alone that is no recording, and one that is still written to: ErrInUse.
func Repair(name string) (repaired bool, err error) {
	f, err := openAlone(name)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if !info.Mode().IsRegular() {
		return false, fmt.Errorf("%s is not a file", name)
	}
	if ended(f, info.Size()) {
		return false, nil
	}
	whole, err := lastWhole(f, name)
	if err != nil || whole < 0 {
		return false, err
	}
	return true, giveEnd(f, whole)
}

// ended reports whether the last line is the terminator, as it is in all but
// odd recordings. No line inside a recording can be.
func ended(f io.ReaderAt, size int64) bool {
	const last = "\n" + terminator
	var b [len(last)]byte
	_, err := f.ReadAt(b[:], max(size-int64(len(b)), 0))
	return err == nil && string(b[:]) == last
}

// lastWhole returns where the last whole frame of a recording ends, or -1 if
// the recording does not break off.
func lastWhole(f io.Reader, name string) (int64, error) {
	r := NewReader(f, name)
	for {
		switch _, err := r.Next(); {
		case err == nil:
		case err != io.EOF:
			return 0, err
		case r.Cut():
			return r.whole, nil
		default:
			return -1, nil
		}
	}
}

// giveEnd cuts f at whole, and puts there what it lacks. In this order, what
// was cut off never stands behind an end.
func giveEnd(f storage, whole int64) error {
	if err := f.Truncate(whole); err != nil {
		return err
	}
	lead := "\n"
	if whole == 0 {
		lead = header
	}
	return (&tail{f, whole}).append([]byte(lead))
}
