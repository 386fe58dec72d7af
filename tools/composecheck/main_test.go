package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOurComposeFileIsGood(t *testing.T) {
	faults, err := check(t.Context(), "../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range faults {
		t.Error(f)
	}
}

func TestMistakesAreFound(t *testing.T) {
	good, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	if faults, err := checkText(t, strings.ReplaceAll(string(good), "context: .,", "context: "+here+",")); err != nil || len(faults) > 0 {
		t.Fatalf("without a mistake: %v %v", faults, err)
	}
	for name, change := range map[string][2]string{
		"unknown key":          {"stop_grace_period:", "stop_grace_perido:"},
		"undefined volume":     {`["kafka:/var/lib/kafka/data"]`, `["other:/var/lib/kafka/data"]`},
		"undefined dependency": {"  provision: {condition", "  provisionn: {condition"},
		"bad port":             {"127.0.0.1:9092:9092", "127.0.0.1:909x:9092"},
		"open port":            {"127.0.0.1:8082:8082", "8082:8082"},
		"floating tag":         {"apache/kafka:4.2.0", "apache/kafka:latest"},
		"no tag":               {"ghcr.io/kafbat/kafka-ui:v1.5.0", "ghcr.io:443/kafbat/kafka-ui"},
		"no health check":      {"  docs:\n", "  docs2: {image: \"x:1\"}\n  docs:\n"},
		"root":                 {"image: apache/kafka:4.2.0", "image: apache/kafka:4.2.0\n    user: root"},
	} {
		text := strings.ReplaceAll(strings.ReplaceAll(string(good), change[0], change[1]), "context: .,", "context: "+here+",")
		if !strings.Contains(string(good), change[0]) {
			t.Fatalf("%s: the file does not have the text to change", name)
		}
		if faults, err := checkText(t, text); err == nil && len(faults) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}

func checkText(t *testing.T, text string) ([]string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "docker-compose.yml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return check(t.Context(), file)
}

func TestDockerfiles(t *testing.T) {
	for text, want := range map[string]int{
		"FROM a:1 AS build\nUSER root\nFROM b:2\nUSER 65532:65532\n": 0,
		// only the first stage has a user
		"FROM a:1\nUSER 65532\nFROM b:2\n": 1,
		"FROM a:1\nUSER 0:0\n":             1,
		"FROM a\nuser root\n":              2,
		"FROM host:5000/a\nUSER me\n":      1,
		"FROM host:5000/a:1\nUSER me\n":    0,
	} {
		if faults := checkDockerfile(text); len(faults) != want {
			t.Errorf("%q: %v", text, faults)
		}
	}
}
