package content

import (
	"context"

	"github.com/antchfx/xpath"
)

// walk is what the navigators of one evaluation share.
type walk struct {
	ctx      context.Context
	document *node
	steps    uint
}

// navigator walks a tree for the xpath package.
type navigator struct {
	*walk
	at        *node
	attribute int // of at, from 1; 0: at itself
}

var _ xpath.NodeNavigator = (*navigator)(nil)

func (n *navigator) current() *namespaced { return &n.at.attributes[n.attribute-1] }

func (n *navigator) NodeType() xpath.NodeType {
	if n.attribute > 0 {
		return xpath.AttributeNode
	}
	return n.at.kind
}

func (n *navigator) LocalName() string {
	if n.attribute > 0 {
		return n.current().name
	}
	return n.at.name
}

func (n *navigator) Prefix() string {
	if n.attribute > 0 {
		return n.current().prefix
	}
	return n.at.prefix
}

// NamespaceURL is what the package asks for where a prefix stands for one.
func (n *navigator) NamespaceURL() string {
	if n.attribute > 0 {
		return n.current().space
	}
	return n.at.space
}

func (n *navigator) Value() string {
	if n.attribute > 0 {
		return n.current().value
	}
	return n.at.value()
}

// Copy is called all the time. It panics with the context's error when that is
// done: there is no other way to stop the package.
func (n *navigator) Copy() xpath.NodeNavigator {
	if n.steps++; n.steps%256 == 0 && n.ctx.Err() != nil {
		panic(n.ctx.Err())
	}
	c := *n
	return &c
}

func (n *navigator) MoveToRoot() { n.at, n.attribute = n.document, 0 }

func (n *navigator) MoveToParent() bool {
	if n.attribute > 0 {
		n.attribute = 0
		return true
	}
	return n.move(n.at.parent)
}

func (n *navigator) MoveToNextAttribute() bool {
	if n.attribute == len(n.at.attributes) {
		return false
	}
	n.attribute++
	return true
}

func (n *navigator) MoveToChild() bool { return n.attribute == 0 && n.move(n.at.first) }

func (n *navigator) MoveToFirst() bool {
	return n.attribute == 0 && n.at.parent != nil && n.at.previous != nil && n.move(n.at.parent.first)
}

func (n *navigator) MoveToNext() bool { return n.attribute == 0 && n.move(n.at.next) }

func (n *navigator) MoveToPrevious() bool { return n.attribute == 0 && n.move(n.at.previous) }

func (n *navigator) MoveTo(other xpath.NodeNavigator) bool {
	o, ok := other.(*navigator)
	if !ok || o.walk != n.walk {
		return false
	}
	*n = *o
	return true
}

func (n *navigator) move(to *node) bool {
	if to == nil {
		return false
	}
	n.at = to
	return true
}
