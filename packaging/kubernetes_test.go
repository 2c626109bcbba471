package packaging_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/wsbridge/wsbridge/config"
)

// TestManifests: what one manifest calls by name or number, another has.
func TestManifests(t *testing.T) {
	m := loadManifests(t)
	pod := m.at("Deployment", "spec", "template", "spec")
	labels := m.at("Deployment", "spec", "template", "metadata", "labels")
	for _, c := range []struct {
		about     string
		got, want any
	}{
		{"the Deployment's selector", m.at("Deployment", "spec", "selector", "matchLabels"), labels},
		{"the Service's selector", m.at("Service", "spec", "selector"), labels},
		{"the budget's selector", m.at("PodDisruptionBudget", "spec", "selector", "matchLabels"), labels},
		{"the policy's selector", m.at("NetworkPolicy", "spec", "podSelector", "matchLabels"), labels},
		{"the spread's selector", at(pod, "topologySpreadConstraints", 0, "labelSelector", "matchLabels"), labels},
		{"the Ingress's service", m.at("Ingress", "spec", "rules", 0, "http", "paths", 0, "backend", "service", "name"), m.at("Service", "metadata", "name")},
		{"the Ingress's port", m.at("Ingress", "spec", "rules", 0, "http", "paths", 0, "backend", "service", "port", "name"), m.at("Service", "spec", "ports", 0, "name")},
		{"the configuration's volume", at(pod, "volumes", 0, "configMap", "name"), m.at("ConfigMap", "metadata", "name")},
	} {
		if fmt.Sprint(c.got) != fmt.Sprint(c.want) || c.got == nil {
			t.Errorf("%s is %v, want %v", c.about, c.got, c.want)
		}
	}
	m.checkPorts(t, pod)
	m.checkVolumes(t, pod)
}

// TestManifestConfig: the configuration in the ConfigMap is one, listens where
// the container says, and drains within the pod's grace.
func TestManifestConfig(t *testing.T) {
	m := loadManifests(t)
	file := filepath.Join(t.TempDir(), "wsbridge.yaml")
	text, _ := m.at("ConfigMap", "data", "wsbridge.yaml").(string)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse([]string{"--config", file}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	pod := m.at("Deployment", "spec", "template", "spec")
	ports := containerPorts(pod)
	if want := fmt.Sprintf(":%v", ports["web"]); !slices.Equal(c.Listen, []string{want}) || c.Admin != fmt.Sprintf(":%v", ports["admin"]) {
		t.Errorf("it listens on %q and %q; the container says %v", c.Listen, c.Admin, ports)
	}
	grace := time.Duration(number(at(pod, "terminationGracePeriodSeconds"))) * time.Second
	stop := time.Duration(number(at(pod, "containers", 0, "lifecycle", "preStop", "sleep", "seconds"))) * time.Second
	if stop == 0 || grace < stop+c.DrainTimeout+5*time.Second {
		t.Errorf("a grace of %v for %v before the stop and a drain of %v", grace, stop, c.DrainTimeout)
	}
	if mount := mountOf(pod, "secret"); mount == "" || !strings.HasPrefix(c.AdminTokenFile, mount+"/") {
		t.Errorf("the token %s is not in the secret at %q", c.AdminTokenFile, mount)
	}
}

// TestRestricted: the pod passes the restricted Pod Security Standard.
func TestRestricted(t *testing.T) {
	pod := loadManifests(t).at("Deployment", "spec", "template", "spec")
	for path, want := range map[string]any{
		"securityContext/runAsNonRoot":        true,
		"securityContext/seccompProfile/type": "RuntimeDefault",
		"automountServiceAccountToken":        false,
	} {
		checkSetting(t, pod, path, want)
	}
	container := at(pod, "containers", 0)
	for path, want := range map[string]any{
		"securityContext/allowPrivilegeEscalation": false,
		"securityContext/readOnlyRootFilesystem":   true,
		"securityContext/capabilities/drop":        []any{"ALL"},
	} {
		checkSetting(t, container, path, want)
	}
}

func checkSetting(t *testing.T, in any, path string, want any) {
	t.Helper()
	var steps []any
	for step := range strings.SplitSeq(path, "/") {
		steps = append(steps, step)
	}
	if got := at(in, steps...); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s is %v, want %v", path, got, want)
	}
}

