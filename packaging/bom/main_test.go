package main

import (
	"crypto/sha256"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBinary: the bill of a program that is made of this module names the
// module's parts and Go, and each comes with its licence.
func TestBinary(t *testing.T) {
	t.Chdir("../..")
	dir := t.TempDir()
	binary := filepath.Join(dir, "web")
	// A small one of those that need an outside module.
	if out, err := exec.Command("go", "build", "-o", binary, "./bench").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	bom, texts := filepath.Join(dir, "bom.json"), filepath.Join(dir, "LICENSES.txt")
	if err := run([]string{binary, "1.2.3", bom, texts}); err != nil {
		t.Fatal(err)
	}
	var b bill
	decode(t, bom, &b)
	if got := b.Metadata.Component.PURL; got != "pkg:golang/github.com/wsbridge/wsbridge@1.2.3" {
		t.Errorf("the bill is of %s", got)
	}
	for _, want := range []string{"pkg:golang/stdlib@", "pkg:golang/golang.org/x/sys@v"} {
		i := slices.IndexFunc(b.Components, func(c component) bool { return strings.HasPrefix(c.PURL, want) })
		if i < 0 {
			t.Errorf("the bill does not name %s", want)
			continue
		}
		if id := b.Components[i].Licenses[0].License.ID; id != "BSD-3-Clause" && id != "MIT" {
			t.Errorf("%s is under %s", want, id)
		}
	}
	content, err := os.ReadFile(texts)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(content), "golang.org/x/sys v") || !strings.Contains(string(content), "Redistributions in binary form") {
		t.Errorf("the licences are not all there:\n%.500s", content)
	}
}

// TestLock: what the pages are built with is not part of them.
func TestLock(t *testing.T) {
	got, err := parseLock([]byte(`{"lockfileVersion": 3, "packages": {
		"": {"name": "pages"},
		"node_modules/esbuild": {"version": "0.28.2", "dev": true, "license": "MIT"},
		"node_modules/@xterm/xterm": {"version": "6.0.0", "license": "MIT"},
		"node_modules/@novnc/novnc": {"version": "1.7.0", "license": "MPL-2.0"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"pkg:npm/%40novnc/novnc@1.7.0 MPL-2.0", "pkg:npm/%40xterm/xterm@6.0.0 MIT"}
	var said []string
	for _, p := range got {
		said = append(said, p.purl()+" "+p.license)
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}

// TestIdentify names the licences by their words, however they are wrapped.
func TestIdentify(t *testing.T) {
	for text, want := range map[string]string{
		"                 Apache License\n           Version 2.0, January 2004":     "Apache-2.0",
		"Mozilla Public License Version 2.0\n====":                                  "MPL-2.0",
		"Redistribution and use in source and\nbinary forms. Neither the name of X": "BSD-3-Clause",
		"Redistribution and use in source and\nbinary forms, with or without":       "BSD-2-Clause",
		"Permission is hereby granted,\nfree of charge, to any person":              "MIT",
		"All rights reserved": "",
	} {
		if got := identify(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// TestSerial: the bill's number is a UUID, another for each binary.
func TestSerial(t *testing.T) {
	one, other := serial(sha256.Sum256([]byte("1"))), serial(sha256.Sum256([]byte("2")))
	form := regexp.MustCompile(`^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if !form.MatchString(one) || one == other {
		t.Errorf("numbers %s and %s", one, other)
	}
}

func decode(t *testing.T, file string, v any) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, v); err != nil {
		t.Fatal(err)
	}
}
