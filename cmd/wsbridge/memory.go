package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/wsbridge/wsbridge/access"
	"github.com/wsbridge/wsbridge/config"
	"github.com/wsbridge/wsbridge/memory"
)

// leastMemory is about what a bridge takes that nobody uses.
const leastMemory = 16 << 20

// boundMemory gives the process its memory limit, if it has one.
func (s *service) boundMemory() error {
	limit, err := memoryLimit(s.config.MemoryLimit)
	if err != nil || limit.Bytes == 0 {
		return err
	}
	s.gauge = memory.NewGauge(limit, os.DirFS("/"))
	s.summary.memory = limit
	return nil
}

// memoryLimit is what an option asks for, which may be nothing.
func memoryLimit(option string) (memory.Limit, error) {
	switch option {
	case "off":
		return memory.Limit{}, nil
	case "":
		if limit := memory.OfEnvironment(); limit.Bytes > 0 {
			return limit, nil
		}
		return memory.OfCgroup(os.DirFS("/")), nil
	}
	n, err := access.ParseBytes(option)
	if err == nil && n < leastMemory {
		err = errors.New("a bridge takes 16M by itself")
	}
	if err != nil {
		return memory.Limit{}, &config.UsageError{Msg: "--memory-limit: " + err.Error(), Hint: "write 512M, 2G or off"}
	}
	return memory.Limit{Bytes: n, From: "--memory-limit"}, nil
}

// memoryLine is the summary's.
func memoryLine(limit memory.Limit) string {
	return fmt.Sprintf("  - Memory limit %d MB, by %s", limit.Bytes>>20, limit.From)
}
