package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// bill is a bill of materials of CycloneDX 1.5.
type bill struct {
	Format       string       `json:"bomFormat"`
	Spec         string       `json:"specVersion"`
	Serial       string       `json:"serialNumber"`
	Version      int          `json:"version"`
	Metadata     metadata     `json:"metadata"`
	Components   []component  `json:"components"`
	Dependencies []dependency `json:"dependencies"`
}

type metadata struct {
	Component component `json:"component"`
}

type component struct {
	Ref      string          `json:"bom-ref"`
	Type     string          `json:"type"`
	Name     string          `json:"name"`
	Version  string          `json:"version"`
	Hashes   []hash          `json:"hashes,omitempty"`
	Licenses []licenseChoice `json:"licenses"`
	PURL     string          `json:"purl"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type licenseChoice struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

type dependency struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

const self = "github.com/wsbridge/wsbridge"

// newBill has the binary on top and everything else below it. It has no time,
// and its number comes from the binary, so that it can be made again.
func newBill(version string, sum [sha256.Size]byte, parts []part) bill {
	top := newComponent("application", part{ecosystem: "golang", name: self, version: version, license: "Apache-2.0"})
	top.Hashes = []hash{{"SHA-256", hexOf(sum)}}
	b := bill{
		Format: "CycloneDX", Spec: "1.5", Version: 1,
		Serial:     serial(sum),
		Metadata:   metadata{top},
		Components: []component{},
	}
	below := dependency{top.Ref, []string{}}
	for _, p := range parts {
		c := newComponent("library", p)
		b.Components = append(b.Components, c)
		below.On = append(below.On, c.Ref)
	}
	b.Dependencies = []dependency{below}
	return b
}

func newComponent(kind string, p part) component {
	c := component{Type: kind, Name: p.name, Version: p.version, PURL: p.purl(), Licenses: make([]licenseChoice, 1)}
	c.Ref = c.PURL
	c.Licenses[0].License.ID = p.license
	return c
}

// purl is the part's package URL: an npm scope's @ is written %40.
func (p part) purl() string {
	return fmt.Sprintf("pkg:%s/%s@%s", p.ecosystem, strings.ReplaceAll(p.name, "@", "%40"), url.PathEscape(p.version))
}

// serial is a UUID of version 8, whose bits are the maker's own (RFC 9562, 5.8).
func serial(sum [sha256.Size]byte) string {
	sum[6] = sum[6]&0x0f | 0x80
	sum[8] = sum[8]&0x3f | 0x80
	h := hexOf(sum)
	return "urn:uuid:" + strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:32]}, "-")
}

// parseLock reads npm's lock file, version 3: what is not dev is shipped.
func parseLock(content []byte) (all []part, err error) {
	var lock struct {
		Packages map[string]struct {
			Version, License string
			Dev              bool
		}
	}
	if err := json.Unmarshal(content, &lock); err != nil {
		return nil, err
	}
	for path, p := range lock.Packages {
		name, ok := strings.CutPrefix(path, "node_modules/")
		if ok && !p.Dev {
			all = append(all, part{ecosystem: "npm", name: name, version: p.Version, license: p.License})
		}
	}
	slices.SortFunc(all, func(a, b part) int { return cmp.Compare(a.name, b.name) })
	return all, nil
}
