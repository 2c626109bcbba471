package content

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/itchyny/gojq"
)

// reasonOf is what the peer would be told.
func reasonOf(t *testing.T, err error) string {
	t.Helper()
	var e *Error
	if !errors.As(at("in[0]", err), &e) {
		t.Fatalf("%v is not an *Error", err)
	}
	return e.Reason
}

func TestWorkThatLooksAtItsContextHasTheTimeItWasGiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runner{limit: 50 * time.Millisecond}
		start := time.Now()
		_, err := r.do(t.Context(), func(ctx context.Context) ([][]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		if took := time.Since(start); took != 50*time.Millisecond || reasonOf(t, err) != "transform in[0]: time is up" {
			t.Errorf("%v after %v", err, took)
		}
	})
}

// TestWSO10WorkThatDoesNotStopIsLeftBehind, and only so much of it.
func TestWSO10WorkThatDoesNotStopIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &runner{limit: 50 * time.Millisecond}
		never := make(chan struct{})
		stuck := func(context.Context) ([][]byte, error) { <-never; return nil, nil }
		good := func(context.Context) ([][]byte, error) { return [][]byte{{1}}, nil }
		for i := range maxLate {
			if out, err := r.do(t.Context(), good); err != nil || len(out) != 1 {
				t.Fatalf("with %d left behind: %v, %v", i, out, err)
			}
			start := time.Now()
			_, err := r.do(t.Context(), stuck)
			if took := time.Since(start); took != 75*time.Millisecond || reasonOf(t, err) != "transform in[0]: time is up" {
				t.Fatalf("%v after %v", err, took)
			}
		}
		if _, err := r.do(t.Context(), good); reasonOf(t, err) != "transform in[0]: earlier messages are still being worked on" {
			t.Errorf("%v, with %d left behind", err, maxLate)
		}
		close(never)
		synctest.Wait()
		if out, err := r.do(t.Context(), good); err != nil || len(out) != 1 || r.late.Load() != 0 {
			t.Errorf("%v, %v when all have ended, %d are counted", out, err, r.late.Load())
		}
	})
}

func TestAPanicIsAFailedStep(t *testing.T) {
	r := &runner{limit: unhurried}
	for _, v := range []any{"boom", errors.New("boom")} {
		_, err := r.do(t.Context(), func(context.Context) ([][]byte, error) { panic(v) })
		if err == nil || !strings.Contains(err.Error(), "boom") || reasonOf(t, err) != "transform in[0]" {
			t.Errorf("%v", err)
		}
	}
}

// TestAnXPathThatTakesLongIsStopped, though the package knows no context.
func TestAnXPathThatTakesLongIsStopped(t *testing.T) {
	document, err := parseXML([]byte("<r>" + strings.Repeat("<a/>", 2000) + "</r>"))
	if err != nil {
		t.Fatal(err)
	}
	x, err := parseExpression("//a[count(//a[count(//a) > 1]) > 1]")
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{limit: time.Millisecond}
	ended := make(chan struct{})
	_, err = r.do(t.Context(), func(ctx context.Context) ([][]byte, error) {
		defer close(ended)
		_, _, err := x.find(ctx, document)
		return nil, err
	})
	if err == nil || reasonOf(t, err) != "transform in[0]: time is up" {
		t.Errorf("%v, want time is up", err)
	}
	<-ended // years, if it were not stopped
}

// TestPatternsOfMessagesAreForgotten: gojq keeps every regular expression that
// a compiled program ever saw.
func TestPatternsOfMessagesAreForgotten(t *testing.T) {
	for program, varies := range map[string]bool{
		`.`:                                    false,
		`test("a")`:                            false,
		`test("a"; "i")`:                       false,
		`sub("a"; .b + "c")`:                   false,
		`gsub("a"; "\(.b)"; "g")`:              false,
		`split(.sep)`:                          false,
		`.a | test(.b)`:                        true,
		`test("a\(.b)")`:                       true,
		`[.[] | select(test(["a"]))]`:          true,
		`sub(.a; "b")`:                         true,
		`test("a"; .flags)`:                    true,
		`split(.sep; null)`:                    true,
		`def f(re): test(re); f("a")`:          true,
		`if true then {a: scan(.)} else . end`: true,
		`reduce .[] as $x (.; capture($x))`:    true,
		`try match(.) catch .`:                 true,
		`. as {a: $x} | "\(splits($x))"`:       true,
	} {
		query, err := gojq.Parse(program)
		if err != nil {
			t.Fatal(err)
		}
		if got := patternsVary(reflect.ValueOf(query)); got != varies {
			t.Errorf("%s: %v, want %v", program, got, varies)
		}
	}
	got, e := send(t, compile(t, Options{}, "jq:.s | test(\"^\" + $meta.header[\"X-User\"])"), JSON, `{"s":"ada l"}`)
	if e != nil || len(got) != 1 || got[0] != "true" {
		t.Errorf("%q, %v", got, e)
	}
}
