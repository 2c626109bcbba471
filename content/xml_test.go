package content

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// laughs is the billion laughs, which would be a gigabyte.
const laughs = `<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">` +
	`<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><l>&c;</l>`

// TestWSO07WhatIsXML is what libexpat says too, but for names with two colons.
func TestWSO07WhatIsXML(t *testing.T) {
	for _, c := range []struct {
		name, text string
		at         int    // 0: it is XML
		why        string // what is said beside the byte
	}{
		{"an element", `<a/>`, 0, ""},
		{"all there can be", "\ufeff<?xml version='1.0' encoding=\"UTF-8\" standalone='no' ?>\r\n<!-- c --><?p q?>\n<a b = '1' c=\"'\"\n>t&amp;&#65;<![CDATA[<]]><b/></a >\n<!-- d -->", 0, ""},
		{"another encoding is declared, UTF-8 it is", `<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>`, 0, ""},
		{"an encoding nobody knows", `<?xml version="1.0" encoding="x-none"?><a/>`, 0, ""},
		{"a prefix nobody declared", `<p:a q:b="1"/>`, 0, ""},
		{"as deep as may be", strings.Repeat("<a>", 256) + strings.Repeat("</a>", 256), 0, ""},
		{"a level too deep", strings.Repeat("<a>", 257) + strings.Repeat("</a>", 257), 256*3 + 1, "nested deeper than 256"},
		{"nothing", ``, 0, "no root element"},
		{"a comment alone", `<!-- -->`, 8, "no root element"},
		{"two roots", `<a/><b/>`, 5, "more than one root element"},
		{"bare text", `hello`, 1, "text outside the root element"},
		{"text behind the root", `<a/>x`, 5, "text outside the root element"},
		{"text before the root", "x<a/>", 1, "text outside the root element"},
		{"CDATA outside the root", "<![CDATA[ ]]><a/>", 1, "text outside the root element"},
		{"a blank by its number outside the root", "<a/>&#32;", 5, "text outside the root element"},
		{"a DTD", `<!DOCTYPE a><a/>`, 1, "a DTD is not accepted"},
		{"a file from outside", `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, 1, "a DTD is not accepted"},
		{"billion laughs", laughs, len(`<?xml version="1.0"?>`) + 1, "a DTD is not accepted"},
		{"an entity nobody declared", `<a>&x;</a>`, 6, ""},
		{"an open element", `<a>`, 3, ""},
		{"crossed elements", `<a><b></a></b>`, 10, ""},
		{"a prefix that changes", `<p:a></q:a>`, 11, ""},
		{"an attribute twice", `<a x="1" x="2"/>`, 13, "attribute given twice"},
		{"no white space between attributes", `<a x="1"y="2"/>`, 9, ""},
		{"an attribute without quotes", `<a x=1/>`, 6, ""},
		{"a tag in an attribute", `<a x="<"/>`, 7, ""},
		{"]]> in text", `<a>]]></a>`, 6, ""},
		{"-- in a comment", `<a><!-- -- --></a>`, 11, ""},
		{"a character that XML does not have", "<a>\x01</a>", 4, "a character that XML does not have"},
		{"one in a comment", "<a/><!--\uffff-->", 9, "a character that XML does not have"},
		{"one by its number", "<a>&#0;</a>", 7, ""},
		{"not UTF-8", "<a>\xff</a>", 4, "not UTF-8"},
		{"XML 1.1", `<?xml version="1.1"?><a/>`, 21, ""},
		{"a declaration behind white space", ` <?xml version="1.0"?><a/>`, 2, "XML declaration out of place or malformed"},
		{"a declaration that declares nothing", `<?xml?><a/>`, 1, "XML declaration out of place or malformed"},
		{"a declaration in capitals", `<?XML version="1.0"?><a/>`, 1, "XML declaration out of place or malformed"},
		{"a declaration in a muddle", `<?xml version="1.0" standalone="yes" encoding="UTF-8"?><a/>`, 1, "XML declaration out of place or malformed"},
		{"an instruction that has no end to its name", `<?p"?><a/>`, 4, ""},
		{"a name with two colons", `<a:b:c/>`, 6, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := checkXML([]byte(c.text))
			if f == nil {
				f = &fault{}
			} else if f.why == "" && f.err == nil && f.at == 0 {
				t.Errorf("nothing is said")
			}
			if f.at != c.at || f.why != c.why {
				t.Errorf("bad at byte %d: %q; want %d: %q", f.at, f, c.at, c.why)
			}
		})
	}
}

