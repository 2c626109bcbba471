package wrap

import "syscall"

// failure is why a life could not start, told from one process to another.
type failure struct {
	Text        string
	Errno       syscall.Errno `json:",omitempty"`
	Unsupported bool          `json:",omitempty"` // binds cannot be moved here
}

func (f *failure) err() error {
	err := error(&toldError{f.Text, f.Errno})
	if f.Unsupported {
		err = unsupported(err)
	}
	return err
}

// toldError is text, and for errors.Is its cause.
type toldError struct {
	text  string
	errno syscall.Errno
}

func (e *toldError) Error() string { return e.text }

func (e *toldError) Unwrap() error {
	if e.errno == 0 {
		return nil
	}
	return e.errno
}
