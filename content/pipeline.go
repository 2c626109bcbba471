package content

import (
	"context"
	"fmt"
	"slices"
)

// maxResults is how many messages one message can become.
const maxResults = 16

// Pipeline is one direction of one route: the steps its messages go through.
// It may be used by any number of sessions at once. A nil Pipeline relays.
type Pipeline struct {
	steps   []step
	options Options
}

// step is one compiled step. What run gets is well-formed in the form it
// needs, and what it returns is in the form it makes. It must not change what
// it gets, and returns that same slice where nothing is to be changed.
type step struct {
	stage string
	needs form // anyForm: whatever comes, binary too
	makes form // anyForm: what came
	run   func(ctx context.Context, data []byte, meta *Meta) ([][]byte, error)
}

// Compile makes a pipeline of steps. An error names the step, as in
//
//	in[1]: jq: unexpected EOF: ...
//
// Without steps it still holds messages against their content type.
func Compile(steps []string, o Options) (*Pipeline, error) {
	p := &Pipeline{options: o.withDefaults()}
	form := anyForm
	for i, text := range steps {
		s, err := compileStep(text, p.options)
		s.stage = fmt.Sprintf("%s[%d]", p.options.Stage, i)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.stage, err)
		}
		if s.needs != anyForm && form != anyForm && s.needs != form {
			return nil, fmt.Errorf("%s: %s needs %s, but what comes to it is %s: put %s before it", s.stage, text, s.needs, form, conversionTo(s.needs))
		}
		form = s.after(form)
		p.steps = append(p.steps, s)
	}
	return p, nil
}

func conversionTo(f form) string {
	if f == jsonForm {
		return "xml2json"
	}
	return "json2xml"
}

// after is the form that messages of form f have behind the step.
func (s step) after(f form) form {
	for _, known := range []form{s.makes, s.needs} {
		if known != anyForm {
			return known
		}
	}
	return f
}

// Takes says whether the steps can work on messages of that content type: a
// route should not offer a type that they cannot.
func (p *Pipeline) Takes(contentType string) bool {
	if p == nil {
		return true
	}
	form := formOf(contentType)
	for _, s := range p.steps {
		if s.needs != anyForm && form != anyForm && s.needs != form {
			return false
		}
		form = s.after(form)
	}
	return true
}

// Result is the content type that messages of contentType have behind the
// steps.
func (p *Pipeline) Result(contentType string) string {
	if p == nil {
		return contentType
	}
	before := formOf(contentType)
	form := before
	for _, s := range p.steps {
		form = s.after(form)
	}
	if form == before {
		return contentType
	}
	return form.String()
}

// Run sends a message through the steps and returns what it became: usually
// one message, none if a step filtered it on purpose, several if a step made
// several. A message that no step changed comes back as it is, the same slice.
// The error is an *Error, and then there are no results.
//
// The caller must not change m.Data while it uses the results, and never again
// after code 1011: a step that was given up may still be reading.
func (p *Pipeline) Run(ctx context.Context, m Message, meta Meta) ([]Message, error) {
	if p == nil {
		return []Message{m}, nil
	}
	if err := p.admit(m, &meta); err != nil {
		return nil, at(p.options.Stage, err)
	}
	data, form := [][]byte{m.Data}, formOf(meta.ContentType)
	for _, s := range p.steps {
		if !m.Text && s.needs != anyForm {
			continue
		}
		if err := s.demand(form, data); err != nil {
			return nil, at(s.stage, err)
		}
		var err error
		if data, err = p.each(ctx, s, data, &meta); err != nil {
			return nil, at(s.stage, err)
		}
		form = s.after(form)
	}
	var out []Message
	for _, d := range data {
		out = append(out, Message{m.Text, d})
	}
	return out, nil
}

// admit holds a message against the limit and against its content type.
func (p *Pipeline) admit(m Message, meta *Meta) error {
	form := formOf(meta.ContentType)
	switch {
	case len(m.Data) > p.options.MaxBytes:
		return refuse(codeTooLarge, "message too large: more than %d bytes", p.options.MaxBytes)
	case m.Text:
		return check(form, meta.ContentType, m.Data)
	case !p.options.BinaryPass && (form != anyForm || p.looksInto()):
		return refuse(codeUnsupported, "text required")
	}
	return nil
}

func (p *Pipeline) looksInto() bool {
	return slices.ContainsFunc(p.steps, func(s step) bool { return s.needs != anyForm })
}

// demand makes sure that the step gets what it needs: on a session that has no
// content type, the first step that needs one decides.
func (s step) demand(form form, data [][]byte) error {
	if s.needs == anyForm || s.needs == form {
		return nil
	}
	if form != anyForm {
		return refuse(codeInternal, "needs %s, the message is %s", s.needs, form)
	}
	for _, d := range data {
		if err := check(s.needs, s.needs.String(), d); err != nil {
			return err
		}
	}
	return nil
}

// each runs one step on all messages there are.
func (p *Pipeline) each(ctx context.Context, s step, data [][]byte, meta *Meta) (out [][]byte, err error) {
	size := 0
	for _, d := range data {
		results, err := s.run(ctx, d, meta)
		if err != nil {
			return nil, err
		}
		for _, r := range results {
			if size += len(r); size > p.options.MaxBytes {
				return nil, resultTooLarge()
			}
		}
		out = append(out, results...)
		if p.options.Single && len(out) > 1 {
			return nil, refuse(codeInternal, "more than one result")
		}
		if len(out) > maxResults {
			return nil, tooManyResults()
		}
	}
	return out, nil
}

func resultTooLarge() *Error { return refuse(codeTooLarge, "result too large") }

func tooManyResults() *Error { return refuse(codeInternal, "more than %d results", maxResults) }

// check is nil if data is what contentType says, and code 1007 otherwise.
func check(form form, contentType string, data []byte) error {
	var f *fault
	switch form {
	case jsonForm:
		f = checkJSON(data)
	case xmlForm:
		f = checkXML(data)
	}
	if f == nil {
		return nil
	}
	e := refuse(codeInvalid, "invalid %s at byte %d", contentType, f.at)
	if f.why != "" {
		e.Reason = cut(e.Reason+": "+f.why, maxReason)
	}
	e.Err = f.err
	return e
}

// fault is where data stops being well-formed.
type fault struct {
	at  int    // the bad byte, from 1; the last one if more should have come
	why string // for the peer; "" if there is nothing to say but that
	err error  // the parser's words, for the log; may be nil
}

func (f *fault) String() string {
	if f.err == nil {
		return f.why
	}
	return f.err.Error()
}
