package config

import (
	"fmt"
	"strings"
)

const envPrefix = "WSBRIDGE_"

// readEnv takes the names that begin with WSBRIDGE_. An empty value counts as
// unset. An unknown name is a warning, not an error: others put such names into
// our environment (a Kubernetes service called wsbridge does).
func (t table) readEnv(environ []string) (given []assignment, warnings []string) {
	for _, entry := range environ {
		name, text, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, envPrefix) || text == "" {
			continue
		}
		o, ok := t.find(name, Option.Env)
		if !ok {
			warnings = append(warnings, t.unknownEnv(name))
			continue
		}
		given = append(given, assignment{o, text, Origin{Source: Environment, Place: name}})
	}
	return given, warnings
}

func (t table) unknownEnv(name string) string {
	warning := fmt.Sprintf("environment name %s is not known and ignored", name)
	bare := func(o Option) string { return strings.TrimPrefix(o.Env(), envPrefix) }
	if near := nearest(strings.TrimPrefix(name, envPrefix), t.names(bare)); near != "" {
		warning += "; did you mean " + envPrefix + near + "?"
	}
	return warning
}