// manifests by kind.
type manifests map[string]any

// loadManifests reads all of them; a key that is there twice is an error.
func loadManifests(t *testing.T) manifests {
	t.Helper()
	names, err := filepath.Glob("kubernetes/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m := manifests{}
	for _, name := range names {
		var doc map[string]any
		if err := yaml.Unmarshal([]byte(read(t, name)), &doc); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		m[fmt.Sprint(doc["kind"])] = doc
	}
	for _, resource := range list(m.at("Kustomization", "resources")) {
		if !slices.Contains(names, "kubernetes/"+fmt.Sprint(resource)) {
			t.Errorf("kustomization.yaml names %v, which is not there", resource)
		}
	}
	return m
}

// at follows keys and indexes; what is not there is nil.
func (m manifests) at(kind string, path ...any) any { return at(m[kind], path...) }

func at(v any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			object, _ := v.(map[string]any)
			v = object[step]
		case int:
			if step >= len(list(v)) {
				return nil
			}
			v = list(v)[step]
		}
	}
	return v
}

func list(v any) []any {
	all, _ := v.([]any)
	return all
}

func number(v any) int {
	n, _ := v.(int)
	return n
}

func containerPorts(pod any) map[string]int {
	ports := map[string]int{}
	for _, p := range list(at(pod, "containers", 0, "ports")) {
		ports[fmt.Sprint(at(p, "name"))] = number(at(p, "containerPort"))
	}
	return ports
}

// checkPorts: every port that is called by its name is one of the container's.
func (m manifests) checkPorts(t *testing.T, pod any) {
	t.Helper()
	ports := slices.Collect(maps.Keys(containerPorts(pod)))
	container := at(pod, "containers", 0)
	named := map[string]any{
		"the Service's port":  m.at("Service", "spec", "ports", 0, "targetPort"),
		"the readiness probe": at(container, "readinessProbe", "httpGet", "port"),
		"the liveness probe":  at(container, "livenessProbe", "httpGet", "port"),
		"the startup probe":   at(container, "startupProbe", "httpGet", "port"),
	}
	for i, rule := range list(m.at("NetworkPolicy", "spec", "ingress")) {
		named[fmt.Sprintf("the policy's rule %d", i)] = at(rule, "ports", 0, "port")
	}
	for about, name := range named {
		if !slices.Contains(ports, fmt.Sprint(name)) {
			t.Errorf("%s is %v; the container has %q", about, name, ports)
		}
	}
}

// checkVolumes: what is mounted is there, and not inside of another mount that
// nobody can write to, where no folder can be made for it.
func (m manifests) checkVolumes(t *testing.T, pod any) {
	t.Helper()
	var there []string
	for _, v := range list(at(pod, "volumes")) {
		there = append(there, fmt.Sprint(at(v, "name")))
	}
	mounts := list(at(pod, "containers", 0, "volumeMounts"))
	for _, mount := range mounts {
		if name := fmt.Sprint(at(mount, "name")); !slices.Contains(there, name) {
			t.Errorf("the volume %s is not there", name)
		}
		for _, other := range mounts {
			inner, outer := fmt.Sprint(at(mount, "mountPath")), fmt.Sprint(at(other, "mountPath"))
			if strings.HasPrefix(inner, outer+"/") {
				t.Errorf("%s is mounted inside of %s", inner, outer)
			}
		}
	}
}

func mountOf(pod any, volume string) string {
	for _, mount := range list(at(pod, "containers", 0, "volumeMounts")) {
		if at(mount, "name") == volume {
			return fmt.Sprint(at(mount, "mountPath"))
		}
	}
	return ""
}
