//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"image"
)

// screen is the desktop; tile is the side of a square of its picture.
var screen = image.Rect(0, 0, 640, 480)

const tile = 20

// colour is red, green and blue.
type colour [3]int

// hex is the colour as X programs read it.
func (c colour) hex() string { return fmt.Sprintf("#%02x%02x%02x", c[0], c[1], c[2]) }

// picture says which colour every point of the screen has.
type picture func(image.Point) colour

func solid(c colour) picture {
	return func(image.Point) colour { return c }
}

func (m mosaic) picture(ink, paper colour) picture {
	return func(p image.Point) colour {
		if m.inked(p) {
			return ink
		}
		return paper
	}
}

// pixel is x, y and the colour to be seen there.
type pixel [3]any

// pixels are the middles of all tiles that are outside of hidden.
func (show picture) pixels(hidden image.Rectangle) []pixel {
	var all []pixel
	for y := tile / 2; y < screen.Max.Y; y += tile {
		for x := tile / 2; x < screen.Max.X; x += tile {
			if p := image.Pt(x, y); !p.In(hidden) {
				all = append(all, pixel{x, y, show(p)})
			}
		}
	}
	return all
}

// mosaic has one byte a tile, row by row; odd is ink. It has no symmetry: a
// tile out of place is seen.
type mosaic []byte

func newMosaic() mosaic { return noise(screen.Dx() / tile * screen.Dy() / tile) }

func (m mosaic) inked(p image.Point) bool {
	return m[p.Y/tile*(screen.Dx()/tile)+p.X/tile]%2 == 1
}

// xbm is the mosaic as an X bitmap file.
func (m mosaic) xbm() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "#define m_width %d\n#define m_height %d\n", screen.Dx(), screen.Dy())
	b.WriteString("static unsigned char m_bits[] = {\n")
	for y := range screen.Dy() {
		for x := 0; x < screen.Dx(); x += 8 {
			fmt.Fprintf(&b, "0x%02x,", m.octet(x, y))
		}
		b.WriteByte('\n')
	}
	b.WriteString("};\n")
	return b.Bytes()
}

// octet is eight pixels from x on, the first in the lowest bit.
func (m mosaic) octet(x, y int) (bits byte) {
	for i := range 8 {
		if m.inked(image.Pt(x+i, y)) {
			bits |= 1 << i
		}
	}
	return bits
}
