package main

// What Argo CD does with the scripts of a kind. Its server runs an action whatever discovery says of it: discovery only
// greys out the button. So every action is run here, and what it changes or why it refuses is told.

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Action is whether it is offered, and what it does.
type Action struct {
	Enabled bool `json:"enabled"`
	// The JSON merge patch that Argo CD sends to the API server.
	Patch json.RawMessage `json:"patch,omitempty"`
	// What the person is told instead.
	Error string `json:"error,omitempty"`
}

type customization struct{ folder string }

func folderOf(scripts string, object *unstructured.Unstructured) string {
	kind := object.GroupVersionKind()
	return filepath.Join(scripts, kind.Group, kind.Kind)
}

var healths = []string{"Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"}

func (c customization) health(object *unstructured.Unstructured) (Outcome, error) {
	var health Outcome
	if err := c.run("health.lua", object, &health); err != nil {
		return health, err
	}
	if !slices.Contains(healths, health.Status) {
		return health, fmt.Errorf("%q is no health", health.Status)
	}
	return health, nil
}

func (c customization) actions(object *unstructured.Unstructured) (map[string]Action, error) {
	if _, err := os.Stat(c.path("actions")); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var found map[string]struct{ Disabled bool }
	if err := c.run("actions/discovery.lua", object, &found); err != nil {
		return nil, err
	}
	actions := map[string]Action{}
	for name, discovered := range found {
		action := Action{Enabled: !discovered.Disabled}
		patch, err := c.patch(name, object)
		if err != nil {
			action.Error = err.Error()
		} else {
			action.Patch = patch
		}
		actions[name] = action
	}
	return actions, nil
}

func (c customization) patch(action string, object *unstructured.Unstructured) ([]byte, error) {
	var changed map[string]any
	if err := c.run(filepath.Join("actions", action, "action.lua"), object, &changed); err != nil {
		return nil, err
	}
	before, err := json.Marshal(object.Object)
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(withEmptyObjects(changed, object.Object))
	if err != nil {
		return nil, err
	}
	return jsonpatch.CreateMergePatch(before, after)
}

// In Lua an empty object and an empty list are the same, and become a list: what was an object before is one again.
func withEmptyObjects(now, before any) any {
	switch now := now.(type) {
	case map[string]any:
		for key, was := range asObject(before) {
			if value, there := now[key]; there {
				now[key] = withEmptyObjects(value, was)
			}
		}
	case []any:
		if was, object := before.(map[string]any); object && len(now) == 0 {
			return was
		}
		if was, list := before.([]any); list {
			for index := range min(len(now), len(was)) {
				now[index] = withEmptyObjects(now[index], was[index])
			}
		}
	}
	return now
}

func asObject(value any) map[string]any {
	object, _ := value.(map[string]any)
	return object
}

func (c customization) path(script string) string { return filepath.Join(c.folder, script) }

func (c customization) run(script string, object *unstructured.Unstructured, result any) error {
	source, err := os.ReadFile(c.path(script))
	if err != nil {
		return err
	}
	encoded, err := evaluate(string(source), object.Object)
	if err != nil {
		return err
	}
	return json.Unmarshal(encoded, result)
}
