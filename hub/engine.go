package hub

import (
	"context"
	"errors"
)

// ErrEngineDown says that a message reached the members here and nobody on
// other machines.
var ErrEngineDown = errors.New("the other machines cannot be reached")

// Engine carries bytes between the hubs of one name on several machines, at
// most once and without keeping any. A hub makes subjects of letters, digits,
// '-', '_' and '.', safe for any broker; the engine puts the hub's name in
// front. What is published never comes back to the hub that published it.
//
// Publish, Subscribe and Unsubscribe are called by one goroutine; what one
// engine publishes arrives at another in that order, over all subjects.
type Engine interface {
	// Start begins to deliver. receive is called by one goroutine, in order of
	// arrival, and may keep data; answer is nil unless somebody waits for one.
	Start(receive func(subject string, data []byte, answer func([]byte) error)) error
	Publish(subject string, data []byte) error
	Subscribe(subject string) error
	Unsubscribe(subject string) error
	// Ask publishes a question and hands over the answers, one at a time, until
	// each has enough or ctx ends, which is no error.
	Ask(ctx context.Context, subject string, question []byte, each func(answer []byte) (enough bool)) error
	// Up tells whether others can be reached now.
	Up() bool
	// MaxBytes is the largest data that can be published; 0: not known.
	MaxBytes() int
	// Close returns when nothing is delivered any more.
	Close()
}
