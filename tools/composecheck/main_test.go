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
	for name, change := range map[string][2]string{
		"unknown key":          {"stop_grace_period:", "stop_grace_perido:"},
		"undefined volume":     {`["kafka:/var/lib/kafka/data"]`, `["other:/var/lib/kafka/data"]`},
		"undefined dependency": {"  provision: {condition", "  provisionn: {condition"},
		"bad port":             {"127.0.0.1:9092:9092", "127.0.0.1:909x:9092"},
		"open port":            {"127.0.0.1:8082:8082", "8082:8082"},
		"floating tag":         {"apache/kafka:4.2.0", "apache/kafka:latest"},
	} {
		text := strings.ReplaceAll(string(good), change[0], change[1])
		if text == string(good) {
			t.Fatalf("%s: nothing was changed", name)
		}
		file := filepath.Join(t.TempDir(), "docker-compose.yml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if faults, err := check(t.Context(), file); err == nil && len(faults) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
}