// soap has the same prefixes for other things than the tests' expressions.
const soap = `<?xml version="1.0"?>
<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns="urn:d" xmlns:s="urn:&lt;s>">
  <e:Body><order id="7" s:id="8"><item xmlns="">pen</item></order><!-- c --></e:Body>
</e:Envelope>`

func TestWSO07XPathWithNamespaces(t *testing.T) {
	const ns = "s=http://www.w3.org/2003/05/soap-envelope, d=urn:d;"
	order := `<order xmlns="urn:d" xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:s="urn:&lt;s&gt;" id="7" s:id="8"><item xmlns="">pen</item></order>`
	for _, c := range []struct {
		expression string
		want       []string
	}{
		{ns + "/s:Envelope/s:Body/d:order", []string{order}},
		{ns + "//d:order[@id = 7]", []string{order}},
		{ns + "//d:order[@x:id = 8]", nil},
		{"x=urn:<s>;//*[@x:id = '8']", []string{order}},
		{ns + "//d:item", []string{}},
		{"//item", []string{`<item xmlns:e="http://www.w3.org/2003/05/soap-envelope" xmlns:s="urn:&lt;s&gt;" xmlns="">pen</item>`}},
		{"//item/..", []string{order}},
		{ns + "//s:order", []string{}},
		{"x=http://www.w3.org/2001/12/soap-envelope;/x:Envelope", []string{}},
		{ns + "/s:Envelope", []string{soap}},
		{ns + "count(//d:order) = 1", []string{soap}},
		{"//*[local-name() = 'order']", []string{order}},
		{"//*[namespace-uri() = 'urn:d']/@id", []string{soap}},
		{"//text()[. = 'pen']", []string{soap}},
		{"//comment()", []string{soap}},
		{"string-length(//item) = 3 and not(//nothing)", []string{soap}},
		{"//item[preceding::order]", []string{}},
		{"//item[ancestor::*[@id]]/following::*", []string{}},
		{"contains(//item, 'a;b=c') or false()", []string{}},
		{"//*[preceding-sibling::comment()]", []string{}},
		{"//comment()[preceding-sibling::*[1][@id]]", []string{soap}},
		{"//*[@id]/@*[. = 8]", []string{soap}},
		{"/*/*[last()]/*[1]", []string{order}},
	} {
		t.Run(c.expression, func(t *testing.T) {
			p, err := Compile([]string{"xpath:" + c.expression}, Options{StepTimeout: unhurried})
			if c.want == nil {
				if err == nil {
					t.Error("a prefix nobody declared was compiled")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, e := send(t, p, XML, soap)
			if diff := cmp.Diff(c.want, got); e != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", e, diff)
			}
			for _, text := range got {
				if f := checkXML([]byte(text)); f != nil {
					t.Errorf("%s is not XML: %s", text, f)
				}
			}
		})
	}
}

// TestXMLSetChangesNoOtherByte: what is around stays, quotes and all.
func TestXMLSetChangesNoOtherByte(t *testing.T) {
	for _, c := range []struct{ step, text, want string }{
		{"s=urn:s;//s:a=1", `<p:a xmlns:p="urn:s"/>`, `<p:a xmlns:p="urn:s">1</p:a>`},
		{"//a=1", `<r><a /><a></a><a><a>2</a></a></r>`, `<r><a >1</a><a>1</a><a>1</a></r>`},
		{"//a/@x=it's \"<&>\"", `<r><a x='1'/><a y="2"/></r>`, `<r><a x='it&#39;s &#34;&lt;&amp;&gt;&#34;'/><a x="it&#39;s &#34;&lt;&amp;&gt;&#34;" y="2"/></r>`},
		{"/r[a='b=c']/d=e=f", "\ufeff<?xml version='1.0'?>\r\n<r><a>b=c</a><d/>\r\n</r><!-- x -->", "\ufeff<?xml version='1.0'?>\r\n<r><a>b=c</a><d>e=f</d>\r\n</r><!-- x -->"},
		{"/r=", `<r>x</r>`, `<r></r>`},
		{"/r/@p:x=1", `<r xmlns:p="u" p:x="0" x="2"/>`, `<r xmlns:p="u" p:x="1" x="2"/>`},
		{"/r=$meta.direction $meta.client $meta.contentType $meta.header.None.", `<r/>`, `<r>in 192.0.2.7:5000 application/xml .</r>`},
	} {
		t.Run(c.step, func(t *testing.T) {
			got, e := send(t, compile(t, Options{}, "xmlset:"+c.step), XML, c.text)
			if diff := cmp.Diff([]string{c.want}, got); e != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", e, diff)
			}
		})
	}
}

