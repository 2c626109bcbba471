//go:build linux

package main

import (
	"errors"
	"os"
	"strings"
)

// The block of a Markdown file that the bench writes.
const (
	blockBegin = "<!-- bench: begin -->\n"
	blockEnd   = "<!-- bench: end -->\n"
)

// saveBlock puts text between the marks in file; a new file gets marks and text only.
func saveBlock(file, text string) error {
	old, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		old, err = []byte(blockBegin+blockEnd), nil
	}
	if err != nil {
		return err
	}
	page, err := replaceBlock(string(old), text)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(page), 0o644)
}

func replaceBlock(page, text string) (string, error) {
	before, rest, begun := strings.Cut(page, blockBegin)
	_, after, ended := strings.Cut(rest, blockEnd)
	if !begun || !ended {
		return "", errors.New("no " + strings.TrimSpace(blockBegin) + " ... " + strings.TrimSpace(blockEnd) + " in the file")
	}
	return before + blockBegin + text + blockEnd + after, nil
}
