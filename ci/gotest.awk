# Reads the output of go test -v. Prints what failing tests said and the closing
# line of every package; writes the skipped tests and why into the file `skipped`.

/^=== / { test = $3; next }

/^ *--- (PASS|FAIL|SKIP): / {
	if ($2 == "FAIL:") print said[$3] $0
	if ($2 == "SKIP:") print $3 ": " reason[$3] >skipped
	delete said[$3]
	next
}

/^(PASS|FAIL)$/ { next }

/^(ok|FAIL|\?)[ \t]/ {
	if ($1 == "FAIL") flush()
	split("", said)
	print
	next
}

/^# |^[^ ]+\.go:[0-9]+:/ { print; next } # of the compiler and of vet

/^ +[^ ]+\.go:[0-9]+: / { reason[test] = $0; sub(/^ +/, "", reason[test]) }

{ said[test] = said[test] $0 "\n" }

END { flush() }

# flush prints what was said outside of tests and in those that never ended.
function flush(test) {
	for (test in said) printf "%s", said[test]
}
