//go:build !linux

package passthrough

import "errors"

// splice is Linux's alone.
func (s *side) splice() error { return errors.ErrUnsupported }

type pipes struct{}
