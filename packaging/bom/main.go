// Command bom tells what a binary is made of, from the record that the Go
// linker left in it: a bill of materials in CycloneDX's JSON, and the licences
// that must go along with the binary.
//
//	bom BINARY VERSION OUT.cdx.json OUT-LICENSES.txt
//
// It runs at the top of the source tree, whose module cache and package-lock
// files it reads. The same binary gives the same files.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	pagesLock     = "web/pages/ui/package-lock.json"
	pagesLicenses = "web/pages/dist/LICENSES.txt"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bom:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 4 {
		return errors.New("want a binary, its version, and the names of two files to write")
	}
	binary, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	parts, err := partsOf(args[0])
	if err != nil {
		return err
	}
	bill, err := json.MarshalIndent(newBill(args[1], sha256.Sum256(binary), parts), "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(args[2], append(bill, '\n'), 0o644),
		os.WriteFile(args[3], []byte(licenses(parts)), 0o644),
	)
}

// part is something that others wrote.
type part struct {
	ecosystem     string // of a package URL: golang or npm
	name, version string
	license       string // SPDX's name for it
	text          string // of its licence and notices; empty: elsewhere
}

// partsOf are Go itself, the modules of the binary, and what its pages have of
// npm's.
func partsOf(binary string) ([]part, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	all, err := goItself(info.GoVersion)
	if err != nil {
		return nil, err
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		dir, err := moduleDir(m.Path)
		if err != nil {
			return nil, err
		}
		p, err := newPart(m.Path, m.Version, dir)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	pages, err := npmParts(pagesLock, pagesLicenses)
	return append(all, pages...), err
}

func goItself(version string) ([]part, error) {
	if version != runtime.Version() {
		return nil, fmt.Errorf("the binary is of %s, this is %s", version, runtime.Version())
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	p, err := newPart("stdlib", strings.TrimPrefix(version, "go"), strings.TrimSpace(string(root)))
	return []part{p}, err
}

func moduleDir(path string) (string, error) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", path).Output()
	if err != nil {
		return "", fmt.Errorf("go list -m %s: %w", path, err)
	}
	return strings.TrimSpace(string(dir)), nil
}

// newPart reads the licence that dir has; to have none is an error.
func newPart(name, version, dir string) (part, error) {
	p := part{ecosystem: "golang", name: name, version: version}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return p, err
	}
	for _, e := range entries {
		if !isLicense(e.Name()) || e.IsDir() {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return p, err
		}
		p.text += strings.TrimSpace(string(text)) + "\n"
	}
	if p.license = identify(p.text); p.license == "" {
		return p, fmt.Errorf("%s: no licence that is known", name)
	}
	return p, nil
}

func isLicense(file string) bool {
	stem, _, _ := strings.Cut(strings.ToUpper(file), ".")
	switch stem {
	case "LICENSE", "LICENCE", "COPYING", "NOTICE", "PATENTS":
		return true
	}
	return false
}

// identify gives SPDX's name of the licence that text begins with or holds, in
// whatever case.
func identify(text string) string {
	words := strings.ToLower(strings.Join(strings.Fields(text), " "))
	for _, known := range []struct{ sign, name string }{
		{"Apache License Version 2.0", "Apache-2.0"},
		{"Mozilla Public License Version 2.0", "MPL-2.0"},
		{"Neither the name of", "BSD-3-Clause"},
		{"Redistribution and use in source and binary forms", "BSD-2-Clause"},
		{"Permission is hereby granted, free of charge", "MIT"},
		{"Permission to use, copy, modify, and/or distribute", "ISC"},
	} {
		if strings.Contains(words, strings.ToLower(known.sign)) {
			return known.name
		}
	}
	return ""
}

// npmParts are the packages of a lock file that a build does not only use but
// ships, with the licences that the build has gathered. Without pages there are
// none.
func npmParts(lock, texts string) ([]part, error) {
	text, err := os.ReadFile(texts)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	content, err := os.ReadFile(lock)
	if err != nil {
		return nil, err
	}
	all, err := parseLock(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", lock, err)
	}
	if len(all) > 0 {
		all[0].text = string(text)
	}
	return all, nil
}

// licenses is all texts, each below what it is the licence of.
func licenses(parts []part) string {
	var b strings.Builder
	b.WriteString("wsbridge is under the licence in LICENSE. It holds parts of others:\n")
	for _, p := range parts {
		fmt.Fprintf(&b, "\n%s\n%s %s (%s)\n", strings.Repeat("-", 72), p.name, p.version, p.license)
		if p.text != "" {
			fmt.Fprintf(&b, "\n%s", p.text)
		}
	}
	return b.String()
}

func hexOf(sum [sha256.Size]byte) string { return hex.EncodeToString(sum[:]) }
