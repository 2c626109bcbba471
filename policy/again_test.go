package policy

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// TestAgain: who was let in before is looked at with the rules of now, and it
// costs nobody a guess or a ticket.
func TestAgain(t *testing.T) {
	dir := t.TempDir()
	tokens := filepath.Join(dir, "tokens")
	if err := os.WriteFile(tokens, []byte("ann: 127.0.0.1:5900\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lookup, err := OpenTokens("TokenFile", tokens, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &Policy{Tokens: lookup}
	defer p.Close()
	if d, err := p.Again(httptest.NewRequest("GET", "/?token=ann", nil)); err != nil || d.Target.String() != "127.0.0.1:5900" {
		t.Errorf("a token that is there: %v, %v", d, err)
	}
	for range 50 {
		refusal, ok := again(p, "/?token=bob").(*Refusal)
		if !ok || refusal.Status != http.StatusNotFound {
			t.Fatalf("a token that is gone: %+v", refusal)
		}
	}
	if _, err := p.Decide(httptest.NewRequest("GET", "/?token=ann", nil)); err != nil {
		t.Errorf("the looks back counted as guesses: %v", err)
	}
}

func again(p *Policy, path string) error {
	_, err := p.Again(httptest.NewRequest("GET", path, nil))
	return err
}

// TestAgainAsksNobody: a callout would be asked once for every live session.
func TestAgainAsksNobody(t *testing.T) {
	auth, err := OpenAuth("exec:/bin/false", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := OpenTokens("http://127.0.0.1:1/", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &Policy{Auth: auth, Tokens: tokens}
	defer p.Close()
	if err := again(p, "/?token=ann"); err != nil {
		t.Errorf("%v", err)
	}
}