// TestXMLThereAndBack: what the manual says is kept, is.
func TestXMLThereAndBack(t *testing.T) {
	p := compile(t, Options{}, "xml2json", "json2xml")
	for _, text := range []string{
		`<a></a>`, `<a>text</a>`, `<a>  two  </a>`, `<a x="1" y="&lt;&amp;&#34;&#39;">t</a>`, `<a x=""></a>`,
		`<p:a xmlns:p="urn:x" xmlns="urn:y" p:q="1"><b></b><p:b></p:b></p:a>`,
		`<a><b>1</b><b x="2"></b><b><c>3</c></b><d>4</d></a>`, `<a x="1">text<b></b></a>`, `<a>é😀</a>`,
	} {
		if got, e := send(t, p, XML, text); e != nil || got[0] != text {
			t.Errorf("%s became %s, %v", text, got, e)
		}
	}
	for text, want := range map[string]string{
		"<?xml version='1.0'?><a><!-- c --> <b/>\n<c/><b>2</b></a>": `<a><b></b><b>2</b><c></c></a>`,
		`<a>one<b/>two</a>`:         `<a>onetwo<b></b></a>`,
		`<a>&#65;<![CDATA[<]]></a>`: `<a>A&lt;</a>`,
	} {
		if got, e := send(t, p, XML, text); e != nil || got[0] != want {
			t.Errorf("%s became %s, %v; want %s", text, got, e, want)
		}
	}
}

// FuzzXML: what passes is what encoding/xml can read to its end, one root and
// no DTD in it, and all steps for XML can take it apart.
func FuzzXML(f *testing.F) {
	for _, seed := range []string{soap, laughs, `<a x='1' y = "2"/>`, `<a><b/>t<![CDATA[x]]></a>`, "\ufeff<?xml version='1.0'?><a/>", `<?p q?><a b=""/><!-- -->`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if got := checkXML(data); got != nil {
			if got.at < 0 || got.at > len(data) {
				t.Fatalf("byte %d of %d", got.at, len(data))
			}
			return
		}
		if roots := rootsOf(t, data); roots != 1 || bytes.Contains(data, []byte("<!DOCTYPE")) && !bytes.Contains(data, []byte("<!--")) && !bytes.Contains(data, []byte("<![CDATA[")) && !bytes.Contains(data, []byte("<?")) {
			t.Fatalf("%d roots, or a DTD, and it passed", roots)
		}
		document, err := parseXML(data)
		if err != nil {
			t.Fatal(err)
		}
		root := document.root()
		if data[root.start] != '<' || data[root.end-1] != '>' || root.start >= root.open || root.open > root.close || root.close > root.end {
			t.Fatalf("the root is not at %d, %d, %d, %d", root.start, root.open, root.close, root.end)
		}
		if attributes, _ := scanTag(data, root.start, root.open); len(attributes) != len(root.written) {
			t.Fatalf("%d attributes in the tag, %d read", len(attributes), len(root.written))
		}
	})
}

// rootsOf counts root elements by another way than ours.
func rootsOf(t *testing.T, data []byte) (roots int) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	for {
		token, err := d.Token()
		if err == io.EOF {
			return roots
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := token.(xml.StartElement); ok {
			roots++
			if err := d.Skip(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
