package content

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

const maxXMLDepth = 256

// checkXML is nil if data is one well-formed document of XML 1.0 in UTF-8,
// nested no deeper than 256 and without a DTD: nothing in it is ever expanded
// or fetched. Names have one colon at most, as namespaces want it. Whatever encoding it declares, a text message is UTF-8. Prefixes
// need not be declared, as XML 1.0 alone does not ask for it.
func checkXML(data []byte) *fault {
	if f := checkCharacters(data); f != nil {
		return f
	}
	r := newXMLReader(data)
	c := xmlCheck{data: data}
	for {
		token, err := r.Token()
		if err == io.EOF {
			return c.end()
		}
		if err != nil {
			return &fault{at: r.offset(), err: err}
		}
		if f := c.token(token, r.before, r.offset()); f != nil {
			return f
		}
	}
}

// checkCharacters wants those of XML 1.0 (section 2.2), in comments too.
func checkCharacters(data []byte) *fault {
	for i := 0; i < len(data); {
		r, size := rune(data[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRune(data[i:])
		}
		if r == utf8.RuneError && size == 1 {
			return &fault{at: i + 1, why: "not UTF-8"}
		}
		if !isXMLCharacter(r) {
			return &fault{at: i + 1, why: "a character that XML does not have"}
		}
		i += size
	}
	return nil
}

func isXMLCharacter(r rune) bool {
	return r >= ' ' && r != 0xFFFE && r != 0xFFFF || r == '\t' || r == '\n' || r == '\r'
}

// xmlReader is a decoder that knows where it is in the data.
type xmlReader struct {
	*xml.Decoder
	base   int // of the byte order mark
	before int // where the last token starts
}

func newXMLReader(data []byte) *xmlReader {
	body := bytes.TrimPrefix(data, []byte("\ufeff"))
	d := xml.NewDecoder(bytes.NewReader(body))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	return &xmlReader{Decoder: d, base: len(data) - len(body)}
}

func (r *xmlReader) offset() int { return r.base + int(r.InputOffset()) }

func (r *xmlReader) Token() (xml.Token, error) {
	r.before = r.offset()
	return r.Decoder.Token()
}

func (r *xmlReader) RawToken() (xml.Token, error) {
	r.before = r.offset()
	return r.Decoder.RawToken()
}

// xmlCheck sees to what encoding/xml lets pass.
type xmlCheck struct {
	data  []byte
	depth int
	roots int
}

func (c *xmlCheck) token(token xml.Token, start, end int) *fault {
	switch t := token.(type) {
	case xml.StartElement:
		return c.startElement(start, end)
	case xml.EndElement:
		c.depth--
	case xml.CharData:
		if c.depth == 0 && len(bytes.Trim(c.data[start:end], " \t\r\n")) > 0 {
			return &fault{at: start + 1, why: "text outside the root element"}
		}
	case xml.Directive:
		return &fault{at: start + 1, why: "a DTD is not accepted"}
	case xml.ProcInst:
		return c.instruction(t, start)
	}
	return nil
}

func (c *xmlCheck) startElement(start, end int) *fault {
	if c.depth == 0 {
		c.roots++
	}
	c.depth++
	switch {
	case c.roots > 1:
		return &fault{at: start + 1, why: "more than one root element"}
	case c.depth > maxXMLDepth:
		return &fault{at: start + 1, why: fmt.Sprintf("nested deeper than %d", maxXMLDepth)}
	}
	return checkAttributes(c.data, start, end)
}

// checkAttributes wants white space between attributes and no name twice.
func checkAttributes(data []byte, start, end int) *fault {
	attributes, bad := scanTag(data, start, end)
	if bad > 0 {
		return &fault{at: bad}
	}
	if len(attributes) < 2 {
		return nil
	}
	seen := make(map[string]bool, len(attributes))
	for _, a := range attributes {
		if seen[a.name] {
			return &fault{at: a.start + 1, why: "attribute given twice"}
		}
		seen[a.name] = true
	}
	return nil
}

// xmlDeclaration is what stands in <?xml ?> (XML 1.0, section 2.8).
var xmlDeclaration = regexp.MustCompile(`^\s*version\s*=\s*('1\.0'|"1\.0")` +
	`(\s+encoding\s*=\s*('[A-Za-z][\w.-]*'|"[A-Za-z][\w.-]*"))?` +
	`(\s+standalone\s*=\s*('(yes|no)'|"(yes|no)"))?\s*$`)

func (c *xmlCheck) instruction(t xml.ProcInst, start int) *fault {
	behind := start + len("<?"+t.Target)
	if rest := c.data[behind:]; !strings.ContainsRune(blanks, rune(rest[0])) && !bytes.HasPrefix(rest, []byte("?>")) {
		return &fault{at: behind + 1}
	}
	if !strings.EqualFold(t.Target, "xml") {
		return nil
	}
	first := len(bytes.TrimPrefix(c.data[:start], []byte("\ufeff"))) == 0
	if first && t.Target == "xml" && xmlDeclaration.Match(t.Inst) {
		return nil
	}
	return &fault{at: start + 1, why: "XML declaration out of place or malformed"}
}

func (c *xmlCheck) end() *fault {
	if c.roots == 0 {
		return &fault{at: len(c.data), why: "no root element"}
	}
	return nil
}

// attribute is one as it is written: its name, and where its value is between
// the quotes.
type attribute struct {
	name       string
	start, end int
}

const blanks = " \t\r\n"

// scanTag finds the attributes in a start tag that encoding/xml has read.
// bad is where white space is missing before one, from 1, and 0 if nowhere.
func scanTag(data []byte, start, end int) (found []attribute, bad int) {
	tag := data[:end]
	at := start + bytes.IndexAny(tag[start:], blanks+"/>")
	for {
		name := skip(tag, at)
		if tag[name] == '/' || tag[name] == '>' {
			return found, 0
		}
		if name == at {
			return found, name + 1
		}
		nameEnd := name + bytes.IndexAny(tag[name:], blanks+"=")
		quote := skip(tag, skip(tag, nameEnd)+1) // behind the equals sign
		length := bytes.IndexByte(tag[quote+1:], tag[quote])
		found = append(found, attribute{string(tag[name:nameEnd]), quote + 1, quote + 1 + length})
		at = quote + length + 2
	}
}

// skip is where white space ends that starts at i.
func skip(data []byte, i int) int {
	return i + len(data[i:]) - len(bytes.TrimLeft(data[i:], blanks))
}

// escapeXML writes text as the content of an element or an attribute. A
// character that XML does not have is an error.
func escapeXML(text string) ([]byte, error) {
	for _, r := range text {
		if !isXMLCharacter(r) {
			return nil, fmt.Errorf("character %U is none that XML can have", r)
		}
	}
	var b bytes.Buffer
	err := xml.EscapeText(&b, []byte(text))
	return b.Bytes(), err
}
