package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	maxPrograms = 16
	maxStderr   = 1024            // bytes of it that are logged
	pipeGrace   = time.Second / 2 // for the pipes of a program that is gone
)

// program is the plugin exec.
type program struct {
	noClose
	argv  []string
	slots chan struct{}
}

func newProgram(source string) (asker, error) {
	argv, err := words(source)
	if err != nil {
		return nil, err
	}
	if len(argv) == 0 {
		return nil, errors.New("the program is missing: write exec:PROGRAM ARGUMENTS")
	}
	if argv[0], err = exec.LookPath(argv[0]); err == nil {
		argv[0], err = filepath.Abs(argv[0])
	}
	if err != nil {
		return nil, err
	}
	return &program{argv: argv, slots: make(chan struct{}, maxPrograms)}, nil
}

func (p *program) ask(r *http.Request, q []byte, token string) ([]byte, error) {
	ctx := r.Context()
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, noAnswer(ctx, ctx.Err())
	}
	stdout, stderr := &capture{limit: maxAnswer, strict: true}, &capture{limit: maxStderr + maxToken}
	cmd := exec.CommandContext(ctx, p.argv[0], p.argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(q), stdout, stderr
	cmd.WaitDelay = pipeGrace
	ownGroup(cmd)
	err := cmd.Run()
	return stdout.data, verdict(ctx, err, stdout, stderr.hiding(token))
}

// verdict is what a program's end means.
func verdict(ctx context.Context, err error, stdout *capture, stderr string) error {
	var exit *exec.ExitError
	switch {
	case stdout.overflow:
		return errors.New("the program said too much")
	case ctx.Err() != nil:
		return noAnswer(ctx, err)
	case err == nil:
		return nil
	case errors.As(err, &exit) && exit.ExitCode() == 1:
		return errNo
	}
	return fmt.Errorf("the program failed: %w: %q", err, stderr)
}

// capture keeps the first limit bytes written; a strict one takes no more.
type capture struct {
	data     []byte
	limit    int
	strict   bool
	overflow bool
}

func (c *capture) Write(b []byte) (int, error) {
	n := min(len(b), c.limit-len(c.data))
	c.data = append(c.data, b[:n]...)
	c.overflow = c.overflow || n < len(b)
	if c.overflow && c.strict {
		return n, errTooLong
	}
	return len(b), nil
}

// hiding is the beginning of what was kept, less a token that the program has
// repeated. (A token that begins there was kept whole.)
func (c *capture) hiding(token string) string {
	text := string(c.data)
	if token != "" {
		inJSON, _ := json.Marshal(token)
		escaped := string(inJSON[1 : len(inJSON)-1])
		text = strings.NewReplacer(token, "(the token)", escaped, "(the token)").Replace(text)
	}
	return strings.TrimSpace(text[:min(len(text), maxStderr)])
}
